// Export and import of a project's annotations, as jobs whose files are fetched when they are ready.

import { API, get, post, upload } from "./api.js";
import { button, field, h, replace, select, table } from "./elements.js";
import { icon } from "./icons.js";
import { moment, t } from "./language.js";
import { attempt, explain } from "./notices.js";

const EXPORTS = ["sa_v", "davis", "youtube_vis", "coco", "cvat", "label_studio", "overlay"];
const IMPORTS = ["sa_v", "davis", "youtube_vis", "coco", "cvat", "label_studio"];
const POLL = 1500;

export async function exchangeTab(context, project) {
  const list = h("div", {});
  let timer = null;
  let closed = false;
  const manages = context.may("manage");

  const load = async () => {
    clearTimeout(timer);
    const jobs = await get(`projects/${project.id}/jobs`);
    if (closed) return;
    const ours = jobs.filter((one) => one.kind === "export" || one.kind === "import");
    replace(
      list,
      table([t("job"), t("exchange.format"), t("job.state"), t("job.created"), ""], ours.map(row), {
        caption: t("exchange.jobs"),
        empty: t("exchange.none"),
      }),
    );
    if (ours.some((one) => one.state === "waiting" || one.state === "running"))
      timer = setTimeout(() => attempt(load), POLL);
  };

  const row = (job) => {
    const busy = job.state === "waiting" || job.state === "running";
    const bar = h("progress", { max: 1, "aria-label": t(`job.${job.kind}`) });
    bar.value = job.progress;
    return [
      t(`job.${job.kind}`),
      job.format ? t(`format.${job.format}`) : "–",
      busy
        ? h("span", { class: "row" }, bar, `${Math.round(100 * job.progress)} %`)
        : h("span", { class: `badge ${job.state}` }, t(`job.${job.state}`), job.error && `: ${job.error}`),
      moment(job.created),
      job.file && manages
        ? archive(job)
        : busy &&
          manages &&
          button(
            t("cancel"),
            () =>
              attempt(async () => {
                await post(`jobs/${job.id}/cancel`);
                await load();
              }),
            { kind: "small" },
          ),
    ];
  };

  const archive = (job) =>
    h(
      "span",
      { class: "row" },
      h(
        "a",
        { class: "button small", href: new URL(`jobs/${job.id}/file`, API), download: "" },
        icon("download"),
        t("exchange.fetch"),
      ),
      h("span", { class: "dim" }, job.kept ? t("exchange.kept") : t("exchange.goes", { when: moment(job.expires) })),
      button(
        t(job.kept ? "exchange.let_go" : "exchange.keep"),
        () =>
          attempt(async () => {
            await post(`jobs/${job.id}/keep`, { keep: !job.kept });
            await load();
          }),
        { kind: "small" },
      ),
    );

  const out = select(
    EXPORTS.map((one) => [one, t(`format.${one}`)]),
    "sa_v",
  );
  const into = select(
    IMPORTS.map((one) => [one, t(`format.${one}`)]),
    "sa_v",
  );
  const file = h("input", { type: "file", accept: ".zip,.json,.xml" });
  const state = h("p", { class: "dim", role: "status" });
  const which = select(
    ["satisfactory", "all"].map((one) => [one, t(`exchange.${one}`)]),
    "satisfactory",
  );
  const begin = () =>
    attempt(async () => {
      await post(`projects/${project.id}/exports`, { format: out.value, which: which.value });
      await load();
    });
  const bring = async () => {
    if (!file.files.length) return file.focus();
    const sent = upload(
      `projects/${project.id}/imports`,
      file.files[0],
      { format: into.value },
      (share) => (state.textContent = `${Math.floor(100 * share)} %`),
    );
    try {
      await sent.done;
      state.textContent = "";
      file.value = "";
      await load();
    } catch (error) {
      state.textContent = explain(error);
    }
    return undefined;
  };
  await load();
  return {
    element: h(
      "div",
      { class: "stack" },
      h(
        "div",
        { class: "columns cards-two" },
        manages &&
          h(
            "section",
            { class: "card" },
            h("h2", {}, t("exchange.out")),
            h("p", { class: "dim" }, t("exchange.out_note")),
            field(t("exchange.format"), out),
            field(t("exchange.which"), which),
            button(t("exchange.export"), begin, { kind: "main", icon: icon("download") }),
          ),
        manages &&
          h(
            "section",
            { class: "card" },
            h("h2", {}, t("exchange.in")),
            h("p", { class: "dim" }, t("exchange.in_note")),
            field(t("exchange.format"), into),
            field(t("exchange.file"), file),
            button(t("exchange.import"), bring, { kind: "main", icon: icon("upload") }),
            state,
          ),
      ),
      list,
    ),
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}
