// What annotation and review share: the picture with its masks, the player, and the timeline.

import { Frames } from "./frames.js";
import { t } from "./language.js";
import { explain, notice } from "./notices.js";
import { MODES, paintCross, paintDots, paintMasks } from "./overlay.js";
import { Player } from "./player.js";
import { recall, remember } from "./settings.js";
import { Signal } from "./signal.js";
import { Stage } from "./stage.js";
import { Timeline } from "./timeline.js";

export class Viewer {
  looked = new Signal(); // how things are shown has changed
  shown = null; // the frame on the screen: the position's, or an older one until that has come
  objects = [];
  guests = []; // objects that are shown dashed and cannot be worked on
  selected = null;
  hidden = new Set();
  solo = null;
  cross = null;
  #silent = 0; // until when failures are not said again
  mode = recall("mode", "fill");
  tool = () => null;
  dots = () => null;
  held = () => false; // whether a tool has the mask of an object in hand

  constructor(video, masks, step = 1) {
    this.video = video;
    this.masks = masks;
    this.frames = new Frames(video);
    this.player = new Player(video, this.frames, step);
    this.timeline = new Timeline(video);
    this.stage = new Stage(
      video,
      {
        frame: (context) => this.#paintFrame(context),
        masks: (context, pane) => this.#paintMasks(context, pane),
        cursor: (context, pane) => this.#paintCursor(context, pane),
      },
      t("stage.name", { name: video.name }),
    );
    this.stage.setDouble(recall("double", false));
    this.player.moved.on((frame) => this.#moved(frame));
    this.frames.arrived.on((frame) => frame === this.player.frame && this.#show(frame));
    this.frames.failed.on((error) => this.#failed(error));
    masks.changed.on(() => this.stage.invalidate("masks", "cursor"));
    this.timeline.sought.on((frame) => {
      this.player.pause();
      this.player.seek(frame);
    });
    this.frames.look(0, 1);
    this.timeline.setFrame(0);
  }

  close() {
    this.player.pause();
    this.frames.close();
    this.stage.close();
    this.timeline.close();
  }

  get ready() {
    return this.shown === this.player.frame;
  }

  /** Says that frames do not come, once in a while. */
  #failed(error) {
    if (performance.now() < this.#silent) return;
    this.#silent = performance.now() + 15_000;
    notice(explain(error), "bad");
  }

  #moved(frame) {
    this.timeline.setFrame(frame);
    this.masks.want(frame, this.player.direction);
    if (this.frames.has(frame)) this.#show(frame);
    this.stage.element.classList.toggle("waiting", !this.ready);
  }

  #show(frame) {
    this.shown = frame;
    this.stage.element.classList.remove("waiting");
    this.stage.element.dataset.shown = frame;
    this.stage.invalidate("frame", "masks", "cursor");
  }

  setMode(mode) {
    this.mode = mode;
    remember("mode", mode);
    this.#looks();
  }

  nextMode() {
    this.setMode(MODES[(MODES.indexOf(this.mode) + 1) % MODES.length]);
  }

  setDouble(double) {
    remember("double", double);
    this.stage.setDouble(double);
    this.#looks();
  }

  toggleHidden(number) {
    if (!this.hidden.delete(number)) this.hidden.add(number);
    this.#looks();
  }

  toggleSolo(number) {
    this.solo = this.solo === number ? null : number;
    this.#looks();
  }

  visible = (number) => (this.solo === null ? !this.hidden.has(number) : this.solo === number);

  #looks() {
    this.stage.invalidate("masks", "cursor");
    this.looked.emit();
  }

  #paintFrame(context) {
    const image = this.shown === null ? undefined : this.frames.image(this.shown);
    if (!image) return;
    context.imageSmoothingEnabled = this.stage.view.scale < 4;
    context.imageSmoothingQuality = "high";
    context.drawImage(image, 0, 0, this.video.width, this.video.height);
  }

  #paintMasks(context, pane) {
    if (this.shown === null || (this.stage.double && pane.index === 0)) return;
    const item = (masks, object, more) => {
      const record = masks.get(object.number, this.shown);
      return record?.counts && { path: masks.shape(record).path, colour: object.colour, ...more };
    };
    const own = this.objects
      .filter((one) => this.visible(one.number) && !this.held(one.number))
      .map((one) => item(this.masks, one, { active: one.number === this.selected }));
    const others = this.guests
      .filter(({ object }) => !this.held(object.number))
      .map(({ object, masks }) => item(masks, object, { dashed: true }));
    const pixel = 1 / this.stage.view.scale;
    paintMasks(context, [...others, ...own].filter(Boolean), this.mode, { pixel, ...this.video });
  }

  #paintCursor(context) {
    const pixel = 1 / this.stage.view.scale;
    this.tool()?.paint?.(context, pixel);
    const dots = this.shown !== null && this.selected !== null && this.dots(this.selected, this.shown);
    if (dots) paintDots(context, dots, pixel);
    if (this.cross) paintCross(context, this.cross, pixel);
  }
}
