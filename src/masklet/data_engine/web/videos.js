// Videos of a project: sending them, watching them arrive, and having a model look for objects in them.

import { get, post, remove, upload } from "./api.js";
import { button, h, replace, table } from "./elements.js";
import { icon } from "./icons.js";
import { number, t } from "./language.js";
import { attempt, confirmed, explain, notice } from "./notices.js";

const POLL = 1500; // ms, while something is going on

/** A file that is being sent. */
function sending(project, file, done) {
  const bar = h("progress", { max: 1, value: 0, "aria-label": t("upload.progress", { name: file.name }) });
  const state = h("span", { class: "dim tabular" }, "0 %");
  const cancel = button("×", () => sent.cancel(), { kind: "plain", name: t("upload.cancel", { name: file.name }) });
  const element = h("li", { class: "row" }, h("span", { class: "grow" }, file.name), bar, state, cancel);
  const sent = upload(`projects/${project.id}/videos`, file, {}, (share) => {
    bar.value = share;
    state.textContent = share < 1 ? `${Math.floor(100 * share)} %` : t("upload.checking");
  });
  sent.done.then(
    () => {
      element.remove();
      done();
    },
    (error) => {
      if (error.kind === "cancelled") return element.remove();
      state.textContent = explain(error);
      state.className = "fault";
      bar.remove();
      return undefined;
    },
  );
  return element;
}

export async function videosTab(context, project) {
  const manages = context.may("manage");
  const list = h("div", {});
  const queue = h("ul", { class: "sending" });
  const jobs = h("div", {});
  let timer = null;
  let closed = false;

  const load = async () => {
    clearTimeout(timer);
    const [videos, running] = await Promise.all([
      get(`projects/${project.id}/videos`),
      get(`projects/${project.id}/jobs`),
    ]);
    if (closed) return;
    const busy = running.filter((one) => one.kind !== "export" && (one.state === "waiting" || one.state === "running"));
    replace(
      list,
      table(
        [t("video"), t("video.state"), t("video.size"), t("video.frames"), t("video.rate"), ""],
        videos.map((one) => row(one, busy)),
        { numeric: [3, 4], caption: t("videos.name"), empty: t("videos.none") },
      ),
    );
    replace(jobs, busy.map(jobRow));
    if (busy.length || videos.some((one) => one.state === "arriving")) timer = setTimeout(() => attempt(load), POLL);
  };

  const row = (video, busy) => [
    video.name,
    h(
      "span",
      { class: `badge ${video.state}`, title: video.error ?? undefined },
      t(`video.${video.state}`),
      video.error && `: ${video.error}`,
    ),
    video.width ? `${video.width}\u00a0×\u00a0${video.height}` : "–",
    number(video.frames),
    number(video.fps, 2),
    h(
      "span",
      { class: "row end" },
      manages &&
        video.state === "ready" &&
        button(
          t("automatic.start"),
          () =>
            attempt(async () => {
              await post(`videos/${video.id}/automatic`);
              await load();
            }),
          { kind: "small", icon: icon("spark"), disabled: busy.some((one) => one.video === video.id) },
        ),
      manages &&
        button("", () => drop(video), {
          kind: "plain",
          icon: icon("trash"),
          name: t("video.remove", { name: video.name }),
        }),
    ),
  ];

  const jobRow = (job) => {
    const bar = h("progress", { max: 1, "aria-label": t(`job.${job.kind}`) });
    bar.value = job.progress;
    const cancel = () =>
      attempt(async () => {
        await post(`jobs/${job.id}/cancel`);
        await load();
      });
    return h(
      "div",
      { class: "row job" },
      h("span", { class: "grow" }, t(`job.${job.kind}`)),
      bar,
      h("span", { class: "tabular dim" }, `${Math.round(100 * job.progress)} %`),
      button(t("cancel"), cancel, { kind: "small" }),
    );
  };

  const drop = async (video) => {
    if (
      !(await confirmed(t("video.remove_title"), t("video.remove_sure", { name: video.name }), t("video.remove_title")))
    )
      return;
    await attempt(async () => {
      await remove(`videos/${video.id}`);
      await load();
    });
  };

  const send = (files) => {
    for (const file of files) queue.append(sending(project, file, () => attempt(load)));
  };
  const input = h("input", {
    type: "file",
    multiple: true,
    class: "unseen",
    id: "files",
    accept: "video/*,.zip,image/*",
    on: { change: () => (send(input.files), (input.value = "")) },
  });
  const zone = h(
    "label",
    { class: "drop", for: "files" },
    icon("upload"),
    h("b", {}, t("upload.choose")),
    h("span", { class: "dim" }, t("upload.note")),
  );
  zone.addEventListener("dragover", (event) => (event.preventDefault(), zone.classList.add("over")));
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    if (event.dataTransfer.files.length) send(event.dataTransfer.files);
    else notice(t("upload.no_files"));
  });
  await load();
  return {
    element: h("div", { class: "stack" }, manages && [input, zone, queue], jobs, list),
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}
