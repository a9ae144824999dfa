// Small plots as SVG, coloured by classes; each says its numbers to screen readers, and a table lies beside it.

import { h, svg } from "./elements.js";
import { number } from "./language.js";

const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [460, 190, 44, 24, 10];

/** Round numbers from 0 to at least a largest value. */
function ticks(largest) {
  const rough = (largest > 0 ? largest : 1) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((one) => one * power).find((one) => one >= rough);
  return Array.from({ length: 5 }, (_, i) => i * step);
}

const decimals = (step) =>
  [0, 1, 2, 3].find((places) => Math.abs(step * 10 ** places - Math.round(step * 10 ** places)) < 1e-6) ?? 3;

function frame(title, description, largest, marks) {
  const values = ticks(largest);
  const top = values.at(-1);
  const y = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / top);
  const lines = values.map((value) => [
    svg("line", { x1: LEFT, x2: WIDTH, y1: y(value), y2: y(value), class: "rule" }),
    svg(
      "text",
      { x: LEFT - 6, y: y(value) + 4, class: "tick", "text-anchor": "end" },
      number(value, decimals(values[1])),
    ),
  ]);
  const picture = svg(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${title}. ${description}` },
    lines.flat(),
    marks(y),
  );
  return h("figure", { class: "plot" }, h("figcaption", {}, title), picture);
}

const shortened = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

/** A bar for each of [label, value]. */
export function bars(title, rows, { digits = 1, unit = "" } = {}) {
  const shown = rows.filter(([, value]) => value !== null && value !== undefined);
  const text = (value) => `${number(value, digits)}${unit}`;
  const each = (WIDTH - LEFT) / Math.max(1, shown.length);
  const wide = Math.min(56, each * 0.6);
  return frame(
    title,
    shown.map(([label, value]) => `${label}: ${text(value)}`).join("; "),
    Math.max(...shown.map(([, value]) => value), 0),
    (y) =>
      shown.flatMap(([label, value], i) => {
        const middle = LEFT + each * (i + 0.5);
        return [
          svg(
            "rect",
            {
              x: middle - wide / 2,
              y: y(value),
              width: wide,
              height: Math.max(0, y(0) - y(value)),
              rx: 3,
              class: "bar-mark",
            },
            svg("title", {}, `${label}: ${text(value)}`),
          ),
          svg(
            "text",
            {
              x: middle,
              y: y(value) - 4 < TOP + 6 ? y(value) + 14 : y(value) - 4,
              class: y(value) - 4 < TOP + 6 ? "value inside" : "value",
              "text-anchor": "middle",
            },
            text(value),
          ),
          svg(
            "text",
            { x: middle, y: HEIGHT - 7, class: "tick", "text-anchor": "middle" },
            shortened(label, Math.max(4, Math.floor(each / 7))),
          ),
        ];
      }),
  );
}

/** A line through [label, value], the labels in order of time. */
export function line(title, rows, { digits = 1, unit = "" } = {}) {
  const shown = rows.filter(([, value]) => value !== null && value !== undefined);
  const each = (WIDTH - LEFT - 20) / Math.max(1, shown.length - 1);
  const x = (i) => LEFT + 10 + each * i;
  const text = (value) => `${number(value, digits)}${unit}`;
  const every = Math.ceil(shown.length / 6);
  return frame(
    title,
    shown.map(([label, value]) => `${label}: ${text(value)}`).join("; "),
    Math.max(...shown.map(([, value]) => value), 0),
    (y) => [
      svg("polyline", { points: shown.map(([, value], i) => `${x(i)},${y(value)}`).join(" "), class: "line-mark" }),
      ...shown.flatMap(([label, value], i) => [
        svg(
          "circle",
          { cx: x(i), cy: y(value), r: 3.5, class: "dot-mark" },
          svg("title", {}, `${label}: ${text(value)}`),
        ),
        ...(i % every ? [] : [svg("text", { x: x(i), y: HEIGHT - 7, class: "tick", "text-anchor": "middle" }, label)]),
      ]),
    ],
  );
}
