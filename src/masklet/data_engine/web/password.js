// One's own password.

import { post } from "./api.js";
import { field, h } from "./elements.js";
import { t } from "./language.js";
import { ask, attempt, notice } from "./notices.js";

/** A field for a password that is to be given to an account. */
export const newPassword = () =>
  h("input", { type: "password", autocomplete: "new-password", required: true, minlength: 8, maxlength: 1000 });

export async function changePassword() {
  const old = h("input", { type: "password", autocomplete: "current-password", required: true });
  const wanted = newPassword();
  const given = await ask(
    t("password.change"),
    [field(t("password.old"), old), field(t("users.new_password"), wanted, t("users.password_note"))],
    { read: () => ({ old: old.value, new: wanted.value }) },
  );
  if (!given) return;
  await attempt(async () => {
    await post("me/password", given);
    notice(t("password.changed"), "good");
  });
}
