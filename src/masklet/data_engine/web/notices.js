// Notices in a corner, sentences for screen readers, questions in dialogs.

import { button, field, h } from "./elements.js";
import { known, language, t } from "./language.js";

/** Says something to a screen reader only. */
export function say(text) {
  document.getElementById("status").textContent = text;
}

export function notice(text, kind = "") {
  const shown = h(
    "div",
    { class: `notice ${kind}` },
    h("span", {}, text),
    button("×", () => shown.remove(), { kind: "plain", name: t("close") }),
  );
  document.getElementById("notices").append(shown);
  document.getElementById(kind === "bad" ? "alert" : "status").textContent = text;
  setTimeout(() => shown.remove(), kind === "bad" ? 12000 : 5000);
}

/** What went wrong, in words for the user. */
export function explain(error) {
  if (error.kind === "offline" || error instanceof TypeError) return t("error.offline");
  if (error.kind === "lease_lost" && !error.message) return t("lease.lost_note");
  if (!error.message || language() === "en") return error.message || t("error.unknown");
  // the server's sentences are English: what it is about comes first
  const what = known(`error.kind.${error.kind}`) ? t(`error.kind.${error.kind}`) : t("error.title");
  return t("error.said", { what, sentence: error.message });
}

/** Runs something and shows what goes wrong. */
export async function attempt(run) {
  try {
    return await run();
  } catch (error) {
    if (error.name === "AbortError" || error.kind === "cancelled") return undefined;
    if (error.kind === undefined && !(error instanceof TypeError)) console.error(error);
    notice(explain(error), "bad");
    return undefined;
  }
}

/** A dialog that resolves to what `read` gives when it is accepted, else to null. */
export function ask(title, content, { accept = t("ok"), danger = false, read = () => true, wide = false } = {}) {
  return new Promise((resolve) => {
    const agree = h("button", { type: "submit", class: danger ? "danger" : "main" }, accept);
    const form = h(
      "form",
      { method: "dialog" },
      h("h2", { id: "dialog-title" }, title),
      h("div", { class: "dialog-body" }, content),
      h(
        "div",
        { class: "row end" },
        button(t("cancel"), () => dialog.close()),
        agree,
      ),
    );
    const dialog = h("dialog", { "aria-labelledby": "dialog-title", class: wide ? "wide" : undefined }, form);
    let answer = null;
    form.addEventListener("submit", () => {
      answer = read();
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(answer);
    });
    document.body.append(dialog);
    dialog.showModal();
    dialog.querySelector("input, select, textarea")?.focus();
  });
}

export const confirmed = (title, text, accept) => ask(title, h("p", {}, text), { accept, danger: true });

export function askText(title, label, value = "") {
  const input = h("input", { value, required: true, maxlength: 200, autocomplete: "off" });
  return ask(title, field(label, input), { read: () => input.value.trim() });
}

/** A dialog that is only read. */
export function show(title, content, { wide = true } = {}) {
  const dialog = h(
    "dialog",
    { "aria-labelledby": "dialog-title", class: wide ? "wide" : undefined },
    h(
      "div",
      { class: "row between" },
      h("h2", { id: "dialog-title" }, title),
      button("×", () => dialog.close(), { kind: "plain", name: t("close") }),
    ),
    h("div", { class: "dialog-body" }, content),
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}
