// Signing in, where the server keeps accounts.

import { post } from "./api.js";
import { field, h } from "./elements.js";
import { t } from "./language.js";
import { explain } from "./notices.js";

export function signInScreen(context) {
  const name = h("input", { name: "username", autocomplete: "username", required: true, autocapitalize: "none" });
  const password = h("input", { name: "password", type: "password", autocomplete: "current-password", required: true });
  const fault = h("p", { class: "fault", role: "alert" });
  const go = h("button", { type: "submit", class: "main" }, t("sign_in.accept"));
  const submit = async (event) => {
    event.preventDefault();
    go.disabled = true;
    fault.textContent = "";
    try {
      await post("sign-in", { name: name.value.trim(), password: password.value });
      context.reload();
    } catch (error) {
      fault.textContent = explain(error);
      password.value = "";
      password.focus();
    } finally {
      go.disabled = false;
    }
  };
  return {
    title: t("sign_in.title"),
    element: h(
      "main",
      { class: "page narrow" },
      h(
        "form",
        { class: "card", on: { submit } },
        h("h1", {}, t("sign_in.title")),
        field(t("user"), name),
        field(t("password"), password),
        fault,
        go,
      ),
    ),
  };
}
