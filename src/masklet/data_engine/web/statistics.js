// The numbers of a project: totals, plots, a table by annotator, and table 1 of the paper for one's own projects.

import { API, get } from "./api.js";
import { button, h, replace, select, table } from "./elements.js";
import { icon } from "./icons.js";
import { number, percent, t } from "./language.js";
import { attempt } from "./notices.js";
import { bars, line } from "./plots.js";

const csv = (path, name) =>
  h("a", { class: "button", href: new URL(path, API), download: "", "aria-label": name }, icon("download"), "CSV");

function tile(name, value) {
  return h("div", { class: "tile" }, h("dt", {}, name), h("dd", {}, value));
}

function plots({ people, days }) {
  const tracking = people.filter((one) => one.stage === "track");
  const of = (rows, field, factor = 1) =>
    rows.map((one) => [one.annotator, one[field] === null ? null : factor * one[field]]);
  const some = (rows) => rows.some(([, value]) => value !== null);
  const pace = people.map((one) => [`${one.annotator} · ${t(`stage.${one.stage}`)}`, one.tasks_an_hour]);
  const handed = days.filter((one) => one.stage === "track").map((one) => [one.day.slice(5), one.masklets]);
  return [
    [of(tracking, "seconds_a_frame"), (rows) => bars(t("statistics.seconds_a_frame"), rows)],
    [of(tracking, "edited_share", 100), (rows) => bars(t("statistics.edited_share"), rows, { unit: " %" })],
    [of(tracking, "clicks_per_edited_frame"), (rows) => bars(t("statistics.clicks"), rows, { digits: 2 })],
    [pace, (rows) => bars(t("statistics.throughput"), rows)],
    [of(tracking, "acceptance_rate", 100), (rows) => bars(t("statistics.acceptance"), rows, { digits: 0, unit: " %" })],
    [handed, (rows) => line(t("statistics.days"), rows, { digits: 0 })],
  ]
    .filter(([rows]) => some(rows))
    .map(([rows, plot]) => plot(rows));
}

const inPercent = (value, digits) => percent(value === null ? null : value / 100, digits);

/** Phases beside each other, as the paper's table 1 lays them out. */
async function tableOne(project, projects) {
  const chosen = new Set([project.id]);
  const area = h("div", {});
  let reference = project.id;
  const load = () =>
    attempt(async () => {
      const asked = { projects: [...chosen].join(","), reference };
      const rows = await get("table1", asked);
      replace(
        area,
        csv(`table1.csv?${new URLSearchParams(asked)}`, `CSV: ${t("table1.name")}`),
        table(
          [
            t("table1.project"),
            t("table1.phase"),
            t("statistics.seconds_a_frame"),
            t("statistics.edited_share"),
            t("statistics.clicks"),
            t("table1.all"),
            t("table1.small"),
            t("table1.medium"),
            t("table1.large"),
          ],
          rows.map((row) => [
            row.project,
            t(`phase.${row.phase}`),
            number(row.seconds_a_frame, 1),
            inPercent(row.edited_frames_percent, 2),
            number(row.clicks_per_edited_frame, 2),
            ...["all", "small", "medium", "large"].map((size) => inPercent(row[`alignment_${size}`])),
          ]),
          { numeric: [2, 3, 4, 5, 6, 7, 8], caption: t("table1.name") },
        ),
      );
    });
  const boxes = projects.map((one) =>
    h(
      "label",
      { class: "row check" },
      h("input", {
        type: "checkbox",
        checked: chosen.has(one.id),
        on: {
          change: (event) => {
            if (event.target.checked) chosen.add(one.id);
            else chosen.delete(one.id);
            load();
          },
        },
      }),
      one.name,
    ),
  );
  const against = select(
    projects.map((one) => [one.id, one.name]),
    project.id,
    (id) => {
      reference = Number(id);
      load();
    },
    { "aria-label": t("table1.reference") },
  );
  await load();
  return h(
    "section",
    { class: "stack" },
    h("h2", {}, t("table1.name")),
    h("p", { class: "dim" }, t("table1.note")),
    h("div", { class: "row wrap" }, boxes, h("span", { class: "dim" }, t("table1.reference")), against),
    area,
  );
}

/** How far those who tracked the same object agree: some videos at a time, for comparing masks takes a while. */
async function agreement(project) {
  const area = h("div", {});
  const rows = [];
  const headings = [t("video"), t("tasks.object"), t("agreement.copies"), t("agreement.mean")];
  let after = 0;
  const load = async () => {
    const some = await get(`projects/${project.id}/agreement`, { after });
    rows.push(...some.objects.map((one) => [one.video, number(one.object), number(one.copies), number(one.mean, 3)]));
    after = some.next;
    more.hidden = after === null;
    replace(
      area,
      table(headings, rows, { numeric: [1, 2, 3], caption: t("agreement.name"), empty: t("statistics.none") }),
    );
  };
  const more = button(t("agreement.more"), () => attempt(load), { kind: "small" });
  await load();
  return h(
    "section",
    { class: "stack" },
    h("h2", {}, t("agreement.name")),
    h("p", { class: "dim" }, t("agreement.note")),
    area,
    more,
  );
}

export async function statisticsTab(context, project) {
  const [rows, projects] = await Promise.all([get(`projects/${project.id}/statistics`), get("projects")]);
  const people = rows.filter((one) => one.annotator !== null);
  const days = rows.filter((one) => one.day !== null);
  const total = rows.find((one) => one.stage === "track" && one.annotator === null && one.day === null) ?? {};
  return {
    element: h(
      "div",
      { class: "stack" },
      h(
        "div",
        { class: "row between" },
        h(
          "dl",
          { class: "tiles" },
          tile(t("statistics.seconds_a_frame"), number(total.seconds_a_frame, 1)),
          tile(t("statistics.edited_share"), percent(total.edited_share)),
          tile(t("statistics.clicks"), number(total.clicks_per_edited_frame, 2)),
          tile(t("statistics.acceptance"), percent(total.acceptance_rate, 0)),
          tile(t("statistics.masklets"), number(total.masklets)),
        ),
        csv(`projects/${project.id}/statistics.csv`),
      ),
      h("div", { class: "plots" }, plots({ people, days })),
      h("h2", {}, t("statistics.by_annotator")),
      table(
        [
          t("user"),
          t("tasks.stage"),
          t("statistics.tasks"),
          t("statistics.hours"),
          t("statistics.throughput"),
          t("statistics.seconds_a_frame"),
          t("statistics.edited_share"),
          t("statistics.clicks"),
          t("statistics.acceptance"),
        ],
        people.map((one) => [
          one.annotator,
          t(`stage.${one.stage}`),
          number(one.tasks),
          number(one.seconds / 3600, 2),
          number(one.tasks_an_hour, 1),
          number(one.seconds_a_frame, 1),
          percent(one.edited_share),
          number(one.clicks_per_edited_frame, 2),
          percent(one.acceptance_rate, 0),
        ]),
        { numeric: [2, 3, 4, 5, 6, 7, 8], caption: t("statistics.by_annotator"), empty: t("statistics.none") },
      ),
      project.settings.annotators > 1 && (await agreement(project)),
      await tableOne(project, projects),
    ),
  };
}
