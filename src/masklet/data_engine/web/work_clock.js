// The time that a user works: pauses without any input do not count.

const IDLE = 30_000; // ms without input: he is not at work

export class WorkClock {
  #seconds = 0;
  #last = performance.now();
  #events = ["pointerdown", "pointermove", "keydown", "wheel"];

  constructor() {
    for (const event of this.#events) addEventListener(event, this.#note, { passive: true, capture: true });
  }

  #note = () => {
    const now = performance.now();
    if (now - this.#last < IDLE) this.#seconds += (now - this.#last) / 1000;
    this.#last = now;
  };

  /** Seconds of work since they were taken the last time. */
  take() {
    this.#note();
    const seconds = this.#seconds;
    this.#seconds = 0;
    return Math.round(1000 * seconds) / 1000;
  }

  close() {
    for (const event of this.#events) removeEventListener(event, this.#note, { capture: true });
  }
}
