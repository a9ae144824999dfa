// The picture: three canvases above one another (frame, masks, cursor) under one zoom and pan, in one pane or two.

import { h } from "./elements.js";
import { Signal } from "./signal.js";

const LAYERS = ["frame", "masks", "cursor"];
const MOST_ZOOM = 40; // screen pixels for one of the video

export class Stage {
  zoomed = new Signal();
  view = { scale: 1, x: 0, y: 0 };
  double = false;
  #fitted = true;
  #dirty = new Set(LAYERS);
  #asked = false;
  #after = [];

  /** `painters[layer](context, pane)` paint in pixels of the video. */
  constructor(video, painters, label) {
    this.video = video;
    this.painters = painters;
    this.canvases = Object.fromEntries(
      LAYERS.map((layer) => [layer, h("canvas", { class: `layer ${layer}`, "aria-hidden": "true" })]),
    );
    this.element = h(
      "div",
      { class: "stage", tabindex: 0, role: "application", "aria-label": label },
      LAYERS.map((layer) => this.canvases[layer]),
    );
    this.observer = new ResizeObserver(() => this.#resize());
    this.observer.observe(this.element);
  }

  close() {
    this.observer.disconnect();
  }

  get panes() {
    const { clientWidth: width, clientHeight: height } = this.element;
    if (!this.double) return [{ index: 0, left: 0, top: 0, width, height }];
    const { width: w, height: h } = this.video;
    const beside = Math.min(width / 2 / w, height / h) >= Math.min(width / w, height / 2 / h);
    return [0, 1].map((index) =>
      beside
        ? { index, left: (index * width) / 2, top: 0, width: width / 2, height }
        : { index, left: 0, top: (index * height) / 2, width, height: height / 2 },
    );
  }

  setDouble(double) {
    this.double = double;
    this.fit();
  }

  #resize() {
    const ratio = devicePixelRatio || 1;
    const { clientWidth, clientHeight } = this.element;
    for (const canvas of Object.values(this.canvases)) {
      canvas.width = Math.round(clientWidth * ratio);
      canvas.height = Math.round(clientHeight * ratio);
    }
    if (this.#fitted) this.fit();
    this.invalidate(...LAYERS);
  }

  /** The whole video in the pane. */
  fit() {
    const [{ width, height }] = this.panes;
    const scale = Math.max(0.01, Math.min((width - 16) / this.video.width, (height - 16) / this.video.height));
    this.view = { scale, x: (width - scale * this.video.width) / 2, y: (height - scale * this.video.height) / 2 };
    this.#fitted = true;
    this.invalidate(...LAYERS);
    this.zoomed.emit(this.view.scale);
  }

  /** Zooms by a factor about a point of the pane, which stays where it is. */
  zoom(factor, about) {
    const [{ width, height }] = this.panes;
    const { x, y } = about ?? { x: width / 2, y: height / 2 };
    const least = 0.5 * Math.min(width / this.video.width, height / this.video.height);
    const scale = Math.max(least, Math.min(MOST_ZOOM, this.view.scale * factor));
    const by = scale / this.view.scale;
    this.view = { scale, x: x - (x - this.view.x) * by, y: y - (y - this.view.y) * by };
    this.#moved();
  }

  pan(dx, dy) {
    this.view = { ...this.view, x: this.view.x + dx, y: this.view.y + dy };
    this.#moved();
  }

  #moved() {
    const [{ width, height }] = this.panes;
    const { scale } = this.view;
    const margin = 40; // of the video that stay in sight
    const within = (at, size, space) => Math.max(margin - size, Math.min(space - margin, at));
    this.view.x = within(this.view.x, scale * this.video.width, width);
    this.view.y = within(this.view.y, scale * this.video.height, height);
    this.#fitted = false;
    this.invalidate(...LAYERS);
    this.zoomed.emit(scale);
  }

  /** A pointer's place: in the pane (CSS pixels) and in the video. */
  place(event) {
    const box = this.element.getBoundingClientRect();
    const [left, top] = [event.clientX - box.left, event.clientY - box.top];
    const pane =
      this.panes.find(
        (one) => left >= one.left && left < one.left + one.width && top >= one.top && top < one.top + one.height,
      ) ?? this.panes[0];
    const [x, y] = [left - pane.left, top - pane.top];
    const point = [(x - this.view.x) / this.view.scale, (y - this.view.y) / this.view.scale];
    const inside = point[0] >= 0 && point[1] >= 0 && point[0] < this.video.width && point[1] < this.video.height;
    return { x, y, point, inside, pane: pane.index };
  }

  /** A point held to the video. */
  held = ([x, y]) => [
    Math.max(0, Math.min(this.video.width - 0.01, x)),
    Math.max(0, Math.min(this.video.height - 0.01, y)),
  ];

  /** Has layers painted at the next moment; `then` runs when that can be seen. */
  invalidate(...layers) {
    for (const layer of layers) this.#dirty.add(layer);
    if (this.#asked) return;
    this.#asked = true;
    requestAnimationFrame(() => this.#paint());
  }

  /** Runs once what is asked for now is on the screen. */
  painted(run) {
    this.#after.push(run);
    this.invalidate("masks");
  }

  #paint() {
    this.#asked = false;
    const ratio = devicePixelRatio || 1;
    const { scale, x, y } = this.view;
    for (const layer of this.#dirty) {
      const canvas = this.canvases[layer];
      const context = canvas.getContext("2d");
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.clearRect(0, 0, canvas.width, canvas.height);
      for (const pane of this.panes) {
        context.save();
        context.beginPath();
        context.rect(pane.left * ratio, pane.top * ratio, pane.width * ratio, pane.height * ratio);
        context.clip();
        context.setTransform(scale * ratio, 0, 0, scale * ratio, (pane.left + x) * ratio, (pane.top + y) * ratio);
        this.painters[layer](context, pane);
        context.restore();
      }
    }
    this.#dirty.clear();
    const after = this.#after;
    this.#after = [];
    if (after.length) {
      const { port1, port2 } = new MessageChannel(); // its message comes after this moment's painting
      port1.onmessage = () => after.forEach((run) => run());
      port2.postMessage(null);
    }
  }
}
