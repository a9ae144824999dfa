// All projects, and making one.

import { get, patch, post } from "./api.js";
import { button, field, h, replace, select } from "./elements.js";
import { icon } from "./icons.js";
import { number, t } from "./language.js";
import { ask, attempt } from "./notices.js";

const sum = (counts) => Object.values(counts ?? {}).reduce((all, one) => all + one, 0);

/** Fields of a new project; `read` gives what the server wants. */
function projectForm() {
  const name = h("input", { required: true, maxlength: 200, autocomplete: "off" });
  const phase = select(
    [
      [3, t("phase.3")],
      [2, t("phase.2")],
      [1, t("phase.1")],
    ],
    3,
  );
  const model = h("input", { placeholder: t("project.model_default"), maxlength: 200, autocomplete: "off" });
  const every = h("input", { type: "number", min: 1, max: 1000, value: 1, required: true });
  const annotators = h("input", { type: "number", min: 1, max: 20, value: 1, required: true });
  const stages = ["select", "track", "verify"].map((stage) => [
    stage,
    h("input", { type: "checkbox", checked: true, id: `stage-${stage}` }),
  ]);
  const own = h("input", { type: "checkbox", id: "own-review" });
  const check = (box, text) => h("label", { class: "row check", for: box.id }, box, text);
  return {
    content: h(
      "div",
      { class: "form" },
      field(t("project.title"), name),
      field(t("project.phase"), phase, t("project.phase_note")),
      h(
        "div",
        { class: "columns" },
        field(t("project.model"), model),
        field(t("project.every"), every),
        field(t("project.annotators"), annotators),
      ),
      h(
        "fieldset",
        {},
        h("legend", {}, t("project.stages")),
        stages.map(([stage, box]) => check(box, t(`stage.${stage}`))),
      ),
      check(own, t("project.own_review")),
    ),
    read: () => ({
      name: name.value.trim(),
      phase: Number(phase.value),
      model: model.value.trim() || null,
      every: Number(every.value),
      settings: {
        stages: stages.filter(([, box]) => box.checked).map(([stage]) => stage),
        annotators: Number(annotators.value),
        own_review: own.checked,
      },
    }),
  };
}

/** Changes what may change of a project at any time; resolves to whether something did. */
export async function changeProject(project) {
  const name = h("input", { required: true, maxlength: 200, value: project.name, autocomplete: "off" });
  const lease = h("input", {
    type: "number",
    min: 1,
    max: 86_400,
    value: project.settings.lease_seconds,
    required: true,
  });
  const own = h("input", { type: "checkbox", id: "own-review", checked: project.settings.own_review });
  const content = h(
    "div",
    { class: "form" },
    field(t("project.title"), name),
    field(t("project.lease"), lease, t("project.lease_note")),
    h("label", { class: "row check", for: own.id }, own, t("project.own_review")),
  );
  const read = () => ({
    name: name.value.trim(),
    settings: { lease_seconds: Number(lease.value), own_review: own.checked },
  });
  const wanted = await ask(t("project.change"), content, { accept: t("save"), read });
  return wanted !== null && (await attempt(() => patch(`projects/${project.id}`, wanted))) !== undefined;
}

function card(project) {
  const videos = project.videos ?? {};
  const objects = project.objects ?? {};
  const done = objects.satisfactory ?? 0;
  const all = sum(objects) - (objects.removed ?? 0);
  const bar = h("progress", { max: Math.max(1, all), "aria-label": t("project.verified") });
  bar.value = done;
  return h(
    "li",
    {},
    h(
      "a",
      { class: "card project", href: `#/projects/${project.id}` },
      h("h2", {}, project.name),
      h("p", { class: "dim" }, `${t(`phase.${project.phase}`)} · ${project.model}`),
      h(
        "dl",
        { class: "facts" },
        [
          [t("videos.name"), number(sum(videos))],
          [t("objects.name"), number(all)],
          [t("project.open_tasks"), number(openTasks(project))],
        ].map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
      ),
      bar,
      h("p", { class: "dim small" }, t("project.done", { done: number(done), all: number(all) })),
    ),
  );
}

/** Tasks that wait, of a project's counts by stage and state. */
export const openTasks = (project) =>
  Object.values(project.tasks ?? {}).reduce((all, states) => all + (states.open ?? 0), 0);

export async function projectsScreen(context) {
  const list = h("ul", { class: "cards" });
  const load = async () => {
    const projects = await get("projects");
    replace(
      list,
      projects.length
        ? projects.map(card)
        : h("li", { class: "empty wide" }, context.may("manage") ? t("projects.none_admin") : t("projects.none")),
    );
  };
  const add = async () => {
    const form = projectForm();
    const wanted = await ask(t("projects.add"), form.content, {
      accept: t("projects.make"),
      read: form.read,
      wide: true,
    });
    if (!wanted) return;
    const made = await attempt(() => post("projects", wanted));
    if (made) context.go(`projects/${made.id}`);
  };
  await load();
  return {
    title: t("projects.name"),
    element: h(
      "main",
      { class: "page" },
      h(
        "div",
        { class: "row between" },
        h("h1", {}, t("projects.name")),
        context.may("manage") && button(t("projects.add"), add, { icon: icon("add"), kind: "main" }),
      ),
      list,
    ),
  };
}
