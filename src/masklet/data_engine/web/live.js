// The WebSocket of a task. It comes back by itself, and what was not answered is sent again as it was: under its old
// name, so that the server does it once.

import { API, csrfToken, me, ServerError } from "./api.js";
import { Signal } from "./signal.js";
import { keep, leftOf } from "./unanswered.js";

const RETRIES = [250, 500, 1000, 2000, 4000]; // ms until the next try
const BUSY = 500; // ms until a message that met a busy server goes again
const AGAIN = new Set(["busy", "rate"]);
const HOPELESS = new Set(["lease_lost", "forbidden", "unauthenticated", "token", "not_found", "refused"]);
const SIGNED_OUT = 4401;

export class Live {
  event = new Signal();
  status = new Signal();
  state = "connecting";
  #socket = null;
  #waiting = new Map();
  #id = 0;
  #tries = 0;
  #timer = null;
  #ended = false;

  /** `held()` resolves to whether the lease still holds; asked when the connection does not come back. */
  constructor(task, held) {
    this.task = task;
    this.held = held;
    this.left = leftOf(task); // to be sent again, before anything else
    const url = new URL(`tasks/${task.id}/live`, API);
    url.protocol = url.protocol.replace("http", "ws");
    this.url = url;
    addEventListener("online", this.#now);
    this.#connect();
  }

  get unanswered() {
    return [...this.#waiting.values()].filter((one) => one.message.name).length;
  }

  /** Sends something and resolves to its answer, however often the connection is lost meanwhile. */
  send(kind, fields = {}) {
    if (this.#ended) return Promise.reject(new ServerError("", "lease_lost", 0));
    const message = { id: ++this.#id, kind, ...fields };
    return new Promise((resolve, reject) => {
      this.#waiting.set(message.id, { message, resolve, reject, sent: false, resting: false });
      if (message.name) this.#keep();
      this.#pump();
    });
  }

  close(kind = "cancelled") {
    this.#ended = true;
    if (kind !== "cancelled") keep(this.task, []); // else they go again when the task is opened again
    clearTimeout(this.#timer);
    removeEventListener("online", this.#now);
    for (const one of this.#waiting.values()) one.reject(new ServerError("", kind, 0));
    this.#waiting.clear();
    this.#socket?.close();
  }

  /** Sends what waits; of actions one after the other, so that none overtakes one which met a busy server. */
  #pump() {
    if (this.state !== "open") return;
    let acting = false;
    for (const one of this.#waiting.values()) {
      if (one.message.name && one.message.kind !== "stop") {
        if (acting) continue;
        acting = true;
      }
      if (one.sent || one.resting) continue;
      one.sent = true;
      this.#socket.send(JSON.stringify(one.message));
    }
  }

  #keep() {
    const actions = [...this.#waiting.values()].map((one) => one.message);
    keep(
      this.task,
      actions.filter(({ name, kind }) => name && kind !== "stop"), // what is to be stopped is over after a reload
    );
  }

  #later(one) {
    Object.assign(one, { sent: false, resting: true });
    setTimeout(
      () => {
        one.resting = false;
        this.#pump();
      },
      BUSY * (0.5 + Math.random()),
    );
  }

  #set(state) {
    if (state === this.state) return;
    this.state = state;
    this.status.emit(state);
  }

  #now = () => {
    if (this.state === "lost") {
      clearTimeout(this.#timer);
      this.#connect();
    }
  };

  #connect() {
    const socket = new WebSocket(this.url);
    this.#socket = socket;
    socket.addEventListener("open", () => {
      socket.send(JSON.stringify({ csrf: csrfToken(), lease: this.task.lease }));
      for (const one of this.#waiting.values()) one.sent = false;
      this.#set("open");
      this.#pump();
    });
    socket.addEventListener("message", ({ data }) => this.#receive(JSON.parse(data)));
    socket.addEventListener("close", (event) => socket === this.#socket && this.#lost(event.code));
  }

  #receive(message) {
    if (message.ok !== false) this.#tries = 0;
    if (message.event) {
      this.event.emit(message);
      return undefined;
    }
    const one = this.#waiting.get(message.reply);
    if (!one) {
      if (message.ok === false && HOPELESS.has(message.kind)) this.#refused(message);
      return undefined;
    }
    if (!message.ok && AGAIN.has(message.kind)) return void this.#later(one);
    this.#waiting.delete(message.reply);
    if (one.message.name) this.#keep();
    if (message.ok) one.resolve(message);
    else one.reject(new ServerError(message.error, message.kind, 0));
    this.#pump();
    return undefined;
  }

  /** The connection itself is refused: no try will help. */
  #refused(message) {
    this.close(message.kind);
    this.event.emit({ event: "lease_lost", error: message.error });
  }

  async #lost(code) {
    if (this.#ended) return;
    if (code === SIGNED_OUT) await me().catch(() => {}); // the page asks to sign in again
    if (this.#ended) return;
    this.#set("lost");
    const wait = RETRIES[Math.min(this.#tries++, RETRIES.length - 1)] * (0.75 + 0.5 * Math.random());
    if (this.#tries >= 2 && (await this.held()) === false) {
      this.event.emit({ event: "lease_lost" });
      return;
    }
    if (this.#ended) return;
    this.#timer = setTimeout(() => this.#connect(), wait);
  }
}
