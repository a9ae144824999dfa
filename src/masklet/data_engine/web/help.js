// The sheet of hotkeys; each can be changed.

import { button, h, replace } from "./elements.js";
import { chordOf, written } from "./keys.js";
import { t } from "./language.js";
import { show } from "./notices.js";

export function showHelp(keys, commands) {
  const groups = [...new Set(commands.map((one) => one.group))];
  const body = h("div", { class: "keys" });
  const message = h("p", { class: "note", role: "status" }, t("help.how"));

  let listening = null;
  const listen = (id, target) => {
    if (listening === target) return;
    listening = target;
    target.textContent = t("help.press");
    const take = (event) => {
      const chord = chordOf(event);
      if (!chord) return;
      event.preventDefault();
      event.stopPropagation();
      listening = null;
      if (chord !== "Escape") {
        const robbed = keys.assign(id, [chord]);
        message.textContent = robbed.length
          ? t("help.taken", { key: written(chord), command: robbed.map((one) => t(`command.${one}`)).join(", ") })
          : t("help.how");
      }
      fill();
      body.querySelector(`[data-id="${id}"]`)?.focus();
    };
    target.addEventListener("keydown", take);
    target.addEventListener("blur", () => {
      if (listening !== target) return;
      listening = null;
      fill();
    });
  };

  const row = (one) => {
    const now = keys.of(one.id);
    const target = h(
      "button",
      {
        type: "button",
        class: "key-button",
        data: { id: one.id },
        "aria-label": t("help.change", {
          command: t(`command.${one.id}`),
          keys: now.map(written).join(", ") || t("help.none"),
        }),
        on: { click: () => listen(one.id, target) },
      },
      now.length ? now.map((key) => h("kbd", {}, written(key))) : t("help.none"),
    );
    return h(
      "div",
      { class: "key-row" },
      h("span", {}, t(`command.${one.id}`)),
      keys.isOwn(one.id) &&
        button("↺", () => (keys.reset(one.id), fill()), { kind: "plain", name: t("help.reset_one") }),
      target,
    );
  };

  function fill() {
    replace(
      body,
      groups.map((group) =>
        h("section", {}, h("h3", {}, t(`group.${group}`)), commands.filter((one) => one.group === group).map(row)),
      ),
    );
  }

  fill();
  const mouse = h(
    "section",
    {},
    h("h3", {}, t("help.mouse")),
    ["left", "right", "wheel", "drag", "shift"].map((one) => h("p", { class: "mouse-line" }, t(`help.mouse_${one}`))),
  );
  return show(t("help.title"), [
    message,
    body,
    mouse,
    h(
      "div",
      { class: "row end" },
      button(t("help.reset"), () => (keys.reset(), fill())),
    ),
  ]);
}
