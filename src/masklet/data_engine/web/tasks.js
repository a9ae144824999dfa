// The queue: what there is to do in each stage, and taking the next of it.

import { get, post } from "./api.js";
import { button, h, replace, select, table } from "./elements.js";
import { moment, number, t } from "./language.js";
import { attempt, notice } from "./notices.js";

const PERMISSION = { select: "annotate", track: "annotate", verify: "verify" };

export async function tasksTab(context, project) {
  const list = h("div", {});
  const counts = h("div", { class: "stages" });
  const filter = { stage: "", state: "" };
  const stages = project.settings?.stages ?? Object.keys(PERMISSION);

  const claim = (stage) =>
    attempt(async () => {
      const task = await post(`projects/${project.id}/claim`, { stage });
      if (task) context.go(`tasks/${task.id}`);
      else notice(t("tasks.none_open"));
    });

  const stageCard = (stage) => {
    const states = project.tasks?.[stage] ?? {};
    return h(
      "section",
      { class: "card stage-card" },
      h("h2", {}, t(`stage.${stage}`)),
      h("p", { class: "dim" }, t(`stage.${stage}_note`)),
      h(
        "dl",
        { class: "facts" },
        ["open", "leased", "done"].map((state) =>
          h("div", {}, h("dt", {}, t(`task.${state}`)), h("dd", {}, number(states[state] ?? 0))),
        ),
      ),
      context.may(PERMISSION[stage]) &&
        button(t("tasks.next"), () => claim(stage), {
          kind: "main",
          name: t("tasks.next_of", { stage: t(`stage.${stage}`) }),
        }),
    );
  };

  const load = async () => {
    const query = {
      stage: filter.stage || null,
      state: filter.state === "mine" ? null : filter.state || null,
      mine: filter.state === "mine" ? true : null,
    };
    const tasks = await get(`projects/${project.id}/tasks`, query);
    replace(
      list,
      table(
        [
          t("video"),
          t("tasks.object"),
          t("tasks.stage"),
          t("tasks.state"),
          t("tasks.round"),
          t("tasks.priority"),
          t("tasks.who"),
          t("tasks.until"),
          t("tasks.seconds"),
          "",
        ],
        tasks.map(row),
        { numeric: [4, 5, 8], caption: t("tasks.name"), empty: t("tasks.none") },
      ),
    );
  };

  const row = (task) => {
    const open = task.state === "open" || (task.state === "leased" && task.lease);
    return [
      task.video.name,
      task.object?.name ?? "–",
      t(`stage.${task.stage}`),
      h("span", { class: `badge ${task.state}` }, t(`task.${task.state}`)),
      number(task.round),
      task.stage === "verify" ? number(task.priority, 2) : "–",
      task.assignee ?? task.done_by ?? "–",
      task.state === "leased" ? moment(task.lease_expires) : "–",
      number(task.seconds, 0),
      open &&
        context.may(PERMISSION[task.stage]) &&
        button(
          t(task.lease ? "tasks.go_on" : "tasks.take"),
          () =>
            attempt(async () => {
              if (!task.lease) await post(`tasks/${task.id}/claim`);
              context.go(`tasks/${task.id}`);
            }),
          { kind: "small", name: t("tasks.take_of", { name: task.video.name }) },
        ),
    ];
  };

  const change = (name) => (value) => {
    filter[name] = value;
    attempt(load);
  };
  replace(counts, stages.map(stageCard));
  await load();
  return {
    element: h(
      "div",
      { class: "stack" },
      counts,
      h(
        "div",
        { class: "row" },
        select([["", t("tasks.all_stages")], ...stages.map((one) => [one, t(`stage.${one}`)])], "", change("stage"), {
          "aria-label": t("tasks.stage"),
        }),
        select(
          [
            ["", t("tasks.all_states")],
            ["mine", t("tasks.mine")],
            ...["open", "leased", "done", "cancelled"].map((one) => [one, t(`task.${one}`)]),
          ],
          "",
          change("state"),
          { "aria-label": t("tasks.state") },
        ),
        button(t("refresh"), () => attempt(load), { kind: "small" }),
      ),
      list,
    ),
  };
}
