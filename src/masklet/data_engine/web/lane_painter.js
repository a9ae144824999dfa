// What is drawn in a lane of the timeline and on its ruler.

const STOPS = [
  [0, [200, 50, 43]],
  [0.55, [226, 130, 32]],
  [0.8, [228, 190, 70]],
  [1, [38, 150, 130]],
];

/** The colour of a confidence of 0..1: red, amber, green, each darker or lighter than the next. */
export function heat(confidence) {
  const c = Math.max(0, Math.min(1, confidence));
  const at = Math.max(
    1,
    STOPS.findIndex(([stop]) => c <= stop),
  );
  const [[low, a], [high, b]] = [STOPS[at - 1], STOPS[at]];
  const share = (c - low) / (high - low);
  return `rgb(${a.map((value, i) => Math.round(value + share * (b[i] - value))).join(" ")})`;
}

/** A canvas of its element's size, cleared, in CSS pixels. */
export function sized(canvas) {
  const ratio = devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export const laneColours = () => ({
  track: token("--track"),
  text: token("--text"),
  dim: token("--dim"),
  line: token("--line"),
  accent: token("--accent"),
  back: token("--panel"),
});

function paintHeat(context, { first, confidence }, view, width, top, height) {
  const each = width / (view.to - view.from);
  if (each >= 1) {
    for (let t = Math.max(first, Math.floor(view.from)); t < Math.min(first + confidence.length, view.to); t++) {
      const value = confidence[t - first];
      if (value === null || value === undefined) continue;
      context.fillStyle = heat(value);
      const x = Math.round((t - view.from) * each); // whole pixels: no seams
      context.fillRect(x, top, Math.round((t + 1 - view.from) * each) - x, height);
    }
    return;
  }
  for (let x = 0; x < width; x++) {
    // several frames in a pixel: the worst of them
    const end = Math.ceil(view.from + (x + 1) / each) - first;
    let worst = null;
    for (let i = Math.max(0, Math.floor(view.from + x / each) - first); i < end && i < confidence.length; i++) {
      const value = confidence[i];
      if (value !== null && value !== undefined && (worst === null || value < worst)) worst = value;
    }
    if (worst === null) continue;
    context.fillStyle = heat(worst);
    context.fillRect(x, top, 1, height);
  }
}

/** A lane: heat, absent ranges hatched and framed where people said so, locks, and marks of prompts (diamonds) and edits (triangles). */
export function paintLane(canvas, lane, view, colours) {
  const { context, width, height } = sized(canvas);
  const each = width / (view.to - view.from);
  const at = (t) => (t - view.from) * each;
  const [top, bar] = [height / 2 - 6, 12];
  const span = ([a, b], paint) => {
    const [x0, x1] = [Math.max(0, at(a)), Math.min(width, at(b + 1))];
    if (x1 > x0) paint(x0, Math.max(1, x1 - x0));
  };
  context.fillStyle = colours.track;
  span(lane.active ?? [view.from, view.to - 1], (x, w) => context.fillRect(x, top, w, bar));
  context.globalAlpha = lane.hidden ? 0.35 : 1;
  if (lane.score) paintHeat(context, lane.score, view, width, top, bar);
  for (const range of lane.absent ?? []) span(range, (x, w) => paintHatching(context, x, top, w, bar, colours));
  context.strokeStyle = colours.text;
  context.lineWidth = 1;
  for (const range of lane.said_absent ?? [])
    span(range, (x, w) => context.strokeRect(x + 0.5, top + 0.5, Math.max(1, w - 1), bar - 1));
  for (const range of lane.locks ?? []) {
    span(range, (x, w) => {
      context.fillStyle = colours.accent;
      context.fillRect(x, top + bar + 1, w, 3);
    });
  }
  const mark = (t, shape) => {
    const x = at(t + 0.5);
    if (x < -6 || x > width + 6) return;
    context.beginPath();
    shape.forEach(([dx, dy], i) => (i ? context.lineTo(x + dx, dy) : context.moveTo(x + dx, dy)));
    context.closePath();
    context.fill();
    context.stroke();
  };
  context.strokeStyle = colours.back;
  context.fillStyle = colours.text;
  const middle = height / 2;
  for (const t of lane.edits ?? [])
    mark(t, [
      [-4, top - 5],
      [4, top - 5],
      [0, top + 2],
    ]);
  for (const t of lane.prompted ?? [])
    mark(t, [
      [0, middle - 6],
      [5, middle],
      [0, middle + 6],
      [-5, middle],
    ]);
  context.globalAlpha = 1;
}

function paintHatching(context, x, y, width, height, colours) {
  context.save();
  context.beginPath();
  context.rect(x, y, width, height);
  context.clip();
  context.fillStyle = colours.track;
  context.fillRect(x, y, width, height);
  context.strokeStyle = colours.dim;
  context.lineWidth = 1;
  context.beginPath();
  for (let at = Math.floor(x / 6) * 6 - height; at < x + width; at += 6) {
    context.moveTo(at, y + height);
    context.lineTo(at + height, y);
  }
  context.stroke();
  context.restore();
}

const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000];

/** Numbers of frames, and the marked range. */
export function paintRuler(canvas, view, range, colours) {
  const { context, width, height } = sized(canvas);
  const each = width / (view.to - view.from);
  const step = STEPS.find((one) => one * each >= 64) ?? STEPS.at(-1);
  const minor = step >= 5 ? step / 5 : 1;
  if (range) {
    const [x0, x1] = [(range[0] - view.from) * each, (range[1] + 1 - view.from) * each];
    context.fillStyle = colours.accent;
    context.globalAlpha = 0.25;
    context.fillRect(x0, 0, x1 - x0, height);
    context.globalAlpha = 1;
    context.fillRect(x0, 0, 2, height);
    context.fillRect(x1 - 2, 0, 2, height);
  }
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "top";
  for (let t = Math.floor(view.from / minor) * minor; t < view.to; t += minor) {
    const x = (t + 0.5 - view.from) * each;
    if (x < 0) continue;
    const major = t % step === 0;
    context.fillStyle = colours.line;
    context.fillRect(Math.round(x), major ? height - 9 : height - 5, 1, major ? 9 : 5);
    if (!major) continue;
    context.fillStyle = colours.dim;
    const text = String(t);
    const shift = Math.min(0, width - x - 3 - context.measureText(text).width - 2);
    context.fillText(text, x + 3 + shift, 3);
  }
}
