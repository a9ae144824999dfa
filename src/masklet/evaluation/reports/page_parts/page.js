"use strict";

// Tables: a click on a heading sorts by it, numbers from the highest; what has none comes last either way.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, at) => head.firstElementChild.addEventListener("click", () => {
    const body = table.tBodies[0], rows = [...body.rows];
    const key = (row) => {
      const cell = row.cells[at];
      return cell.dataset.value === undefined ? cell.textContent.trim() : Number(cell.dataset.value);
    };
    const absent = Number.isNaN; // the page says -inf or nan
    const numeric = rows.some((row) => typeof key(row) === "number");
    const before = head.getAttribute("aria-sort");
    const down = before ? before === "ascending" : numeric;
    rows.sort((a, b) => {
      const x = key(a), y = key(b);
      if (absent(x) || absent(y)) return absent(x) - absent(y);
      const order = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y), "en", { numeric: true });
      return down ? -order : order;
    });
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    body.append(...rows);
  }));
}

// Strips: J from red over yellow to blue, told apart by colour-blind eyes too.
const stops = [[165, 0, 38], [215, 70, 50], [244, 130, 75], [253, 195, 110], [250, 235, 150], [190, 220, 210], [110, 170, 210], [45, 95, 175]];

function color(j) {
  const at = Math.min(Math.max(j, 0), 100) / 100 * (stops.length - 1), low = Math.min(Math.floor(at), stops.length - 2);
  return "rgb(" + stops[low].map((v, i) => Math.round(v + (stops[low + 1][i] - v) * (at - low))).join(",") + ")";
}

function framesOf(canvas) {
  const count = canvas.dataset.j.split(",").length, text = canvas.dataset.frames;
  if (!text.includes(":")) return text.split(",").map(Number);
  const [first, step] = text.split(":").map(Number);
  return Array.from({ length: count }, (_, i) => first + i * step);
}

function draw(canvas) {
  const width = canvas.clientWidth, height = canvas.clientHeight, dense = window.devicePixelRatio || 1;
  if (!width) return;
  canvas.width = width * dense;
  canvas.height = height * dense;
  const pen = canvas.getContext("2d"), values = canvas.dataset.j.split(",").map(Number), frames = framesOf(canvas);
  pen.scale(dense, dense);
  values.forEach((j, i) => {
    const left = Math.floor(i * width / values.length), right = Math.ceil((i + 1) * width / values.length);
    pen.fillStyle = color(j);
    pen.fillRect(left, 4, right - left, height - 6);
  });
  if (!canvas.dataset.prompted) return;
  pen.fillStyle = getComputedStyle(canvas).color;
  for (const frame of canvas.dataset.prompted.split(",").map(Number)) {
    const after = frames.findIndex((t) => t >= frame), i = after < 0 ? frames.length - 1 : after;
    const x = Math.min(Math.max((i + (frames[i] === frame ? .5 : 0)) * width / frames.length, 3), width - 3);
    pen.beginPath();
    pen.moveTo(x - 3, 0);
    pen.lineTo(x + 3, 0);
    pen.lineTo(x, 5);
    pen.fill();
  }
}

const strips = [...document.querySelectorAll(".strip canvas")], tip = document.getElementById("tip");

function drawAll() {
  for (const canvas of strips) draw(canvas);
}

for (const canvas of strips) {
  canvas.addEventListener("pointermove", (event) => {
    const box = canvas.getBoundingClientRect(), values = canvas.dataset.j.split(","), frames = framesOf(canvas);
    const i = Math.min(Math.max(Math.floor((event.clientX - box.left) / box.width * values.length), 0), values.length - 1);
    tip.textContent = "frame " + frames[i] + ": J " + values[i];
    tip.hidden = false;
    tip.style.left = Math.min(event.clientX + 12, window.innerWidth - tip.offsetWidth - 4) + "px";
    tip.style.top = event.clientY + 16 + "px";
  });
  canvas.addEventListener("pointerleave", () => { tip.hidden = true; });
}
for (const part of document.querySelectorAll("details")) part.addEventListener("toggle", drawAll);
let waiting = 0;
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
window.addEventListener("resize", () => {
  cancelAnimationFrame(waiting);
  waiting = requestAnimationFrame(drawAll);
});
const scale = document.getElementById("scale");
if (scale) {
  const pen = scale.getContext("2d");
  for (let x = 0; x < 256; x++) {
    pen.fillStyle = color(x / 2.55);
    pen.fillRect(x, 0, 1, 1);
  }
}
drawAll();
