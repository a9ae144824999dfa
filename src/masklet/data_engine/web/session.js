// A task that is worked on: what the server says of it, what was clicked meanwhile, and the actions.

import { get, post } from "./api.js";
import { t } from "./language.js";
import { Live } from "./live.js";
import { MaskStore } from "./mask_store.js";
import { attempt } from "./notices.js";
import { recall } from "./settings.js";
import { Signal } from "./signal.js";
import { WorkClock } from "./work_clock.js";

/** What a correction does to the frames beside it, the usual one first. */
export const CORRECTIONS = ["blend", "override", "barrier"];

const NEW_MASKS = new Set([
  "clear",
  "undo",
  "redo",
  "object_remove",
  "absent",
  "present",
  "trim",
  "swap",
  "merge",
  "split",
]);

const MADE_HERE = new Set(["prompt", "mask", "lock", "unlock"]);

export const uuid = () =>
  crypto.randomUUID?.() ??
  [...crypto.getRandomValues(new Uint8Array(16))]
    .map(
      (byte, i) =>
        ((i === 6 ? (byte & 15) | 64 : i === 8 ? (byte & 63) | 128 : byte) | 256).toString(16).slice(1) +
        ([3, 5, 7, 9].includes(i) ? "-" : ""),
    )
    .join(""); // randomUUID is for secure pages only, and a laboratory's server may be plain http

/** Milliseconds between two signs of life: a third of the lease. */
export function beatOf(task) {
  const lease = task.lease_expires ? new Date(task.lease_expires) - Date.now() : 60_000;
  return Math.max(1000, Math.min(20_000, lease / 3));
}

export class Session {
  changed = new Signal();
  scored = new Signal();
  tracked = new Signal();
  lost = new Signal();
  edited = new Signal(); // masks are others now, or no longer followed
  objects = [];
  undo = null;
  redo = null;
  running = null;
  left = 0;
  pending = 0;
  scores = new Map(); // object -> {first, confidence, version: of the object that they are}
  #dots = new Map(); // "object frame" -> clicks that no mask from the server holds yet
  #rescore = null;
  #tracking = false; // a propagation has not said that it is finished
  #beat = null;

  constructor(task, frame) {
    this.task = task;
    this.frame = frame; // () => the position
    this.clock = new WorkClock();
    this.live = new Live(task, () => this.#held());
    this.masks = new MaskStore(
      task.video,
      async (first, count) => (await this.live.send("masks", { first, count })).masks,
    );
    this.live.event.on((event) => this.#event(event));
    this.live.status.on(() => (this.#tracking = false)); // the first state of a connection says what is going on
    for (const { kind, id, ...fields } of this.live.left) attempt(() => this.#do(kind, fields));
    this.#beat = setInterval(() => this.live.state === "open" && this.#heartbeat(), beatOf(task));
  }

  object(number) {
    return this.objects.find((one) => one.number === number);
  }

  /** Does something; the promise resolves when the server has it safe. */
  act = (kind, fields = {}) => this.#do(kind, { name: uuid(), seconds: this.clock.take(), ...fields });

  async #do(kind, fields) {
    this.pending++;
    this.changed.emit();
    try {
      const reply = await this.live.send(kind, fields);
      if (reply.state) this.#take(reply.state);
      const masks = reply.masks ?? (reply.mask ? [reply.mask] : []);
      if (masks.length) this.#keep(masks);
      if (kind === "propagate") {
        this.#tracking = true;
        this.running ??= {
          direction: fields.direction,
          start: fields.start ?? 0,
          stop: fields.stop ?? null,
          frame: null,
        };
      }
      if (NEW_MASKS.has(kind)) {
        this.#dots.clear();
        this.masks.invalidate(this.frame());
      }
      if (NEW_MASKS.has(kind) || MADE_HERE.has(kind)) this.edited.emit();
      return reply;
    } finally {
      this.pending--;
      this.changed.emit();
    }
  }

  /** How a prompt on a tracked frame takes effect. */
  get #correction() {
    const correction = recall("correction", CORRECTIONS[0]);
    return correction === CORRECTIONS[0] ? {} : { correction };
  }

  /** Clicks or a box on an object: shown at once, with their mask when it comes. */
  async prompt(frame, object, points, labels, box) {
    const key = `${object} ${frame}`;
    const known = this.masks.get(object, frame);
    const before = this.#dots.get(key) ?? {
      points: known?.points ?? [],
      labels: known?.labels ?? [],
      box: known?.box_prompt,
    };
    const mine = {
      points: [...before.points, ...points],
      labels: [...before.labels, ...labels],
      box: box ?? before.box,
    };
    this.#dots.set(key, mine);
    this.changed.emit();
    try {
      return await this.act("prompt", {
        frame,
        object,
        points,
        labels,
        ...(box ? { box } : {}),
        ...this.#correction,
      });
    } catch (error) {
      this.#dots.set(key, before);
      this.changed.emit();
      throw error;
    }
  }

  /** A mask that was painted: shown at once. */
  async paint(frame, object, counts) {
    const before = this.masks.get(object, frame);
    this.masks.put([{ object, frame, counts, prompted: true, confidence: 1 }]);
    try {
      return await this.act("mask", { frame, object, counts, ...this.#correction });
    } catch (error) {
      if (before) this.masks.put([before]);
      else this.masks.drop(object, frame);
      throw error;
    }
  }

  /** {points, labels, box} on a frame. */
  dots(object, frame) {
    const mask = this.masks.get(object, frame);
    return (
      this.#dots.get(`${object} ${frame}`) ?? {
        points: mask?.points ?? [],
        labels: mask?.labels ?? [],
        box: mask?.box_prompt,
      }
    );
  }

  /** What undo or redo would do, in words; null: nothing. */
  sentence(event) {
    if (!event) return null;
    const names = event.objects.map((number) => this.object(number)?.name ?? t("objects.number", { number }));
    const { frame, last } = event;
    const where =
      frame === null
        ? ""
        : last === null || last === frame
          ? t("did.on_frame", { frame })
          : t("range.span", { first: frame, last });
    return [t(`did.${event.kind}`), ...names, where].filter(Boolean).join(" · ");
  }

  suggest = async (k) => (await this.live.send("suggest", { k })).suggestions;

  #keep(masks) {
    for (const mask of masks) if (mask.points !== undefined) this.#dots.delete(`${mask.object} ${mask.frame}`);
    this.masks.put(masks);
    for (const mask of masks) this.#score(mask);
    this.scored.emit();
  }

  #score(mask) {
    const known = this.scores.get(mask.object) ?? { first: 0, confidence: [] };
    const at = mask.frame - known.first;
    if (at < 0) {
      known.confidence.unshift(...Array(-at).fill(null));
      known.first = mask.frame;
    }
    known.confidence[Math.max(0, at)] = mask.confidence;
    this.scores.set(mask.object, known);
  }

  #event(event) {
    if (event.event === "state") this.#take(event.state ?? event);
    else if (event.event === "frame") {
      this.left = event.left ?? 0;
      this.#tracking = true;
      this.running = { ...this.running, frame: event.frame };
      this.#keep(event.masks);
      this.tracked.emit(event.frame);
    } else if (event.event === "finished") {
      this.#tracking = false;
      this.running = null;
      this.left = 0;
      this.edited.emit();
      this.changed.emit(event.error ?? null);
      this.#scoreSoon();
    } else if (event.event === "lease_lost") {
      this.close("lease_lost");
      this.lost.emit(event.error);
    }
  }

  #take(state) {
    const first = this.objects.length === 0;
    this.objects = state.objects;
    this.undo = state.undo ?? null;
    this.redo = state.redo ?? null;
    this.running = state.running ?? (this.#tracking ? this.running : null); // a state from before it began ends nothing
    this.changed.emit();
    if (first && state.objects.length) this.masks.invalidate(this.frame());
    this.#scoreSoon();
  }

  /** Heat for the whole timeline, of objects that have changed, when nothing has happened for a moment. */
  #scoreSoon() {
    clearTimeout(this.#rescore);
    this.#rescore = setTimeout(() => this.#rescoreChanged(), 250);
  }

  async #rescoreChanged() {
    for (const number of this.scores.keys()) if (!this.object(number)?.version) this.scores.delete(number);
    try {
      for (const { number, version } of this.objects) {
        if (this.running) return; // its frames bring theirs
        if (!version || version === this.scores.get(number)?.version) continue;
        const { first, confidence, version: of } = await this.live.send("scores", { object: number });
        this.scores.set(number, { first, confidence, version: of });
        this.scored.emit();
      }
    } catch {
      /* the object is gone or the connection was closed meanwhile: the next state says what holds */
    }
  }

  async #heartbeat() {
    try {
      await this.live.send("heartbeat");
    } catch (error) {
      if (error.kind === "lease_lost") this.#event({ event: "lease_lost" });
    }
  }

  async #held() {
    try {
      return (await get(`tasks/${this.task.id}`)).lease === this.task.lease;
    } catch (error) {
      return error.status >= 400 && error.status < 500 ? false : undefined; // else the server is away: not known
    }
  }

  release = () => post(`tasks/${this.task.id}/release`, { lease: this.task.lease });

  close(kind) {
    clearInterval(this.#beat);
    clearTimeout(this.#rescore);
    this.live.close(kind);
    this.clock.close();
  }
}
