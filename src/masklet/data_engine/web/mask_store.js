// Masks of a video by object and frame, fetched in windows around the position; outlines are made when they are drawn.

import { decodeCounts } from "./masks.js";
import { loopsOf, pathOf } from "./outlines.js";
import { Signal } from "./signal.js";

const WINDOW = 32; // frames of one request
const AT_ONCE = 2; // requests
const MOST_WINDOWS = 96;
const MOST_SHAPES = 600;

export class MaskStore {
  changed = new Signal();
  #byObject = new Map();
  #windows = new Set();
  #asked = new Set();
  #wanted = [];
  #generation = 0;
  #shapes = new Map();

  /** `fetchMasks(first, count)` resolves to mask records, or rejects. */
  constructor(video, fetchMasks) {
    this.video = video;
    this.fetchMasks = fetchMasks;
  }

  get(number, frame) {
    return this.#byObject.get(number)?.get(frame);
  }

  /** The frames of an object that have a mask here, with their records. */
  of(number) {
    return this.#byObject.get(number) ?? new Map();
  }

  set(record) {
    if (!this.#byObject.has(record.object)) this.#byObject.set(record.object, new Map());
    this.#byObject.get(record.object).set(record.frame, record);
  }

  put(records) {
    for (const record of records) this.set(record);
    this.changed.emit();
  }

  drop(number, frame) {
    this.#byObject.get(number)?.delete(frame);
    this.changed.emit();
  }

  /** Fetches what is missing near a frame, the frame's own window first; where one was before matters no longer. */
  want(frame, direction = 1) {
    const here = Math.floor(frame / WINDOW);
    this.#wanted = [here, here + direction].filter((window) => window >= 0 && window * WINDOW < this.video.frames);
    this.#ask();
  }

  #ask() {
    for (const window of this.#wanted) {
      if (this.#asked.size >= AT_ONCE) return;
      if (!this.#windows.has(window) && !this.#asked.has(window)) this.#fetch(window);
    }
  }

  /** What is here may be wrong: it is shown until what holds has come. */
  invalidate(frame) {
    this.#generation++;
    this.#windows.clear();
    this.#asked.clear();
    this.want(frame);
  }

  async #fetch(window) {
    const generation = this.#generation;
    this.#asked.add(window);
    const first = window * WINDOW;
    let records;
    try {
      records = await this.fetchMasks(first, Math.min(WINDOW, this.video.frames - first));
    } catch {
      if (generation === this.#generation) this.#asked.delete(window); // asked again when the position moves
      return;
    }
    if (generation !== this.#generation) return;
    this.#asked.delete(window);
    this.#windows.add(window);
    for (const masks of this.#byObject.values()) for (let t = first; t < first + WINDOW; t++) masks.delete(t);
    this.put(records);
    if (this.#windows.size > MOST_WINDOWS) this.#forget(window);
    this.#ask();
  }

  /** Forgets the window that is farthest from one. */
  #forget(window) {
    const far = [...this.#windows].reduce((a, b) => (Math.abs(b - window) > Math.abs(a - window) ? b : a));
    this.#windows.delete(far);
    for (const masks of this.#byObject.values())
      for (let t = far * WINDOW; t < (far + 1) * WINDOW; t++) masks.delete(t);
  }

  /** {runs, loops, path} of a record. */
  shape(record) {
    let shape = this.#shapes.get(record);
    if (!shape) {
      const { height, width } = this.video;
      const runs = decodeCounts(record.counts);
      const loops = loopsOf(runs, height, width);
      shape = { runs, loops, path: pathOf(loops) };
      if (this.#shapes.size >= MOST_SHAPES) this.#shapes.delete(this.#shapes.keys().next().value);
      this.#shapes.set(record, shape);
    }
    return shape;
  }
}
