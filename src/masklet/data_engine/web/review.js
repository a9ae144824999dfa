// Verification of one masklet: watch it, go to its worst frames, judge it, say what is wrong.

import { get, post } from "./api.js";
import { reviewCommands } from "./commands.js";
import { button, h, replace } from "./elements.js";
import { showHelp } from "./help.js";
import { icon } from "./icons.js";
import { judgementRow } from "./judgements.js";
import { Keys } from "./keys.js";
import { number, percent, t } from "./language.js";
import { MaskStore } from "./mask_store.js";
import { attempt, notice } from "./notices.js";
import { Pointers } from "./pointers.js";
import { switchTheme } from "./settings.js";
import { lookControls, playControls } from "./transport.js";
import { Viewer } from "./viewer.js";
import { beatOf } from "./session.js";
import { WorkClock } from "./work_clock.js";

const WORST = 8;
const APART = 3; // annotated frames between two of the worst

/** The frames of least confidence, none close to another. */
export function worstFrames(confidence, step) {
  const frames = [...confidence].sort(([, a], [, b]) => a - b);
  const chosen = [];
  for (const [frame, value] of frames) {
    if (chosen.length === WORST) break;
    if (chosen.every((one) => Math.abs(one.frame - frame) > APART * step)) chosen.push({ frame, value });
  }
  return chosen;
}

class Review {
  worst = [];
  confidence = new Map();

  constructor(context, task, project) {
    Object.assign(this, { context, task, project });
    const { video, object } = task;
    this.object = object;
    this.masks = new MaskStore(
      video,
      async (first, count) => (await get(`videos/${video.id}/masks`, { first, count })).masks,
    );
    this.viewer = new Viewer(video, this.masks, project.every || 1);
    this.viewer.objects = [object];
    this.viewer.selected = object.number;
    this.viewer.tool = () => this.tool;
    this.tool = { id: "pan", pans: true };
    this.clock = new WorkClock();
    this.comment = h("textarea", { rows: 3, maxlength: 2000, id: "comment" });
    this.atFrame = h("input", { type: "checkbox", id: "at-frame", checked: true });
    this.worstList = h("ol", { class: "suggestions" });
    this.judgements = h("ul", { class: "judgements" });
    this.summary = h("dl", { class: "summary" });
    this.viewer.player.moved.on(() => this.drawPosition());
    this.masks.want(0);
    this.beat = setInterval(() => this.#heartbeat(), beatOf(task));
    this.viewer.timeline.setLanes([{ ...object, prompted: [] }], object.number);
    attempt(() => this.#readAll());
    attempt(() => this.#readJudgements());
  }

  /** Confidence of the whole masklet, for its lane and the worst frames. */
  async #readAll() {
    const { video } = this.task;
    const { frames, confidence, prompted } = await get(`objects/${this.object.id}/scores`);
    this.confidence = new Map(frames.map((frame, at) => [frame, confidence[at]]));
    const shown = Array.from(
      { length: video.frames },
      (_, t) => this.confidence.get(t - (t % this.viewer.player.step)) ?? null,
    );
    const score = { first: 0, confidence: shown };
    this.viewer.timeline.setLanes([{ ...this.object, prompted, score }], this.object.number);
    this.worst = worstFrames(this.confidence, this.viewer.player.step);
    const values = [...this.confidence.values()];
    const mean = values.reduce((sum, value) => sum + value, 0) / (values.length || 1);
    replace(
      this.summary,
      [
        [t("review.frames"), number(values.length)],
        [t("review.edited"), number(prompted.length)],
        [t("review.confidence"), percent(mean)],
      ].map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
    );
    this.drawWorst();
  }

  async #readJudgements() {
    const judgements = await get(`objects/${this.object.id}/judgements`);
    replace(
      this.judgements,
      judgements.length
        ? judgements.map((one) => judgementRow(one, (frame) => this.viewer.player.seek(frame)))
        : h("li", { class: "empty" }, t("review.no_judgements")),
    );
  }

  drawWorst() {
    this.worstRows = this.worst.map((one) => [
      one,
      h(
        "button",
        { type: "button", class: "suggestion", on: { click: () => this.viewer.player.seek(one.frame) } },
        h("b", {}, t("frame", { frame: one.frame })),
        h("span", {}, t("review.confident", { share: percent(one.value, 0) })),
      ),
    ]);
    replace(
      this.worstList,
      this.worstRows.map(([, row]) => h("li", {}, row)),
    );
    this.drawPosition();
  }

  drawPosition() {
    for (const [one, row] of this.worstRows ?? [])
      row.setAttribute("aria-current", one.frame === this.viewer.player.frame);
  }

  nextWorst(step) {
    if (!this.worst.length) return;
    const at = this.worst.findIndex((one) => one.frame === this.viewer.player.frame);
    const next = at < 0 ? 0 : (at + step + this.worst.length) % this.worst.length;
    this.viewer.player.pause();
    this.viewer.player.seek(this.worst[next].frame);
  }

  focusComment() {
    this.comment.focus();
  }

  async judge(verdict) {
    if (this.judging) return;
    if (verdict !== "satisfactory" && !this.comment.value.trim()) {
      notice(t("review.say_why"));
      this.focusComment();
      return;
    }
    this.judging = true;
    const { id, lease, project } = this.task;
    const frame = this.atFrame.checked && this.comment.value.trim() ? this.viewer.player.frame : null;
    const done = await attempt(() =>
      post(`tasks/${id}/verdict`, {
        lease,
        verdict,
        comment: this.comment.value.trim(),
        frame,
        seconds: this.clock.take(),
      }),
    );
    this.judging = false;
    if (done === undefined) return;
    notice(t("review.judged", { verdict: t(`verdict.${verdict}`) }), "good");
    const next = await attempt(() => post(`projects/${project}/claim`, { stage: "verify" }));
    this.context.go(next ? `tasks/${next.id}` : `projects/${project}/tasks`);
  }

  async sendComment() {
    const comment = this.comment.value.trim();
    if (!comment) return;
    const frame = this.atFrame.checked ? this.viewer.player.frame : null;
    if ((await attempt(() => post(`objects/${this.object.id}/comments`, { comment, frame }))) === undefined) return;
    this.comment.value = "";
    await attempt(() => this.#readJudgements());
  }

  async #heartbeat() {
    try {
      await post(`tasks/${this.task.id}/heartbeat`, { lease: this.task.lease });
    } catch (error) {
      if (error.kind !== "lease_lost") return;
      clearInterval(this.beat);
      notice(t("lease.lost_note"), "bad");
      this.context.go(`projects/${this.task.project}/tasks`);
    }
  }

  close() {
    clearInterval(this.beat);
    this.clock.close();
    this.viewer.close();
  }
}

export function reviewScreen(context, task, project) {
  const review = new Review(context, task, project);
  const { viewer } = review;
  const pointers = new Pointers(
    viewer.stage,
    () => review.tool,
    () => viewer.player.toggle(),
  );
  const commands = reviewCommands(review, {
    space: (held) => pointers.holdSpace(held),
    help: () => showHelp(keys, commands),
    theme: switchTheme,
  });
  const keys = new Keys(commands);
  const spaceUp = (event) => event.key === " " && pointers.holdSpace(false);
  document.addEventListener("keyup", spaceUp);

  const release = async () => {
    await attempt(() => post(`tasks/${task.id}/release`, { lease: task.lease }));
    context.go(`projects/${task.project}/tasks`);
  };
  const header = h(
    "header",
    { class: "bar" },
    h(
      "a",
      { href: `#/projects/${task.project}/tasks`, class: "plain-link", "aria-label": t("back_to_tasks") },
      icon("arrowLeft"),
    ),
    h("h1", {}, `${task.video.name} · ${task.object.name}`),
    h("span", { class: "badge" }, t("stage.verify")),
    h("span", { class: "space" }),
    lookControls(viewer),
    button("", switchTheme, { icon: icon("moon"), kind: "plain", name: t("theme.switch") }),
    button("", () => showHelp(keys, commands), { icon: icon("help"), kind: "plain", name: t("command.help") }),
    button(t("release.accept"), release, { kind: "small" }),
  );
  const verdict = (name, picture, kind) =>
    button(t(`verdict.${name}`), () => review.judge(name), { icon: icon(picture), kind });
  const side = h(
    "aside",
    { class: "side", "aria-label": t("review.panel") },
    h(
      "section",
      {},
      h("h2", {}, t("review.verdict")),
      h(
        "div",
        { class: "verdicts" },
        verdict("satisfactory", "check", "good"),
        verdict("unsatisfactory", "close", "danger"),
        verdict("ill_defined", "minus", ""),
      ),
    ),
    h(
      "section",
      {},
      h("label", { for: "comment" }, t("review.comment")),
      review.comment,
      h(
        "div",
        { class: "row between" },
        h("label", { class: "row check", for: "at-frame" }, review.atFrame, t("review.at_frame")),
        button(t("review.send"), () => review.sendComment(), { kind: "small", icon: icon("comment") }),
      ),
    ),
    h("section", {}, h("h2", {}, t("review.masklet")), review.summary),
    h("section", {}, h("h2", {}, t("review.worst")), review.worstList),
    h("section", {}, h("h2", {}, t("review.history")), review.judgements),
  );

  return {
    element: h(
      "div",
      { class: "annotate review" },
      header,
      h("main", { class: "picture", "aria-label": t("stage.area") }, viewer.stage.element),
      side,
      h("div", { class: "transport" }, playControls(viewer)),
      viewer.timeline.element,
    ),
    full: true,
    close() {
      document.removeEventListener("keyup", spaceUp);
      keys.close();
      review.close();
    },
  };
}
