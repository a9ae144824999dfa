// One project: its videos, tasks, numbers, and what goes in and out; each in a tab with an address of its own.

import { get } from "./api.js";
import { button, h } from "./elements.js";
import { exchangeTab } from "./exchange.js";
import { t } from "./language.js";
import { changeProject } from "./projects.js";
import { statisticsTab } from "./statistics.js";
import { tasksTab } from "./tasks.js";
import { videosTab } from "./videos.js";

const TABS = { videos: videosTab, tasks: tasksTab, statistics: statisticsTab, exchange: exchangeTab };

export async function projectScreen(context, id, tab) {
  const project = await get(`projects/${id}`);
  const chosen = TABS[tab] ? tab : "videos";
  const content = await TABS[chosen](context, project);
  const change = async () => {
    if (await changeProject(project)) context.reload();
  };
  const { every: n } = project;
  const every = n === 1 ? t("project.every_frame") : t("project.every_short", { every: n, twice: 2 * n });
  return {
    title: project.name,
    close: content.close,
    element: h(
      "main",
      { class: "page" },
      h(
        "div",
        { class: "row between" },
        h("h1", {}, project.name),
        context.may("manage") && button(t("project.change"), change, { kind: "small" }),
      ),
      h(
        "p",
        { class: "dim" },
        `${t(`phase.${project.phase}`)} · ${t("project.model")}: ${project.model} · ${every}`,
      ),
      h(
        "nav",
        { class: "tabs", "aria-label": project.name },
        Object.keys(TABS).map((name) =>
          h(
            "a",
            { href: `#/projects/${id}/${name}`, "aria-current": name === chosen ? "page" : undefined },
            t(`${name}.name`),
          ),
        ),
      ),
      content.element,
    ),
  };
}
