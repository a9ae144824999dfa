// Verdicts and comments, as verification shows them and as they come back to the annotator.

import { get } from "./api.js";
import { button, h, replace } from "./elements.js";
import { moment, t } from "./language.js";
import { attempt, notice } from "./notices.js";

/** A verdict or comment; `go` is called with its frame. */
export const judgementRow = (one, go) =>
  h(
    "li",
    {},
    h(
      "div",
      { class: "row between" },
      h("b", {}, one.verdict ? t(`verdict.${one.verdict}`) : t("review.comment")),
      h("small", {}, `${one.user ?? ""} · ${moment(one.created)}`),
    ),
    one.comment && h("p", {}, one.comment),
    one.frame !== null && button(t("frame", { frame: one.frame }), () => go(one.frame), { kind: "small" }),
  );

/** What was said since the verdict before the newest one. */
export function newest(judgements) {
  const verdicts = judgements.flatMap((one, at) => (one.verdict ? [at] : []));
  return judgements.slice((verdicts.at(-2) ?? -1) + 1);
}

/** The part of the panel that says what verification sent back, and why. */
export class Returned {
  #key = "";

  constructor(editor) {
    this.editor = editor;
    this.list = h("div", { class: "stack" });
    this.element = h(
      "section",
      { class: "returned", hidden: true },
      h("h2", {}, t("returned.name")),
      h("p", { class: "note" }, t("returned.note")),
      this.list,
    );
    editor.changed.on(() => this.#look());
  }

  #look() {
    const objects = this.editor.session.objects.filter((one) => one.state === "unsatisfactory");
    const key = objects.map((one) => one.number).join();
    if (key === this.#key) return;
    this.#key = key;
    this.element.hidden = !objects.length;
    replace(this.list);
    if (!objects.length) return;
    notice(t("returned.notice", { names: objects.map((one) => one.name).join(", ") }));
    attempt(() => this.#read(objects, key));
  }

  async #read(objects, key) {
    const rows = await get(`videos/${this.editor.video.id}/objects`);
    const back = rows.filter((row) => objects.some((one) => one.number === row.number));
    const said = await Promise.all(back.map((row) => get(`objects/${row.id}/judgements`)));
    if (key !== this.#key) return;
    replace(
      this.list,
      back.map((row, at) =>
        h(
          "div",
          { class: "judgements" },
          h("h3", {}, row.name),
          h(
            "ul",
            { class: "judgements" },
            newest(said[at]).map((one) =>
              judgementRow(one, (frame) => this.editor.go({ frame, objects: [row.number] })),
            ),
          ),
        ),
      ),
    );
  }
}
