// Hotkeys: commands have default keys, the user may change them; a chord is written "Ctrl+Shift+z", by the sign of the key.

import { recall, remember } from "./settings.js";

const EDITABLE = "input:not([type=checkbox]):not([type=radio]):not([type=color]), textarea, select, [contenteditable]";
const MODIFIERS = new Set(["Control", "Shift", "Alt", "Meta"]);

/** The chord of a key event. Shift is named only where it does not make another sign. */
export function chordOf(event) {
  if (MODIFIERS.has(event.key)) return null;
  const key = event.key === " " ? "Space" : event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const letter = /^[a-z]$/.test(key) || key.length > 1;
  return [(event.ctrlKey || event.metaKey) && "Ctrl", event.altKey && "Alt", event.shiftKey && letter && "Shift", key]
    .filter(Boolean)
    .join("+");
}

export class Keys {
  #commands;
  #own = recall("keys", {});
  #byChord = new Map();

  /** commands: {id, keys, run, repeat?, group}. */
  constructor(commands) {
    this.#commands = commands;
    this.#index();
    document.addEventListener("keydown", this.#press);
  }

  close() {
    document.removeEventListener("keydown", this.#press);
  }

  of(id) {
    return this.#own[id] ?? this.#commands.find((one) => one.id === id).keys;
  }

  isOwn = (id) => id in this.#own;

  /** Gives a command its keys; takes them from those that had them. Returns the ids of these. */
  assign(id, keys) {
    const robbed = [];
    for (const other of this.#commands) {
      const left = this.of(other.id).filter((key) => other.id === id || !keys.includes(key));
      if (left.length === this.of(other.id).length) continue;
      this.#own[other.id] = left;
      robbed.push(other.id);
    }
    this.#own[id] = keys;
    this.#save();
    return robbed;
  }

  reset(id) {
    if (id === undefined) this.#own = {};
    else delete this.#own[id];
    this.#save();
  }

  #save() {
    remember("keys", this.#own);
    this.#index();
  }

  #index() {
    this.#byChord = new Map(this.#commands.flatMap((one) => this.of(one.id).map((key) => [key, one])));
  }

  #press = (event) => {
    if (document.querySelector("dialog[open]") || event.target.closest?.(EDITABLE)) return;
    const chord = chordOf(event);
    if ((chord === "Space" || chord === "Enter") && event.target.closest?.("button, a, summary, input")) return; // theirs
    const command = chord && this.#byChord.get(chord);
    if (!command) return;
    event.preventDefault();
    if (!event.repeat || command.repeat) command.run(event);
  };
}

const SIGNS = {
  ArrowLeft: "←",
  ArrowRight: "→",
  ArrowUp: "↑",
  ArrowDown: "↓",
  Escape: "Esc",
  Delete: "Del",
  " ": "Space",
};

export const written = (chord) =>
  chord
    .split(/(?<=.)\+/)
    .map((part) => SIGNS[part] ?? (part.length === 1 ? part.toUpperCase() : part))
    .join(" + ");
