// Brush and eraser: strokes on a copy of the object's mask, which becomes a mask prompt when the pointer is lifted.

import { encodeCounts, paintRuns, runsOfImage } from "./masks.js";
import { faded, paintRing } from "./overlay.js";
import { recall, remember } from "./settings.js";

const SIZES = [2, 200]; // radius in pixels of the video

export const brushSize = { value: recall("brush", 12) };

export function resizeBrush(factor) {
  const size = brushSize.value * factor;
  brushSize.value = Math.max(SIZES[0], Math.min(SIZES[1], factor > 1 ? Math.ceil(size) : Math.floor(size)));
  remember("brush", brushSize.value);
}

/** A canvas of the video's size with a mask in it, white on nothing. */
export function maskCanvas({ width, height }, runs) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (runs) {
    const image = context.createImageData(width, height);
    paintRuns(runs, image);
    context.putImageData(image, 0, 0);
  }
  return { canvas, context };
}

export const countsOf = ({ canvas, context }) => {
  const runs = runsOfImage(context.getImageData(0, 0, canvas.width, canvas.height));
  return { counts: encodeCounts(runs), empty: runs.length < 2 };
};

export class Brush {
  #mask = null;
  #target = null;
  #tint = null;
  #stale = false;
  #at = null;
  #hover = null;

  constructor(editor, id, adds) {
    Object.assign(this, { editor, id, adds });
  }

  down(place, event) {
    this.#target = this.editor.target();
    if (!this.#target) return;
    this.#mask = maskCanvas(this.editor.video, this.#target.runs);
    this.#tint = new OffscreenCanvas(this.editor.video.width, this.editor.video.height);
    this.erases = this.adds === (event.button === 2 || event.altKey);
    this.#at = place.point;
    this.#stroke(place.point);
  }

  move(place, _, using) {
    this.#hover = place.point;
    if (using && this.#mask) this.#stroke(place.point);
    this.editor.stage.invalidate("cursor");
  }

  up() {
    if (!this.#mask) return;
    const { counts, empty } = countsOf(this.#mask);
    const { frame, object, runs } = this.#target;
    this.cancel();
    if (!empty) this.editor.paint(frame, object, counts);
    else if (runs?.length > 1) this.editor.vanish(object, frame); // all of it was erased
  }

  cancel() {
    this.#mask = this.#target = this.#tint = null;
    this.editor.stage.invalidate("cursor", "masks");
  }

  leave() {
    this.#hover = null;
    this.editor.stage.invalidate("cursor");
  }

  /** Whether the mask of an object is in hand: then it is not painted below. */
  holds = (object) => this.#target?.object === object;

  #stroke([x, y]) {
    const { context } = this.#mask;
    context.globalCompositeOperation = this.erases ? "destination-out" : "source-over";
    context.strokeStyle = "#fff";
    context.lineCap = context.lineJoin = "round";
    context.lineWidth = 2 * brushSize.value;
    context.beginPath();
    context.moveTo(...this.#at);
    context.lineTo(x + 0.001, y);
    context.stroke();
    this.#at = [x, y];
    this.#stale = true;
    this.editor.stage.invalidate("cursor", "masks");
  }

  /** The mask in the object's colour, made once for however many strokes there were since the last painting. */
  #tinted() {
    if (this.#stale) {
      const tint = this.#tint.getContext("2d");
      tint.globalCompositeOperation = "copy";
      tint.drawImage(this.#mask.canvas, 0, 0);
      tint.globalCompositeOperation = "source-in";
      tint.fillStyle = faded(this.#target.colour, 0.6);
      tint.fillRect(0, 0, this.#tint.width, this.#tint.height);
      this.#stale = false;
    }
    return this.#tint;
  }

  paint(context, pixel) {
    if (this.#mask) context.drawImage(this.#tinted(), 0, 0);
    if (this.#hover) paintRing(context, this.#hover, brushSize.value, pixel);
  }
}
