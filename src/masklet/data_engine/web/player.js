// Where in the video we are. Playing shows every frame, at its time or, where frames come too late, when it is there.

import { Signal } from "./signal.js";

export const SPEEDS = [0.25, 0.5, 1, 2, 4];

export class Player {
  moved = new Signal();
  changed = new Signal();
  frame = 0;
  direction = 1;
  playing = false;
  speed = 1;
  #tick = null;

  /** `step`: frames from one shown to the next (those between have no masks in reviews). */
  constructor(video, frames, step = 1) {
    this.video = video;
    this.frames = frames;
    this.step = step;
  }

  get last() {
    return this.video.frames - 1;
  }

  seek(t, direction) {
    const frame = Math.max(0, Math.min(this.last, Math.round(t)));
    if (frame === this.frame) return;
    this.direction = direction ?? (frame > this.frame ? 1 : -1);
    this.frame = frame;
    this.frames.look(frame, this.direction);
    this.moved.emit(frame);
  }

  by(steps) {
    this.pause();
    this.seek(this.step === 1 ? this.frame + steps : this.step * (Math.round(this.frame / this.step) + steps));
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  play() {
    if (this.playing) return;
    if (this.frame >= this.last) this.seek(0, 1);
    this.playing = true;
    this.direction = 1;
    this.frames.look(this.frame, 1);
    let due = performance.now();
    const tick = (now) => {
      if (!this.playing) return;
      const every = (1000 * this.step) / (this.video.fps || 24) / this.speed;
      const next = this.frame + this.step;
      if (next > this.last) return void this.pause();
      if (now - due >= every && this.frames.has(next)) {
        due = now - due > 4 * every ? now : due + every; // after a wait time begins anew: no frame is rushed through
        this.seek(next, 1);
      }
      this.#tick = requestAnimationFrame(tick);
    };
    this.#tick = requestAnimationFrame(tick);
    this.changed.emit();
  }

  pause() {
    if (!this.playing) return;
    this.playing = false;
    cancelAnimationFrame(this.#tick);
    this.changed.emit();
  }

  setSpeed(speed) {
    this.speed = speed;
    this.changed.emit();
  }
}
