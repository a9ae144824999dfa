// Accounts and the audit log, for those who manage the server.

import { get, patch, post } from "./api.js";
import { button, field, h, replace, select, table } from "./elements.js";
import { icon } from "./icons.js";
import { moment, t } from "./language.js";
import { ask, attempt, notice } from "./notices.js";
import { newPassword } from "./password.js";

const ROLES = ["annotator", "verifier", "admin"];
const roles = () => ROLES.map((one) => [one, t(`role.${one}`)]);

export async function accountsScreen(context) {
  const list = h("div", {});
  const load = async () => {
    const users = await get("users");
    replace(
      list,
      table([t("user"), t("users.role"), t("users.active"), t("users.since"), ""], users.map(row), {
        caption: t("users.name"),
      }),
    );
  };
  const change = (user, what) =>
    attempt(async () => {
      try {
        await patch(`users/${user.id}`, what);
      } finally {
        await load();
      }
    });
  const row = (user) => [
    user.name,
    select(roles(), user.role, (role) => change(user, { role }), {
      "aria-label": t("users.role_of", { name: user.name }),
      class: "small",
    }),
    h("input", {
      type: "checkbox",
      checked: user.active,
      "aria-label": t("users.active_of", { name: user.name }),
      on: { change: (event) => change(user, { active: event.target.checked }) },
    }),
    moment(user.created),
    button(
      t("users.new_password"),
      async () => {
        const password = newPassword();
        const given = await ask(t("users.new_password"), field(t("password"), password, t("users.password_note")), {
          read: () => password.value,
        });
        if (given && (await attempt(() => patch(`users/${user.id}`, { password: given }))))
          notice(t("users.changed"), "good");
      },
      { kind: "small" },
    ),
  ];
  const add = async () => {
    const name = h("input", { required: true, maxlength: 100, autocomplete: "off", pattern: "[\\w.@+\\-]+" });
    const password = newPassword();
    const role = select(roles(), "annotator");
    const wanted = await ask(
      t("users.add"),
      [field(t("user"), name), field(t("password"), password, t("users.password_note")), field(t("users.role"), role)],
      { read: () => ({ name: name.value.trim(), password: password.value, role: role.value }) },
    );
    if (wanted && (await attempt(() => post("users", wanted)))) await attempt(load);
  };
  await load();
  return {
    title: t("users.name"),
    element: h(
      "main",
      { class: "page" },
      h(
        "div",
        { class: "row between" },
        h("h1", {}, t("users.name")),
        button(t("users.add"), add, { icon: icon("add"), kind: "main" }),
      ),
      list,
    ),
  };
}

const LINES = 100;

export async function auditScreen() {
  const list = h("div", {});
  const rows = [];
  const older = button(t("audit.older"), () => attempt(load), { kind: "small" });
  const load = async () => {
    const more = await get("audit", { before: rows.at(-1)?.id, limit: LINES });
    rows.push(...more);
    older.hidden = more.length < LINES;
    replace(
      list,
      table(
        [t("audit.when"), t("user"), t("audit.address"), t("audit.what"), t("audit.target"), t("audit.result")],
        rows.map((one) => [
          moment(one.created),
          one.user ?? "–",
          one.address,
          one.what,
          one.target,
          h("span", { class: `badge ${one.ok ? "done" : "failed"}` }, t(one.ok ? "audit.ok" : "audit.refused")),
        ]),
        { caption: t("audit.name"), empty: t("audit.none") },
      ),
    );
  };
  await load();
  return {
    title: t("audit.name"),
    element: h("main", { class: "page stack" }, h("h1", {}, t("audit.name")), list, older),
  };
}
