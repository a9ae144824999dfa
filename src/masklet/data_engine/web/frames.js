// Frames of a video: JPEGs come in batches around the position, decoded images are kept as long as they fit.

import { request } from "./api.js";
import { Signal } from "./signal.js";

const BATCH = 12; // frames of one request
const AHEAD = 4; // batches in the direction of travel
const AT_ONCE = 2; // requests
const MEGABYTE = 2 ** 20;

/** Most bytes that are kept: a quarter of a small machine's memory at most (browsers tell 8 GB or less). */
const budget = () => Math.min(1024, 128 * (navigator.deviceMemory ?? 4)) * MEGABYTE;

/** Values that are forgotten, the longest unused first, when they outgrow a number of bytes. */
class Kept {
  #entries = new Map();
  #bytes = 0;

  constructor(most, drop = () => {}) {
    this.most = most;
    this.drop = drop;
  }

  get(key) {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.value;
  }

  has(key) {
    return this.#entries.has(key);
  }

  set(key, value, bytes) {
    this.#forget(key);
    this.#entries.set(key, { value, bytes });
    this.#bytes += bytes;
    for (const old of this.#entries.keys()) {
      if (this.#bytes <= this.most || old === key) break;
      this.#forget(old);
    }
  }

  #forget(key) {
    const entry = this.#entries.get(key);
    if (!entry) return;
    this.#entries.delete(key);
    this.#bytes -= entry.bytes;
    this.drop(entry.value);
  }

  clear() {
    for (const entry of this.#entries.values()) this.drop(entry.value);
    this.#entries.clear();
    this.#bytes = 0;
  }
}

/** Length-prefixed JPEGs (uint32, little-endian) -> blobs. */
export function* unpacked(buffer) {
  const view = new DataView(buffer);
  for (let at = 0; at < buffer.byteLength;) {
    const length = view.getUint32(at, true);
    yield new Blob([new Uint8Array(buffer, at + 4, length)], { type: "image/jpeg" });
    at += 4 + length;
  }
}

export class Frames {
  /** Emits a frame number whenever one can be shown. */
  arrived = new Signal();
  failed = new Signal();
  #inFlight = new Map();
  #decoding = new Set();
  #wanted = [];
  #position = 0;
  #direction = 1;
  #reach; // frames that are decoded ahead: as many as fit, and some for the way back
  #closed = false;

  constructor(video) {
    this.video = video;
    const whole = budget();
    this.images = new Kept(0.7 * whole, (image) => image.close());
    this.files = new Kept(0.3 * whole);
    this.#reach = Math.max(2, Math.min(2 * BATCH, Math.floor(this.images.most / (4 * video.width * video.height)) - 6));
  }

  /** The image of a frame, or undefined: then it is on its way. */
  image(t) {
    return this.images.get(t);
  }

  has(t) {
    return this.images.has(t);
  }

  /** Says where the user is and which way he goes (1 or -1): orders what comes next. */
  look(t, direction = 1) {
    this.#position = t;
    this.#direction = direction;
    const here = Math.floor(t / BATCH);
    const order = [here];
    for (let i = 1; i <= AHEAD; i++) order.push(here + i * direction);
    order.push(here - direction);
    const last = Math.floor((this.video.frames - 1) / BATCH);
    this.#wanted = order.filter((batch) => batch >= 0 && batch <= last);
    for (const [batch, request] of this.#inFlight) if (!this.#wanted.includes(batch)) request.abort();
    this.#decodeAround();
    this.#ask();
  }

  close() {
    this.#closed = true;
    for (const request of this.#inFlight.values()) request.abort();
    this.images.clear();
    this.files.clear();
  }

  #framesOf(batch) {
    const first = batch * BATCH;
    return Array.from({ length: Math.min(BATCH, this.video.frames - first) }, (_, i) => first + i);
  }

  #ask() {
    for (const batch of this.#wanted) {
      if (this.#inFlight.size >= AT_ONCE) return;
      if (!this.#inFlight.has(batch) && this.#framesOf(batch).some((t) => !this.files.has(t))) this.#fetch(batch);
    }
  }

  async #fetch(batch) {
    const control = new AbortController();
    this.#inFlight.set(batch, control);
    const frames = this.#framesOf(batch);
    let wait = 0;
    try {
      const query = { first: frames[0], count: frames.length };
      const answer = await request("GET", `videos/${this.video.id}/frames`, { query, signal: control.signal });
      let i = 0;
      for (const file of unpacked(await answer.arrayBuffer())) this.files.set(frames[i++], file, file.size);
      this.#decodeAround();
    } catch (error) {
      if (error.name !== "AbortError") {
        this.failed.emit(error);
        wait = 1000;
      }
    }
    setTimeout(() => {
      this.#inFlight.delete(batch);
      if (!this.#closed) this.#ask();
    }, wait);
  }

  /** Decodes what is near, the position itself first; a few at a time, so that a jump is not behind a queue. */
  #decodeAround() {
    const direction = this.#direction;
    for (let i = 0; i <= this.#reach && this.#decoding.size < 4; i++) {
      for (const t of i
        ? [this.#position + i * direction, ...(i < 4 ? [this.#position - i * direction] : [])]
        : [this.#position]) {
        if (!this.images.has(t) && !this.#decoding.has(t) && this.files.has(t)) this.#decode(t);
      }
    }
  }

  async #decode(t) {
    this.#decoding.add(t);
    try {
      const image = await createImageBitmap(this.files.get(t));
      if (this.#closed) return;
      this.images.set(t, image, 4 * image.width * image.height);
      this.arrived.emit(t);
    } catch (error) {
      this.failed.emit(error);
      return; // a broken frame stays in `decoding`: it is not tried again
    }
    this.#decoding.delete(t);
    this.#decodeAround();
  }
}
