// Drawn for this page on a grid of 24: strokes of the text's colour.

import { svg } from "./elements.js";

const SHAPES = {
  add: "M12 5v14M5 12h14",
  arrowLeft: "M15 5l-7 7 7 7",
  box: "M4 6h16v12H4z",
  brush: "M4 20c3 0 5-1 5-4l9-11 2 2-10 10",
  check: "M5 13l4 4L19 7",
  close: "M6 6l12 12M18 6L6 18",
  comment: "M4 5h16v11H10l-4 4v-4H4z",
  download: "M12 4v11M7 11l5 5 5-5M5 20h14",
  eraser: "M8 19l-4-4L14 5l6 6-8 8zM9 10l6 6M8 19h12",
  eye: "M2 12c3-5 6-7 10-7s7 2 10 7c-3 5-6 7-10 7s-7-2-10-7zM12 9a3 3 0 100 6 3 3 0 000-6z",
  eyeOff:
    "M4 4l16 16M9 6c1-.6 2-1 3-1 4 0 7 2 10 7-1 1.500-2 3-3.200 4M6 8c-1.500 1-2.800 2.400-4 4 3 5 6 7 10 7 1.500 0 3-.4 4-1",
  fit: "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5",
  hand: "M7 12V7a1.500 1.500 0 013 0v4-6a1.500 1.500 0 013 0v6-5a1.500 1.500 0 013 0v6-3a1.500 1.500 0 013 0v5c0 4-2 7-6 7s-5-2-7-5l-2-4c1-1 2-1 3 0z",
  help: "M9 9a3 3 0 116 0c0 2-3 2.500-3 5M12 18v.2",
  language: "M4 6h10M9 4v2c0 5-2 8-5 10M6 9c1 4 4 6 7 7M12 20l4-10 4 10M13.500 17h5",
  lock: "M6 11h12v9H6zM8 11V8a4 4 0 018 0v3",
  minus: "M5 12h14",
  moon: "M20 14A8 8 0 1110 4a7 7 0 0010 10z",
  next: "M7 5l9 7-9 7zM18 5v14",
  panel: "M4 5h16v14H4zM15 5v14",
  pause: "M8 5v14M16 5v14",
  play: "M7 4l13 8-13 8z",
  point: "M12 3a9 9 0 100 18 9 9 0 000-18zM12 8v8M8 12h8",
  pointOff: "M12 3a9 9 0 100 18 9 9 0 000-18zM8 12h8",
  polygon: "M5 9l7-5 8 6-4 9H8z",
  previous: "M17 5l-9 7 9 7zM6 5v14",
  redo: "M19 9H9a5 5 0 000 10h4M15 5l4 4-4 4",
  solo: "M12 4a8 8 0 100 16 8 8 0 000-16zM12 9a3 3 0 100 6 3 3 0 000-6z",
  spark: "M12 3l2 6 6 2-6 2-2 7-2-7-6-2 6-2z",
  split: "M12 4v16M8 8l-4 4 4 4M16 8l4 4-4 4",
  stepBack: "M15 5l-8 7 8 7",
  stepForward: "M9 5l8 7-8 7",
  stop: "M6 6h12v12H6z",
  sun: "M12 8a4 4 0 100 8 4 4 0 000-8zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.500 1.500M17.500 17.500L19 19M5 19l1.500-1.500M17.500 6.500L19 5",
  trackBack: "M20 12H5M11 6l-6 6 6 6",
  trackBoth: "M3 12h18M7 8l-4 4 4 4M17 8l4 4-4 4",
  trackForward: "M4 12h15M13 6l6 6-6 6",
  trackRange: "M4 5v14M20 5v14M8 12h8M13 9l3 3-3 3",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  undo: "M5 9h10a5 5 0 010 10h-4M9 5L5 9l4 4",
  unlock: "M6 11h12v9H6zM8 11V8a4 4 0 017-2.500",
  upload: "M12 16V5M7 9l5-5 5 5M5 20h14",
  worst: "M12 4l9 16H3zM12 10v4M12 17v.2",
};

export const icon = (name) =>
  svg(
    "svg",
    { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true", focusable: "false" },
    svg("path", { d: SHAPES[name] }),
  );
