// Pointers on the stage: one finger or button is the tool's, space or the middle button pans, two fingers zoom and pan.

export class Pointers {
  space = false;
  #touches = new Map();
  #panning = null;
  #using = null;
  #used = false; // whether space was held for a drag

  /** `tool()` gives the tool in hand: {down, move, up, cancel, hover}; each gets (place, event). */
  constructor(stage, tool, onSpace) {
    this.stage = stage;
    this.tool = tool;
    this.onSpace = onSpace;
    const element = stage.element;
    const on = (event, run, options) => element.addEventListener(event, run, options);
    on("pointerdown", (event) => this.#down(event));
    on("pointermove", (event) => this.#move(event));
    on("pointerup", (event) => this.#up(event));
    on("pointercancel", (event) => this.#cancel(event));
    on("pointerleave", (event) => event.buttons === 0 && this.tool().leave?.());
    on("blur", () => element.classList.remove("pointed"));
    on("contextmenu", (event) => event.preventDefault());
    on("wheel", (event) => this.#wheel(event), { passive: false });
  }

  holdSpace(held) {
    if (held === this.space) return;
    this.space = held;
    this.stage.element.classList.toggle("grab", held);
    if (held) this.#used = false;
    else if (!this.#used) this.onSpace();
  }

  #wheel(event) {
    event.preventDefault();
    const { x, y } = this.stage.place(event);
    if (event.shiftKey) this.stage.pan(-event.deltaY - event.deltaX, 0);
    else
      this.stage.zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0015) * (event.deltaMode === 1 ? 20 : 1)), {
        x,
        y,
      });
  }

  #down(event) {
    this.stage.element.focus({ preventScroll: true });
    this.stage.element.classList.add("pointed"); // no ring for him who sees where he clicks
    if (event.pointerType === "touch") {
      this.#touches.set(event.pointerId, event);
      if (this.#touches.size === 2) {
        if (this.#using !== null) this.tool().cancel?.();
        this.#using = null;
        return;
      }
    }
    if (this.#touches.size > 1) return;
    this.stage.element.setPointerCapture(event.pointerId);
    if (this.space || event.button === 1 || this.tool().pans) {
      this.#panning = { id: event.pointerId, x: event.clientX, y: event.clientY };
      this.#used = true;
      return;
    }
    this.#using = event.pointerId;
    this.tool().down?.(this.stage.place(event), event);
  }

  #move(event) {
    if (this.#touches.has(event.pointerId) && this.#touches.size === 2) return this.#pinch(event);
    if (this.#panning?.id === event.pointerId) {
      this.stage.pan(event.clientX - this.#panning.x, event.clientY - this.#panning.y);
      Object.assign(this.#panning, { x: event.clientX, y: event.clientY });
      return;
    }
    const steps = event.getCoalescedEvents?.() ?? [];
    for (const step of this.#using === event.pointerId && steps.length ? steps : [event])
      this.tool().move?.(this.stage.place(step), event, this.#using === event.pointerId);
  }

  #pinch(event) {
    const [a, b] = [...this.#touches.values()];
    const before = {
      x: (a.clientX + b.clientX) / 2,
      y: (a.clientY + b.clientY) / 2,
      apart: Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY),
    };
    this.#touches.set(event.pointerId, event);
    const [c, d] = [...this.#touches.values()];
    const [x, y] = [(c.clientX + d.clientX) / 2, (c.clientY + d.clientY) / 2];
    this.stage.pan(x - before.x, y - before.y);
    const at = this.stage.place({ clientX: x, clientY: y });
    this.stage.zoom(Math.hypot(c.clientX - d.clientX, c.clientY - d.clientY) / Math.max(1, before.apart), at);
  }

  #up(event) {
    this.#touches.delete(event.pointerId);
    if (this.#panning?.id === event.pointerId) this.#panning = null;
    if (this.#using !== event.pointerId) return;
    this.#using = null;
    this.tool().up?.(this.stage.place(event), event);
  }

  #cancel(event) {
    this.#touches.delete(event.pointerId);
    if (this.#panning?.id === event.pointerId) this.#panning = null;
    if (this.#using === event.pointerId) this.tool().cancel?.();
    this.#using = null;
  }
}
