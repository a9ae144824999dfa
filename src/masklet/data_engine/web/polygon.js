// A polygon around the object: of its mask's outline, or drawn corner by corner. Enter makes it the mask, Escape drops it.

import { countsOf, maskCanvas } from "./brush.js";
import { t } from "./language.js";
import { notice } from "./notices.js";
import { simplified } from "./outlines.js";

const TOLERANCE = 1.5; // pixels of the video that an outline may be off
const NEAR = 9; // pixels of the screen
const LEAST_AREA = 12; // smaller loops are no outlines to be edited, but stay

const areaOf = (points) =>
  Math.abs(
    points.reduce((sum, [x, y], i) => {
      const [nx, ny] = points[(i + 1) % points.length];
      return sum + x * ny - nx * y;
    }, 0),
  ) / 2;

export class Polygon {
  id = "polygon";
  rings = [];
  #open = null; // the ring that is being drawn
  #grabbed = null;
  #hover = null;
  #target = null;
  #told = false;
  #drawn = false; // by hand, not only the outline that was there
  #waiting = new Map(); // frame -> what was drawn there when another frame was shown

  constructor(editor) {
    this.editor = editor;
  }

  get edits() {
    return this.rings.length > 0 || this.#open !== null;
  }

  /** Takes the outline of the mask that is there, unless something waits here. */
  begin() {
    this.cancel();
    if (this.#takeUp(this.editor.frame)) return;
    const target = this.editor.target({ quiet: true });
    if (!target?.loops) return;
    this.#target = target;
    this.rings = target.loops
      .map((loop) => simplified(loop, TOLERANCE))
      .filter((ring) => ring.length > 2 && areaOf(ring) >= LEAST_AREA);
    this.#changed();
  }

  /** Another frame is shown: what was drawn waits on its own, and is there when one comes back. */
  moved(frame) {
    if (this.#drawn && this.edits) {
      const { rings } = this;
      this.#waiting.set(this.#target.frame, { rings, open: this.#open, target: this.#target });
      notice(t("polygon.waits", { frame: this.#target.frame }));
    }
    this.cancel();
    this.#takeUp(frame);
  }

  /** Goes on with what waits on a frame; false: nothing does. */
  #takeUp(frame) {
    const kept = this.#waiting.get(frame);
    if (!kept || ![null, this.editor.viewer.selected].includes(kept.target.object)) return false;
    this.#waiting.delete(frame);
    this.rings = kept.rings;
    [this.#open, this.#target, this.#drawn] = [kept.open, kept.target, true];
    this.#changed();
    return true;
  }

  down({ point, inside }, event) {
    const near = this.#near(point);
    this.#drawn = true;
    if (event.button === 2 || event.altKey) {
      if (near) this.#removeCorner(near);
      return this.#changed();
    }
    if (this.#open) {
      if (near && near.ring === this.#open && near.at === 0 && this.#open.length > 2) return this.close();
      if (inside) this.#open.push(point);
    } else if (near) this.#grabbed = near;
    else {
      const edge = this.#edge(point);
      if (edge) {
        edge.ring.splice(edge.at + 1, 0, point);
        this.#grabbed = { ring: edge.ring, at: edge.at + 1 };
      } else if (inside) {
        this.#target ??= this.editor.target();
        if (!this.#target) return undefined;
        this.#open = [point];
      }
    }
    return this.#changed();
  }

  move({ point }, _, using) {
    this.#hover = point;
    if (using && this.#grabbed) this.#grabbed.ring[this.#grabbed.at] = this.editor.stage.held(point);
    this.#changed();
  }

  up() {
    this.#grabbed = null;
  }

  leave() {
    this.#hover = null;
    this.#changed();
  }

  /** Closes the ring that is being drawn. */
  close() {
    if (this.#open?.length > 2) this.rings.push(this.#open);
    this.#open = null;
    this.#changed();
  }

  /** The polygons become the mask; where they overlap, holes come of it. */
  accept() {
    this.close();
    const target = this.#target;
    const rings = this.rings;
    this.cancel();
    if (!target || !rings.length) return;
    const mask = maskCanvas(this.editor.video);
    mask.context.fillStyle = "#fff";
    mask.context.fill(this.#path(rings), "evenodd");
    const { counts, empty } = countsOf(mask);
    if (!empty) this.editor.paint(target.frame, target.object, counts);
  }

  cancel() {
    this.rings = [];
    this.#open = this.#grabbed = this.#target = null;
    this.#drawn = false;
    this.#changed();
  }

  holds = (object) => this.edits && this.#target?.object === object;

  #changed() {
    this.editor.stage.invalidate("cursor", "masks");
    if (this.edits === this.#told) return;
    this.#told = this.edits;
    this.editor.toolChanged();
  }

  #all() {
    return this.#open ? [...this.rings, this.#open] : this.rings;
  }

  #near([x, y]) {
    const reach = NEAR / this.editor.stage.view.scale;
    for (const ring of this.#all()) {
      const at = ring.findIndex(([px, py]) => Math.hypot(px - x, py - y) <= reach);
      if (at >= 0) return { ring, at };
    }
    return null;
  }

  #edge([x, y]) {
    const reach = NEAR / this.editor.stage.view.scale / 1.5;
    for (const ring of this.rings) {
      for (let at = 0; at < ring.length; at++) {
        const [[ax, ay], [bx, by]] = [ring[at], ring[(at + 1) % ring.length]];
        const along = Math.max(
          0,
          Math.min(1, ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / ((bx - ax) ** 2 + (by - ay) ** 2 || 1)),
        );
        if (Math.hypot(ax + along * (bx - ax) - x, ay + along * (by - ay) - y) <= reach) return { ring, at };
      }
    }
    return null;
  }

  #removeCorner({ ring, at }) {
    ring.splice(at, 1);
    if (ring === this.#open ? ring.length === 0 : ring.length < 3) {
      this.rings = this.rings.filter((one) => one !== ring);
      if (ring === this.#open) this.#open = null;
    }
  }

  #path(rings) {
    const path = new Path2D();
    for (const ring of rings) {
      ring.forEach(([x, y], i) => (i ? path.lineTo(x, y) : path.moveTo(x, y)));
      path.closePath();
    }
    return path;
  }

  paint(context, pixel) {
    if (!this.edits) return;
    const path = this.#path(this.rings);
    if (this.#open) {
      this.#open.forEach(([x, y], i) => (i ? path.lineTo(x, y) : path.moveTo(x, y)));
      if (this.#hover) path.lineTo(...this.#hover);
    }
    context.fillStyle = "#ffffff26";
    context.fill(path, "evenodd");
    context.lineWidth = 3.5 * pixel;
    context.strokeStyle = "#000a";
    context.stroke(path);
    context.lineWidth = 1.5 * pixel;
    context.strokeStyle = "#fff";
    context.stroke(path);
    const size = 3.5 * pixel;
    context.fillStyle = "#1f6feb";
    for (const ring of this.#all()) {
      for (const [x, y] of ring) {
        context.fillRect(x - size, y - size, 2 * size, 2 * size);
        context.strokeRect(x - size, y - size, 2 * size, 2 * size);
      }
    }
  }
}
