// What a pointer does on the stage. A tool: {id, pans?, down, move, up, cancel, leave, paint}; places come from the stage.

import { Brush } from "./brush.js";
import { paintBox } from "./overlay.js";
import { Polygon } from "./polygon.js";

/** Clicks: `label` is what the main button means; the other button or Alt means its contrary. */
class Clicks {
  #start = null;

  constructor(editor, id, label) {
    Object.assign(this, { editor, id, label });
  }

  down(place, event) {
    this.#start = { place, time: event.timeStamp };
  }

  up(place, event) {
    const start = this.#start;
    this.#start = null;
    if (!start?.place.inside) return;
    const contrary = event.button === 2 || event.altKey || event.ctrlKey;
    this.editor.click(start.place.point, contrary ? 1 - this.label : this.label);
  }

  cancel() {
    this.#start = null;
  }
}

class Box {
  id = "box";
  #from = null;
  #to = null;

  constructor(editor) {
    this.editor = editor;
  }

  down({ point }) {
    this.#from = this.#to = this.editor.stage.held(point);
  }

  move({ point }, _, using) {
    if (!using || !this.#from) return;
    this.#to = this.editor.stage.held(point);
    this.editor.stage.invalidate("cursor");
  }

  up() {
    const box = this.#box();
    this.cancel();
    if (box && box[2] - box[0] >= 2 && box[3] - box[1] >= 2) this.editor.box(box);
  }

  cancel() {
    this.#from = this.#to = null;
    this.editor.stage.invalidate("cursor");
  }

  #box() {
    if (!this.#from) return null;
    const [[x0, y0], [x1, y1]] = [this.#from, this.#to];
    return [Math.min(x0, x1), Math.min(y0, y1), Math.max(x0, x1), Math.max(y0, y1)];
  }

  paint(context, pixel) {
    const box = this.#box();
    if (box) paintBox(context, box, pixel);
  }
}

export const TOOL_ICONS = {
  include: "point",
  exclude: "pointOff",
  box: "box",
  brush: "brush",
  eraser: "eraser",
  polygon: "polygon",
  pan: "hand",
};

export function makeTools(editor) {
  return [
    new Clicks(editor, "include", 1),
    new Clicks(editor, "exclude", 0),
    new Box(editor),
    new Brush(editor, "brush", true),
    new Brush(editor, "eraser", false),
    new Polygon(editor),
    { id: "pan", pans: true },
  ];
}
