// Starts the page: who is there, in which language, and which screen the address names.

import { get, me, onSignedOut, post } from "./api.js";
import { annotateScreen } from "./annotate.js";
import { accountsScreen, auditScreen } from "./admin.js";
import { button, h, replace, select } from "./elements.js";
import { icon } from "./icons.js";
import { language, LANGUAGES, loadLanguage, switchLanguage, t } from "./language.js";
import { attempt, explain } from "./notices.js";
import { changePassword } from "./password.js";
import { projectsScreen } from "./projects.js";
import { projectScreen } from "./project.js";
import { reviewScreen } from "./review.js";
import { recall, switchTheme } from "./settings.js";
import { signInScreen } from "./sign_in.js";
import { bringToken, tokenScreen } from "./start_token.js";

const app = document.getElementById("app");
let user = null;
let screen = null;
let turn = 0;

const may = (permission) => user.permissions.includes(permission);

const context = {
  get user() {
    return user;
  },
  may,
  go(path) {
    if (location.hash === `#/${path}`) route();
    else location.hash = `/${path}`;
  },
  reload: () => route(),
};

/** Who is there; who has chosen no language gets that of the server's command line. */
async function welcomed() {
  const known = await me();
  if (recall("language", null) === null && known.language && known.language !== language())
    await loadLanguage(known.language);
  return known;
}

/** A task is opened with its lease: that which one has, else a new one. */
async function taskScreen(id) {
  let task = await get(`tasks/${id}`);
  if (!task.lease) task = await post(`tasks/${id}/claim`);
  if (task.stage !== "verify") return annotateScreen(context, task);
  return reviewScreen(context, task, await get(`projects/${task.project}`));
}

const SCREENS = [
  [/^$/, () => projectsScreen(context)],
  [/^projects\/(\d+)(?:\/(\w+))?$/, (id, tab) => projectScreen(context, Number(id), tab ?? "videos")],
  [/^tasks\/(\d+)$/, (id) => taskScreen(Number(id))],
  [/^users$/, () => accountsScreen(context)],
  [/^audit$/, () => auditScreen(context)],
];

function failedScreen(error) {
  return {
    element: h(
      "main",
      { class: "page" },
      h("h1", {}, t("error.title")),
      h("p", {}, explain(error)),
      h("p", {}, h("a", { href: "#/" }, t("projects.name"))),
    ),
  };
}

function shell(content) {
  const link = (path, text) =>
    h(
      "a",
      {
        href: `#/${path}`,
        "aria-current": location.hash.replace(/^#\/?/, "").split("/")[0] === path.split("/")[0] ? "page" : undefined,
      },
      text,
    );
  const languages = select(
    Object.entries(LANGUAGES),
    language(),
    async (next) => {
      await switchLanguage(next);
      route();
    },
    { "aria-label": t("language.switch"), class: "small" },
  );
  const signOut = async () => {
    await attempt(() => post("sign-out"));
    user = null;
    route();
  };
  return h(
    "div",
    { class: "shell" },
    h(
      "a",
      {
        href: "#main",
        class: "skip",
        on: { click: (event) => (event.preventDefault(), app.querySelector("main")?.focus()) },
      },
      t("skip"),
    ),
    h(
      "header",
      { class: "bar top" },
      h("a", { href: "#/", class: "brand" }, h("img", { src: "icon.svg", alt: "", width: 24, height: 24 }), "masklet"),
      user &&
        h(
          "nav",
          { "aria-label": t("menu") },
          link("", t("projects.name")),
          may("manage") && !user.local && link("users", t("users.name")),
          may("manage") && link("audit", t("audit.name")),
        ),
      h("span", { class: "space" }),
      languages,
      button("", switchTheme, { icon: icon("moon"), kind: "plain", name: t("theme.switch") }),
      user && !user.local && h("span", { class: "dim" }, user.name),
      user && !user.local && button(t("password.change"), changePassword, { kind: "small" }),
      user && !user.local && button(t("sign_out"), signOut, { kind: "small" }),
    ),
    content,
  );
}

async function route() {
  const mine = ++turn;
  screen?.close?.();
  screen = null;
  await bringToken();
  const path = location.hash.replace(/^#\/?/, "");
  let next;
  try {
    user ??= await welcomed();
    const [pattern, make] = SCREENS.find(([one]) => one.test(path)) ?? SCREENS[0];
    next = await make(...(pattern.exec(path)?.slice(1) ?? []));
  } catch (error) {
    if (error.kind === "token") next = tokenScreen(context);
    else if (error.status === 401) next = signInScreen(context);
    else {
      next = failedScreen(error);
      if (error.kind === undefined && !(error instanceof TypeError)) console.error(error);
    }
  }
  if (mine !== turn) return next.close?.(); // somebody went on while it loaded
  screen = next;
  document.title = [screen.title, "masklet"].filter(Boolean).join(" · ");
  replace(app, screen.full ? screen.element : shell(screen.element));
  if (!screen.full) app.querySelector("main")?.setAttribute("tabindex", "-1");
  return undefined;
}

onSignedOut(() => {
  if (!user) return;
  user = null;
  route();
});

await loadLanguage();
addEventListener("hashchange", route);
await route();
