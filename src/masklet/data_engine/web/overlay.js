// How masks lie over a frame, and the signs of clicks and boxes.

export const MODES = ["fill", "outline", "cutout", "none"];

/** "#rrggbb" with an alpha of 0..1. */
export const faded = (colour, alpha) =>
  `${colour}${Math.round(255 * alpha)
    .toString(16)
    .padStart(2, "0")}`;

/**
 * Paints masks: items are {path, colour, active, dashed}; one pixel of the screen is `pixel` of the video.
 */
export function paintMasks(context, items, mode, { pixel, width, height }) {
  if (mode === "none") return;
  context.lineJoin = "round";
  if (mode === "cutout") {
    context.fillStyle = "#0b0d10";
    context.fillRect(0, 0, width, height);
    context.globalCompositeOperation = "destination-out";
    context.fillStyle = "#000";
    for (const { path } of items) context.fill(path, "evenodd");
    context.globalCompositeOperation = "source-over";
  }
  for (const { path, colour, active, dashed } of items) {
    if (mode === "fill") {
      context.fillStyle = faded(colour, dashed ? 0.15 : active ? 0.45 : 0.32);
      context.fill(path, "evenodd");
    }
    context.setLineDash(dashed ? [6 * pixel, 4 * pixel] : []);
    if (mode === "outline" || active) {
      // a dark line below: it is seen on any background
      context.strokeStyle = "#000a";
      context.lineWidth = (active ? 4.5 : 3.5) * pixel;
      context.stroke(path);
    }
    context.strokeStyle = colour;
    context.lineWidth = (active ? 2.5 : mode === "outline" ? 2 : 1.5) * pixel;
    context.stroke(path);
  }
  context.setLineDash([]);
}

/** Clicks: a plus on green, a minus on red; told by shape as well as by colour. */
export function paintDots(context, { points, labels, box }, pixel) {
  if (box) paintBox(context, box, pixel);
  points.forEach(([x, y], i) => {
    const arm = 3.5 * pixel;
    context.beginPath();
    context.arc(x, y, 7 * pixel, 0, 2 * Math.PI);
    context.fillStyle = labels[i] ? "#0f8a4b" : "#c8322b";
    context.fill();
    context.lineWidth = 1.5 * pixel;
    context.strokeStyle = "#fff";
    context.stroke();
    context.beginPath();
    context.moveTo(x - arm, y);
    context.lineTo(x + arm, y);
    if (labels[i]) {
      context.moveTo(x, y - arm);
      context.lineTo(x, y + arm);
    }
    context.stroke();
  });
}

export function paintBox(context, [x0, y0, x1, y1], pixel) {
  context.lineWidth = 3.5 * pixel;
  context.strokeStyle = "#000a";
  context.strokeRect(x0, y0, x1 - x0, y1 - y0);
  context.lineWidth = 1.5 * pixel;
  context.setLineDash([5 * pixel, 3 * pixel]);
  context.strokeStyle = "#fff";
  context.strokeRect(x0, y0, x1 - x0, y1 - y0);
  context.setLineDash([]);
}

export function paintCross(context, [x, y], pixel) {
  const line = (width, colour) => {
    context.beginPath();
    context.moveTo(x - 12 * pixel, y);
    context.lineTo(x + 12 * pixel, y);
    context.moveTo(x, y - 12 * pixel);
    context.lineTo(x, y + 12 * pixel);
    context.lineWidth = width * pixel;
    context.strokeStyle = colour;
    context.stroke();
  };
  line(4, "#000c");
  line(1.5, "#fff");
}

export function paintRing(context, [x, y], radius, pixel) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.lineWidth = 3 * pixel;
  context.strokeStyle = "#000a";
  context.stroke();
  context.lineWidth = 1.25 * pixel;
  context.strokeStyle = "#fff";
  context.stroke();
}
