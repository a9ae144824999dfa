// The side panel: objects, what can be done to the selected one, and suggestions of frames to correct.

import { button, field, h, replace, select } from "./elements.js";
import { icon } from "./icons.js";
import { Returned } from "./judgements.js";
import { known, t } from "./language.js";
import { ask, askText, attempt, confirmed } from "./notices.js";
import { CORRECTIONS } from "./session.js";
import { recall, remember } from "./settings.js";

export class ObjectsPanel {
  #rows = new Map();

  constructor(editor) {
    this.editor = editor;
    this.list = h("ul", { class: "objects", "aria-label": t("objects.name") });
    this.tools = this.#tools();
    this.suggestions = h("ol", { class: "suggestions" });
    this.guests = h("div", {});
    const correction = select(
      CORRECTIONS.map((one) => [one, t(`correction.${one}`)]),
      recall("correction", CORRECTIONS[0]),
      (value) => remember("correction", value),
    );
    this.element = h(
      "aside",
      { class: "side", "aria-label": t("objects.panel") },
      new Returned(editor).element,
      h(
        "section",
        {},
        h(
          "div",
          { class: "row between" },
          h("h2", {}, t("objects.name")),
          button(t("objects.add"), () => this.add(), { icon: icon("add"), kind: "small" }),
        ),
        this.list,
      ),
      this.tools,
      h(
        "section",
        {},
        h(
          "div",
          { class: "row between" },
          h("h2", {}, t("suggest.name")),
          button(t("suggest.ask"), () => editor.suggest(), { icon: icon("spark"), kind: "small" }),
        ),
        h("p", { class: "note" }, t("suggest.note")),
        this.suggestions,
      ),
      h("section", {}, field(t("correction.name"), correction, t("correction.note"))),
      this.guests,
    );
    editor.changed.on(() => this.draw());
    editor.viewer.looked.on(() => this.draw());
    editor.player.moved.on(() => this.drawPosition());
    editor.stored.changed.on(() => this.drawPosition());
    this.draw();
  }

  draw() {
    const { objects, viewer } = this.editor;
    const numbers = objects.map((one) => one.number);
    if (numbers.join() !== [...this.#rows.keys()].join() || !numbers.length) {
      this.#rows = new Map(objects.map((one) => [one.number, this.#row(one)]));
      replace(
        this.list,
        this.#rows.size
          ? [...this.#rows.values()].map((row) => row.element)
          : h("li", { class: "empty" }, t("objects.none")),
      );
    }
    for (const one of objects) this.#refresh(this.#rows.get(one.number), one, viewer);
    this.#drawSuggestions();
    this.drawPosition();
    const key = this.editor.guests.map((one) => `${one.number} ${one.name} ${one.state}`).join();
    if (key !== this.guestsKey) this.drawGuests();
    this.guestsKey = key;
  }

  #row({ number }) {
    const { editor } = this;
    const row = {
      colour: h("input", {
        type: "color",
        class: "swatch",
        on: { change: () => editor.act("object_change", { object: number, colour: row.colour.value }) },
      }),
      name: h("button", {
        type: "button",
        class: "object-name",
        on: { click: () => editor.select(number), dblclick: () => this.rename(number) },
      }),
      eye: button("", () => editor.viewer.toggleHidden(number), { icon: icon("eye"), kind: "plain" }),
      solo: button("", () => editor.viewer.toggleSolo(number), { icon: icon("solo"), kind: "plain" }),
      lock: button("", () => editor.toggleLock(editor.session.object(number)), { icon: icon("unlock"), kind: "plain" }),
    };
    row.element = h("li", { class: "object" }, row.colour, row.name, row.eye, row.solo, row.lock);
    return row;
  }

  #refresh(row, one, viewer) {
    const chosen = viewer.selected === one.number;
    row.element.classList.toggle("selected", chosen);
    if (document.activeElement !== row.colour) row.colour.value = one.colour;
    row.colour.setAttribute("aria-label", t("objects.colour", { name: one.name }));
    replace(
      row.name,
      h("span", { class: "object-title" }, one.name),
      h("span", { class: "object-note" }, t("objects.counts", { prompts: one.prompted.length, number: one.number })),
    );
    row.name.setAttribute("aria-pressed", chosen);
    const shown = viewer.visible(one.number);
    this.#switch(row.eye, t("objects.hide", { name: one.name }), !shown, shown ? "eye" : "eyeOff");
    this.#switch(row.solo, t("objects.solo", { name: one.name }), viewer.solo === one.number, "solo");
    const locked = (one.locks ?? []).length > 0;
    this.#switch(row.lock, t("objects.lock", { name: one.name }), locked, locked ? "lock" : "unlock");
  }

  #switch(element, name, on, picture) {
    element.setAttribute("aria-label", name);
    element.title = name;
    element.setAttribute("aria-pressed", on);
    element.classList.toggle("on", on);
    replace(element, icon(picture));
  }

  /** Buttons for the selected object; what they do is asked for when they are pressed. */
  #tools() {
    const { editor } = this;
    const here = (run) => () => editor.selected && run(editor.selected.number);
    const tool = (key, run, more = {}) => button(t(`object.${key}`), here(run), { kind: "small", ...more });
    this.tool = {
      rename: tool("rename", (object) => this.rename(object)),
      take: tool("take", () => editor.takeStored()),
      clear: tool("clear", () => editor.clear()),
      absent: tool("absent", () => editor.toggleAbsent(), { kind: "small toggle" }),
      trim: tool("trim", (object) => editor.act("trim", { object, ...editor.marked })),
      split: tool("split", (object) => editor.split(object)),
      swap: tool("swap", (object) => this.#withOther("swap", object)),
      merge: tool("merge", (object) => this.#withOther("merge", object)),
      remove: tool("remove", (object) => this.remove(object), { icon: icon("trash"), kind: "small danger-text" }),
    };
    this.toolsTitle = h("h2", {});
    this.toolsNote = h("p", { class: "note" });
    return h("section", {}, this.toolsTitle, this.toolsNote, h("div", { class: "grid" }, Object.values(this.tool)));
  }

  /** What depends on the position: which tools there are, and which suggestion is shown. */
  drawPosition() {
    const { editor } = this;
    const { frame, selected: object } = editor;
    this.tools.hidden = !object;
    for (const [one, row] of this.shownSuggestions ?? []) row.setAttribute("aria-current", one.frame === frame);
    if (!object) return;
    const { range } = editor.timeline;
    const others = editor.objects.length > 1;
    this.toolsTitle.textContent = t("object.tools", { name: object.name });
    this.toolsNote.textContent = t("object.range", {
      span: range ? t("range.span", { first: range[0], last: range[1] }) : t("range.all"),
    });
    this.tool.take.hidden = object.origin === "manual";
    this.tool.take.disabled = !editor.stored.get(object.number, frame);
    this.tool.clear.disabled =
      !object.prompted.includes(frame) &&
      !editor.session.masks.get(object.number, frame)?.prompted &&
      !editor.saidAbsent([frame, frame]);
    this.tool.absent.setAttribute("aria-pressed", editor.saidAbsent());
    this.tool.trim.disabled = !range;
    this.tool.split.disabled = frame === 0;
    this.tool.swap.disabled = this.tool.merge.disabled = !others;
  }

  #drawSuggestions() {
    const { editor } = this;
    if (this.drawn === editor.suggestions) return;
    this.drawn = editor.suggestions;
    const name = (number) => editor.session.object(number)?.name ?? number;
    const reason = (text) => {
      const key = `reason.${text.toLowerCase().replaceAll(" ", "_")}`;
      return known(key) ? t(key) : text;
    };
    this.shownSuggestions = editor.suggestions.map((one) => [
      one,
      h(
        "button",
        { type: "button", class: "suggestion", on: { click: () => editor.go(one) } },
        h("b", {}, t("frame", { frame: one.frame })),
        h("span", {}, (one.objects ?? []).map(name).join(", ")),
        h("small", {}, (one.reasons ?? []).map(reason).join(" · ")),
      ),
    ]);
    replace(
      this.suggestions,
      this.shownSuggestions.map(([, row]) => h("li", {}, row)),
    );
  }

  /** What a model has found: shown, and taken up by whoever wants to change it. */
  drawGuests() {
    const { guests } = this.editor;
    replace(
      this.guests,
      guests.length > 0 &&
        h(
          "section",
          {},
          h("h2", {}, t("objects.automatic")),
          h("p", { class: "note" }, t("objects.automatic_note")),
          h(
            "ul",
            { class: "objects" },
            guests.map((one) => {
              const swatch = h("i", { class: "swatch" });
              swatch.style.background = one.colour;
              return h(
                "li",
                { class: "object guest" },
                swatch,
                h("span", {}, one.name),
                h("small", {}, t(`state.${one.state}`)),
              );
            }),
          ),
        ),
    );
  }

  add() {
    return attempt(() => this.editor.add());
  }

  async rename(number) {
    const object = this.editor.session.object(number);
    const name = await askText(t("object.rename"), t("object.new_name"), object.name);
    if (name) this.editor.act("object_change", { object: number, label: name });
  }

  async remove(number) {
    const object = this.editor.session.object(number);
    if (await confirmed(t("object.remove"), t("object.remove_sure", { name: object.name }), t("object.remove")))
      this.editor.act("object_remove", { object: number });
  }

  async #withOther(kind, number) {
    const { session } = this.editor;
    const others = this.editor.objects.filter((one) => one.number !== number);
    const choice = select(
      others.map((one) => [one.number, one.name]),
      undefined,
      undefined,
      { "aria-label": t(`object.${kind}_with`) },
    );
    const text = h("p", {}, t(`object.${kind}_sure`, { name: session.object(number).name }));
    const other = await ask(t(`object.${kind}`), [text, choice], {
      accept: t(`object.${kind}`),
      read: () => Number(choice.value),
    });
    if (other) this.editor.act(kind, { object: number, other, ...(kind === "swap" ? this.editor.marked : {}) });
  }
}
