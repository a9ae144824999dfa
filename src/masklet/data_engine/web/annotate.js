// The annotation page: what is on it and where.

import { post } from "./api.js";
import { brushSize } from "./brush.js";
import { editCommands } from "./commands.js";
import { Editor } from "./editor.js";
import { button, h } from "./elements.js";
import { showHelp } from "./help.js";
import { icon } from "./icons.js";
import { Keys, written } from "./keys.js";
import { t } from "./language.js";
import { ask, attempt, confirmed, explain, notice } from "./notices.js";
import { ObjectsPanel } from "./objects_panel.js";
import { Pointers } from "./pointers.js";
import { switchTheme } from "./settings.js";
import { TOOL_ICONS } from "./tools.js";
import { lookControls, playControls, trackControls } from "./transport.js";

/** The tools at the left; one is in hand. */
function toolBar(editor) {
  const buttons = Object.entries(TOOL_ICONS).map(([id, picture]) =>
    button("", () => editor.use(id), {
      icon: icon(picture),
      kind: `tool ${id}`,
      name: t(`command.tool_${id}`),
      data: { id },
    }),
  );
  const size = h("span", { class: "brush-size tabular" });
  const polygon = [
    button("", () => editor.tool.accept(), { icon: icon("check"), kind: "tool good", name: t("polygon.accept") }),
    button("", () => editor.tool.cancel(), { icon: icon("close"), kind: "tool", name: t("polygon.cancel") }),
  ];
  const show = () => {
    for (const one of buttons) one.setAttribute("aria-pressed", one.dataset.id === editor.tool.id);
    const brushes = editor.tool.id === "brush" || editor.tool.id === "eraser";
    size.textContent = brushes ? t("brush.size", { size: brushSize.value }) : "";
    for (const one of polygon) one.hidden = !editor.tool.edits;
  };
  editor.changed.on(show);
  show();
  return h(
    "div",
    { class: "tools", role: "toolbar", "aria-label": t("group.tools"), "aria-orientation": "vertical" },
    buttons,
    size,
    polygon,
  );
}

function connection(editor) {
  const { session } = editor;
  const dot = h("span", { class: "connection", role: "status" });
  const show = () => {
    const { state } = session.live;
    dot.dataset.state = state === "open" && session.pending ? "saving" : state;
    dot.textContent =
      state === "open"
        ? t(session.pending ? "connection.saving" : "connection.saved")
        : t(`connection.${state}`, { count: session.pending });
  };
  session.live.status.on(show);
  session.changed.on(show);
  show();
  return dot;
}

/** An answer to the lost lease: the task is taken again, or left. */
async function leaseLost(task, context, error) {
  const why = h("p", {}, explain({ kind: "lease_lost", message: error }));
  const again = await ask(t("lease.lost"), why, { accept: t("lease.again") });
  if (!again) return context.go(`projects/${task.project}/tasks`);
  if (await attempt(() => post(`tasks/${task.id}/claim`))) context.reload();
  else context.go(`projects/${task.project}/tasks`);
  return undefined;
}

export function annotateScreen(context, task) {
  const editor = new Editor(task);
  const { session, viewer, stage } = editor;
  const panel = new ObjectsPanel(editor);
  const pointers = new Pointers(
    stage,
    () => editor.tool,
    () => editor.player.toggle(),
  );
  let leaving = false;

  const submit = async () => {
    if (session.running) return void notice(t("submit.running"));
    if (!(await ask(t("submit.title"), h("p", {}, t(`submit.${task.stage}`)), { accept: t("submit.accept") }))) return;
    const done = await attempt(() =>
      post(`tasks/${task.id}/submit`, { lease: task.lease, seconds: session.clock.take() }),
    );
    if (done === undefined) return;
    leaving = true;
    notice(t("submit.done"), "good");
    context.go(`projects/${task.project}/tasks`);
  };
  const release = async () => {
    if (!(await confirmed(t("release.title"), t("release.note"), t("release.accept")))) return;
    leaving = true;
    await attempt(() => session.release());
    context.go(`projects/${task.project}/tasks`);
  };

  const commands = editCommands(editor, {
    space: (held) => pointers.holdSpace(held),
    panel,
    submit,
    help: () => showHelp(keys, commands),
    theme: switchTheme,
  });
  const keys = new Keys(commands);
  const spaceUp = (event) => event.key === " " && pointers.holdSpace(false);
  document.addEventListener("keyup", spaceUp);

  const undo = button("", () => editor.undo(), { icon: icon("undo"), kind: "plain", name: t("command.undo") });
  const redo = button("", () => editor.redo(), { icon: icon("redo"), kind: "plain", name: t("command.redo") });
  const side = button("", () => element.classList.toggle("side-open"), {
    icon: icon("panel"),
    kind: "plain side-switch",
    name: t("objects.panel"),
  });
  const tools = toolBar(editor);
  for (const one of tools.querySelectorAll("[data-id]"))
    one.title += ` (${keys.of(`tool_${one.dataset.id}`).map(written).join(", ")})`;
  const showHistory = () => {
    for (const [one, what, key] of [
      [undo, session.sentence(session.undo), "undo"],
      [redo, session.sentence(session.redo), "redo"],
    ]) {
      one.disabled = !what;
      one.title = what ? `${t(`command.${key}`)}: ${what}` : t(`command.${key}`);
    }
  };
  session.changed.on(showHistory);
  showHistory();

  const header = h(
    "header",
    { class: "bar" },
    h(
      "a",
      { href: `#/projects/${task.project}/tasks`, class: "plain-link", "aria-label": t("back_to_tasks") },
      icon("arrowLeft"),
    ),
    h("h1", {}, task.video.name),
    h("span", { class: "badge" }, t(`stage.${task.stage}`)),
    task.round > 1 && h("span", { class: "badge warn" }, t("task.round", { round: task.round })),
    undo,
    redo,
    connection(editor),
    h("span", { class: "space" }),
    lookControls(viewer),
    button("", switchTheme, { icon: icon("moon"), kind: "plain", name: t("theme.switch") }),
    button("", () => showHelp(keys, commands), { icon: icon("help"), kind: "plain", name: t("command.help") }),
    side,
    button(t("release.accept"), release, { kind: "small" }),
    button(t("submit.accept"), submit, { kind: "main small" }),
  );
  const hint = h("p", { class: "hint" }, t("hint.first"));
  const showHint = () =>
    (hint.hidden = session.objects.some((one) => one.prompted.length) || editor.tool.id !== "include");
  editor.changed.on(showHint);
  showHint();

  const element = h(
    "div",
    { class: "annotate" },
    header,
    tools,
    h("main", { class: "picture", "aria-label": t("stage.area") }, stage.element, hint),
    panel.element,
    h("div", { class: "transport" }, playControls(viewer), trackControls(editor)),
    editor.timeline.element,
  );

  session.lost.on((error) => leaseLost(task, context, error));
  editor.timeline.ranged.on(() => panel.drawPosition());
  const warn = (event) => !leaving && session.live.unanswered && event.preventDefault();
  addEventListener("beforeunload", warn);
  window.maskletEditor = editor; // for tests and the curious
  editor.use("include");

  return {
    element,
    full: true,
    close() {
      removeEventListener("beforeunload", warn);
      document.removeEventListener("keyup", spaceUp);
      keys.close();
      editor.close();
    },
  };
}
