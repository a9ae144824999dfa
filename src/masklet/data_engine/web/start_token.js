// A server without accounts wants its start token: from the address that it printed, or typed in here.

import { post } from "./api.js";
import { field, h } from "./elements.js";
import { t } from "./language.js";
import { explain } from "./notices.js";

const tokenIn = (text) => /#token=([^&]+)$/.exec(text)?.[1];

/** Whoever comes by the printed address has the token in it; there it does not stay. */
export async function bringToken() {
  const token = tokenIn(location.hash);
  if (!token) return;
  history.replaceState(null, "", "#/");
  try {
    await post("start", { token: decodeURIComponent(token) });
  } catch {
    /* who is let in all the same needs none, and others are asked for it */
  }
}

export function tokenScreen(context) {
  const token = h("input", { name: "token", type: "password", autocomplete: "off", required: true });
  const fault = h("p", { class: "fault", role: "alert" });
  const submit = async (event) => {
    event.preventDefault();
    fault.textContent = "";
    try {
      const text = token.value.trim();
      await post("start", { token: decodeURIComponent(tokenIn(text) ?? text) });
      context.reload();
    } catch (error) {
      fault.textContent = explain(error);
      token.value = "";
      token.focus();
    }
  };
  return {
    title: t("start.title"),
    element: h(
      "main",
      { class: "page narrow" },
      h(
        "form",
        { class: "card", on: { submit } },
        h("h1", {}, t("start.title")),
        h("p", {}, t("start.how")),
        field(t("start.token"), token),
        fault,
        h("button", { type: "submit", class: "main" }, t("start.accept")),
      ),
    ),
  };
}
