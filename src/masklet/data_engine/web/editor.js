// Annotating: tools and commands act on the selected object of the session, on the frame that is shown.

import { t } from "./language.js";
import { attempt, notice, say } from "./notices.js";
import { Signal } from "./signal.js";
import { makeTools } from "./tools.js";
import { Viewer } from "./viewer.js";
import { Session } from "./session.js";
import { Stored } from "./stored.js";

/** Samples of the response to clicks: {ms: pointer up until the mask is on the screen, server, frame, object}. */
window.maskletTimings = [];

const COLOURS = [
  "#2f81f7",
  "#f0883e",
  "#3fb950",
  "#db61a2",
  "#e3b341",
  "#a371f7",
  "#39c5cf",
  "#f85149",
  "#8bc34a",
  "#ff9ecd",
  "#79c0ff",
  "#c0a16b",
];

/** The first colour that is seldom used: bright ones that differ, for a mask has to be seen on any picture. */
function freeColour(objects) {
  const uses = (colour) => objects.filter((one) => one.colour === colour).length;
  return COLOURS.reduce((best, colour) => (uses(colour) < uses(best) ? colour : best));
}

/** Whether a model or a file made an object and nobody has taken it up: proposed, or accepted as it is. */
const isGuest = (one) =>
  one.origin !== "manual" &&
  !one.prompted.length &&
  !one.tracked?.length &&
  (one.state === "proposed" || one.state === "satisfactory");

export class Editor {
  changed = new Signal();
  suggestions = [];
  #creating = null;
  #followed = null; // the tracked frame that was shown last

  constructor(task) {
    this.task = task;
    this.video = task.video;
    this.session = new Session(task, () => this.viewer.player.frame);
    this.viewer = new Viewer(task.video, this.session.masks);
    this.stage = this.viewer.stage;
    this.player = this.viewer.player;
    this.timeline = this.viewer.timeline;
    this.stored = new Stored(this);
    this.tools = makeTools(this);
    this.tool = this.tools[0];
    this.viewer.tool = () => this.tool;
    this.viewer.dots = (object, frame) => this.session.dots(object, frame);
    this.viewer.held = (object) => this.tool.holds?.(object) ?? false;
    this.session.changed.on((error) => this.#sessionChanged(error));
    this.session.edited.on(() => (this.suggestions = [])); // they were of masks that are no more
    this.session.scored.on(() => this.#lanes());
    this.session.tracked.on((frame) => this.#follow(frame));
    this.session.live.status.on((status) => status === "open" && this.session.masks.invalidate(this.player.frame));
    this.timeline.picked.on((number) => this.select(number));
    this.viewer.looked.on(() => this.#lanes());
    this.player.moved.on((frame) => this.tool.moved?.(frame));
  }

  close() {
    this.viewer.close();
    this.session.close();
  }

  /** What is worked on. */
  get objects() {
    return this.session.objects.filter((one) => !isGuest(one));
  }

  /** What a model has found and nobody works on. */
  get guests() {
    return this.session.objects.filter(isGuest);
  }

  get selected() {
    return this.session.object(this.viewer.selected) ?? null;
  }

  get frame() {
    return this.player.frame;
  }

  select(number) {
    if (number === this.viewer.selected) return;
    this.tool.cancel?.();
    this.viewer.selected = number;
    this.#lanes();
    this.stage.invalidate("masks", "cursor");
    this.changed.emit();
  }

  use(id) {
    this.tool.cancel?.();
    this.tool = this.tools.find((tool) => tool.id === id);
    this.stage.element.dataset.tool = id;
    this.tool.begin?.();
    this.stage.invalidate("cursor", "masks");
    this.changed.emit();
  }

  toolChanged() {
    this.changed.emit();
  }

  #sessionChanged(error) {
    if (error) notice(t("track.failed", { error }), "bad");
    this.viewer.objects = this.objects;
    if (!this.selected) this.viewer.selected = this.objects.at(-1)?.number ?? null;
    this.#lanes();
    this.stage.invalidate("masks", "cursor");
    this.changed.emit();
  }

  #lanes() {
    const lanes = this.objects.map((one) => ({
      ...one,
      hidden: !this.viewer.visible(one.number),
      score: this.session.scores.get(one.number),
    }));
    this.timeline.setLanes(lanes, this.viewer.selected);
  }

  /** The object that is worked on; the first click makes one. */
  async ensureObject() {
    if (this.selected) return this.selected.number;
    this.#creating ??= this.add().finally(() => (this.#creating = null));
    return this.#creating;
  }

  async add() {
    const known = new Set(this.session.objects.map((one) => one.number));
    const reply = await this.session.act("object_add", { object: null, colour: freeColour(this.session.objects) });
    const number = reply.object ?? this.session.objects.find((one) => !known.has(one.number))?.number;
    this.select(number);
    return number;
  }

  /** What brush and polygon begin with: the object's mask, else what a model or a file has of it. */
  target({ quiet = false } = {}) {
    if (!this.viewer.ready) return null;
    const object = this.selected;
    if (!object && quiet) return null;
    const own = object && this.session.masks.get(object.number, this.frame);
    const record = own ?? (object && this.stored.get(object.number, this.frame));
    const shape = record?.counts ? this.session.masks.shape(record) : {};
    return { frame: this.frame, object: object?.number ?? null, colour: object?.colour ?? "#3b82f6", ...shape };
  }

  click(point, label) {
    return this.#prompt([point], [label]);
  }

  box(box) {
    return this.#prompt([], [], box);
  }

  #prompt(points, labels, box) {
    if (!this.viewer.ready) return undefined;
    const started = performance.now();
    const { frame } = this;
    this.player.pause();
    return attempt(async () => {
      const object = await this.ensureObject();
      const rounded = (list) => list.map((value) => Math.round(10 * value) / 10);
      const reply = await this.session.prompt(frame, object, points.map(rounded), labels, box && rounded(box));
      this.stage.painted(() =>
        window.maskletTimings.push({ ms: performance.now() - started, server: reply.ms, frame, object }),
      );
      say(t("say.mask", { object: this.session.object(object)?.name ?? object, frame }));
    });
  }

  paint(frame, object, counts) {
    return attempt(async () => {
      await this.session.paint(frame, object ?? (await this.ensureObject()), counts);
      say(t("say.painted", { frame }));
    });
  }

  /** Makes what a model or a file has of the object on this frame a mask of the session, to be tracked from. */
  takeStored() {
    const record = this.viewer.ready && this.selected && this.stored.get(this.selected.number, this.frame);
    return record ? this.paint(this.frame, this.selected.number, record.counts) : undefined;
  }

  clear() {
    if (!this.selected) return undefined;
    const kind = this.saidAbsent([this.frame, this.frame]) ? "present" : "clear";
    return this.act(kind, { frame: this.frame, object: this.selected.number });
  }

  /** Whether it was said that the selected object is not visible on frames, by default the marked ones or this one. */
  saidAbsent([first, last] = this.timeline.range ?? [this.frame, this.frame]) {
    return (this.selected?.said_absent ?? []).some(([a, b]) => a <= first && b >= last);
  }

  /** Says that the selected object is not visible on the marked range, or on this frame; a second time takes it back. */
  toggleAbsent() {
    const [first, last] = this.timeline.range ?? [this.frame, this.frame];
    return this.selected && this.vanish(this.selected.number, first, last, this.saidAbsent() ? "present" : "absent");
  }

  /** Says that an object is not visible on some frames, or takes it back. */
  async vanish(object, frame, last = frame, kind = "absent") {
    const where = frame === last ? t("did.on_frame", { frame }) : t("range.span", { first: frame, last });
    if (await this.act(kind, { object, frame, last }))
      say(t(`say.${kind}`, { object: this.session.object(object)?.name ?? object, where }));
  }

  act(kind, fields) {
    return attempt(() => this.session.act(kind, fields));
  }

  /** Makes what follows the position another object, and takes that. */
  async split(object) {
    const reply = await this.act("split", { object, frame: this.frame });
    if (reply?.other !== undefined) this.select(reply.other);
  }

  async undo() {
    const what = this.session.sentence(this.session.undo);
    if (what && (await this.act("undo"))) say(t("say.undone", { what }));
  }

  async redo() {
    const what = this.session.sentence(this.session.redo);
    if (what && (await this.act("redo"))) say(t("say.redone", { what }));
  }

  /** direction: forward, backward, both; or range: the marked frames. */
  propagate(direction) {
    if (this.session.running) return undefined;
    this.#followed = this.frame;
    if (direction !== "range") return this.act("propagate", { start: this.frame, direction });
    const { range } = this.timeline;
    if (!range) return void notice(t("range.none"));
    this.player.seek(range[0]);
    this.#followed = range[0];
    return this.act("propagate", { start: range[0], stop: range[1], direction: "forward" });
  }

  /** Shows frames as they are tracked, until the user goes elsewhere or begins something. */
  #follow(frame) {
    if (this.frame !== this.#followed || this.player.playing || this.tool.edits) return;
    this.#followed = frame;
    this.player.seek(frame);
  }

  stop() {
    return this.session.running ? this.act("stop") : undefined;
  }

  /** {first, last} of the marked range, or null. */
  get marked() {
    const { range } = this.timeline;
    return range && { first: range[0], last: range[1] };
  }

  mark(end) {
    const range = this.timeline.range ?? [this.frame, this.frame];
    this.timeline.setRange(
      end === "first" ? [this.frame, Math.max(range[1], this.frame)] : [Math.min(range[0], this.frame), this.frame],
    );
  }

  /** Locks the marked range, or all; a second time unlocks it. */
  toggleLock(object = this.selected) {
    if (!object) return undefined;
    const [first, last] = this.timeline.range ?? [0, this.video.frames - 1];
    const locked = (object.locks ?? []).some(([a, b]) => a <= first && b >= last);
    return this.act(locked ? "unlock" : "lock", { object: object.number, ...this.marked });
  }

  async suggest() {
    const found = await attempt(() => this.session.suggest(8));
    if (!found) return;
    this.suggestions = found;
    this.changed.emit();
    if (!found.length) notice(t("suggest.none"));
  }

  /** Goes to the next suggestion after the one that is shown, asking for them first. */
  async nextSuggestion() {
    if (!this.suggestions.length) await this.suggest();
    if (!this.suggestions.length) return;
    const at = this.suggestions.findIndex((one) => one.frame === this.frame);
    this.go(this.suggestions[(at + 1) % this.suggestions.length]);
  }

  go({ frame, objects }) {
    if (objects?.length && !objects.includes(this.viewer.selected)) this.select(objects[0]);
    this.player.pause();
    this.player.seek(frame);
  }

  /** To the nearest prompted frame before or after. */
  toPrompt(direction) {
    const frames = (this.selected?.prompted ?? []).filter((frame) => direction * (frame - this.frame) > 0);
    if (frames.length) this.player.seek(direction > 0 ? Math.min(...frames) : Math.max(...frames));
  }

  selectBy(step) {
    const numbers = this.objects.map((one) => one.number);
    if (numbers.length)
      this.select(numbers[(numbers.indexOf(this.viewer.selected) + step + numbers.length) % numbers.length]);
  }

  moveCross(dx, dy) {
    const from = this.viewer.cross ?? [this.video.width / 2, this.video.height / 2];
    this.viewer.cross = this.stage.held([from[0] + dx, from[1] + dy]);
    this.stage.invalidate("cursor");
    say(t("say.cross", { x: Math.round(this.viewer.cross[0]), y: Math.round(this.viewer.cross[1]) }));
  }

  /** Enter: a polygon becomes the mask, else the cross clicks. */
  accept(label) {
    if (this.tool.edits) this.tool.accept();
    else if (this.viewer.cross) this.click(this.viewer.cross, label);
  }

  cancel() {
    this.tool.cancel?.();
    if (this.viewer.cross) {
      this.viewer.cross = null;
      this.stage.invalidate("cursor");
    } else if (this.timeline.range) this.timeline.setRange(null);
  }
}
