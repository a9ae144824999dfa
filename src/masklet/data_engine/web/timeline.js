// The timeline: a ruler to scrub on, a lane for each object, one window of frames for all, and the line of the position.

import { button, h, replace } from "./elements.js";
import { icon } from "./icons.js";
import { laneColours, paintLane, paintRuler } from "./lane_painter.js";
import { number, t } from "./language.js";
import { Signal } from "./signal.js";

const LEAST = 12; // frames that are seen at most zoomed in

export class Timeline {
  sought = new Signal();
  picked = new Signal();
  ranged = new Signal();
  range = null;
  #view;
  #lanes = [];
  #rows = new Map();
  #frame = 0;
  #selected = null;
  #asked = false;

  constructor(video) {
    this.video = video;
    this.#view = { from: 0, to: video.frames };
    this.ruler = h("canvas", { class: "ruler", "aria-hidden": "true" });
    this.slider = h(
      "div",
      {
        class: "scrub",
        role: "slider",
        tabindex: 0,
        "aria-label": t("timeline.position"),
        "aria-valuemin": 0,
        "aria-valuemax": video.frames - 1,
      },
      this.ruler,
    );
    this.thumb = h("div", { class: "thumb" });
    this.overview = h("div", { class: "overview" }, this.thumb);
    this.head = h("div", { class: "playhead" });
    this.lanes = h("div", { class: "lanes", role: "group", "aria-label": t("timeline.lanes") });
    const zooming = h(
      "div",
      { class: "lane-label zooming" },
      button("", () => this.zoom(0.5), { icon: icon("add"), kind: "plain", name: t("timeline.zoom_in") }),
      button("", () => this.zoom(2), { icon: icon("minus"), kind: "plain", name: t("timeline.zoom_out") }),
      button("", () => this.fit(), { icon: icon("fit"), kind: "plain", name: t("timeline.fit") }),
    );
    this.element = h(
      "section",
      { class: "timeline", "aria-label": t("timeline.name") },
      h("div", { class: "lane-row head" }, zooming, this.slider),
      this.lanes,
      h("div", { class: "lane-row foot" }, h("div", { class: "lane-label" }), this.overview),
      this.head,
    );
    this.#scrubbing(this.slider);
    this.#scrollbar();
    this.element.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.element);
  }

  close() {
    this.observer.disconnect();
  }

  /** lanes: {number, name, colour, prompted, edits, absent, said_absent, locks, active, hidden, score}. */
  setLanes(lanes, selected) {
    this.#lanes = lanes;
    this.#selected = selected;
    const keys = lanes.map((lane) => lane.number);
    if (keys.join() !== [...this.#rows.keys()].join()) {
      this.#rows = new Map(lanes.map((lane) => [lane.number, this.#row(lane)]));
      replace(
        this.lanes,
        [...this.#rows.values()].map((row) => row.element),
      );
    }
    for (const lane of lanes) {
      const row = this.#rows.get(lane.number);
      row.label.lastChild.textContent = lane.name;
      row.swatch.style.background = lane.colour;
      row.element.classList.toggle("selected", lane.number === selected);
      row.label.setAttribute("aria-pressed", lane.number === selected);
    }
    this.draw();
  }

  #row(lane) {
    const swatch = h("i", { class: "swatch" });
    const label = h(
      "button",
      {
        type: "button",
        class: "lane-label",
        "aria-pressed": "false",
        on: { click: () => this.picked.emit(lane.number) },
      },
      swatch,
      h("span", {}, lane.name),
    );
    const canvas = h("canvas", { class: "lane", "aria-hidden": "true" });
    const element = h("div", { class: "lane-row" }, label, canvas);
    this.#scrubbing(canvas, () => this.picked.emit(lane.number));
    return { element, label, swatch, canvas };
  }

  setFrame(frame) {
    this.#frame = frame;
    const { from, to } = this.#view;
    const count = to - from;
    if (frame < from || frame >= to) this.#setView(frame - (frame < from ? 0.9 : 0.1) * count, count);
    this.slider.setAttribute("aria-valuenow", frame);
    this.slider.setAttribute(
      "aria-valuetext",
      t("timeline.frame", { frame, last: this.video.frames - 1, seconds: number(frame / (this.video.fps || 24), 1) }),
    );
    this.#placeHead();
  }

  setRange(range) {
    this.range = range && range[0] > range[1] ? [range[1], range[0]] : range;
    this.ranged.emit(this.range);
    this.draw();
  }

  /** Shows `factor` times as many frames, about the position. */
  zoom(factor, about = this.#frame) {
    const { from, to } = this.#view;
    const count = Math.max(LEAST, Math.min(this.video.frames, (to - from) * factor));
    this.#setView(about - ((about - from) / (to - from)) * count, count);
  }

  fit() {
    this.#setView(0, this.video.frames);
  }

  #setView(from, count) {
    const start = Math.max(0, Math.min(this.video.frames - count, from));
    this.#view = { from: start, to: start + Math.min(count, this.video.frames) };
    this.draw();
  }

  #frameAt(event) {
    const box = this.ruler.getBoundingClientRect();
    const { from, to } = this.#view;
    const frame = Math.floor(from + ((event.clientX - box.left) / box.width) * (to - from));
    return Math.max(0, Math.min(this.video.frames - 1, frame));
  }

  /** Dragging moves the position; with Shift it marks a range. */
  #scrubbing(element, picked) {
    let start = null;
    const seek = (event) => {
      const frame = this.#frameAt(event);
      if (event.shiftKey) this.setRange([start, frame]);
      else this.sought.emit(frame);
    };
    element.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      element.setPointerCapture(event.pointerId);
      start = this.#frameAt(event);
      picked?.();
      seek(event);
    });
    element.addEventListener("pointermove", (event) => start !== null && seek(event));
    for (const end of ["pointerup", "pointercancel"]) element.addEventListener(end, () => (start = null));
  }

  #scrollbar() {
    let grabbed = null;
    this.overview.addEventListener("pointerdown", (event) => {
      this.overview.setPointerCapture(event.pointerId);
      grabbed = { x: event.clientX, from: this.#view.from };
    });
    this.overview.addEventListener("pointermove", (event) => {
      if (!grabbed) return;
      const { from, to } = this.#view;
      this.#setView(
        grabbed.from + ((event.clientX - grabbed.x) / this.overview.clientWidth) * this.video.frames,
        to - from,
      );
    });
    for (const end of ["pointerup", "pointercancel"]) this.overview.addEventListener(end, () => (grabbed = null));
  }

  #wheel(event) {
    const sideways = event.shiftKey ? event.deltaY : event.deltaX;
    const onRuler = this.slider.contains(event.target) || this.overview.contains(event.target);
    if (event.ctrlKey || (onRuler && !event.shiftKey && event.deltaY))
      this.zoom(Math.exp(event.deltaY * 0.002), this.#frameAt(event));
    else if (sideways)
      this.#setView(
        this.#view.from + (sideways / this.ruler.clientWidth) * (this.#view.to - this.#view.from),
        this.#view.to - this.#view.from,
      );
    else return;
    event.preventDefault();
  }

  draw() {
    if (this.#asked) return;
    this.#asked = true;
    requestAnimationFrame(() => {
      this.#asked = false;
      const colours = laneColours();
      paintRuler(this.ruler, this.#view, this.range, colours);
      for (const lane of this.#lanes) paintLane(this.#rows.get(lane.number).canvas, lane, this.#view, colours);
      const { from, to } = this.#view;
      this.overview.classList.toggle("whole", to - from >= this.video.frames);
      this.thumb.style.left = `${(100 * from) / this.video.frames}%`;
      this.thumb.style.width = `${(100 * (to - from)) / this.video.frames}%`;
      this.#placeHead();
    });
  }

  #placeHead() {
    const { from, to } = this.#view;
    const left = this.ruler.getBoundingClientRect().left - this.element.getBoundingClientRect().left;
    const each = this.ruler.clientWidth / (to - from);
    this.head.style.transform = `translateX(${left + (this.#frame - from) * each}px)`;
    this.head.style.width = `${Math.max(1.5, each)}px`;
    this.head.hidden = this.#frame < from || this.#frame >= to;
  }
}
