// The bar below the picture: playing, the position, tracking, and how masks are shown.

import { button, h, replace, select } from "./elements.js";
import { icon } from "./icons.js";
import { number, t } from "./language.js";
import { MODES } from "./overlay.js";
import { SPEEDS } from "./player.js";

/** Buttons that play and the position; works on a viewer alone. */
export function playControls(viewer) {
  const { player, video } = viewer;
  const play = button("", () => player.toggle(), { icon: icon("play"), kind: "plain", name: t("command.play") });
  const speed = select(
    SPEEDS.map((one) => [one, `${one}×`]),
    player.speed,
    (value) => player.setSpeed(Number(value)),
    { "aria-label": t("play.speed"), class: "small" },
  );
  const position = h("input", {
    type: "number",
    min: 0,
    max: player.last,
    value: 0,
    class: "position",
    "aria-label": t("play.frame"),
    on: {
      change: () => player.seek(Number(position.value)),
      keydown: (event) => event.key === "Enter" && position.blur(),
    },
  });
  const time = h("span", { class: "dim tabular" });
  const show = () => {
    if (document.activeElement !== position) position.value = player.frame;
    time.textContent = t("play.time", { seconds: number(player.frame / (video.fps || 24), 2) });
  };
  player.moved.on(show);
  player.changed.on(() => {
    replace(play, icon(player.playing ? "pause" : "play"));
    play.setAttribute("aria-pressed", player.playing);
    speed.value = player.speed;
  });
  show();
  return h(
    "div",
    { class: "group", role: "group", "aria-label": t("group.play") },
    button("", () => player.by(-1), { icon: icon("stepBack"), kind: "plain", name: t("command.back") }),
    play,
    button("", () => player.by(1), { icon: icon("stepForward"), kind: "plain", name: t("command.on") }),
    speed,
    position,
    h("span", { class: "dim tabular" }, `/ ${player.last}`),
    time,
  );
}

/** How masks are shown. */
export function lookControls(viewer) {
  const modes = MODES.map((mode) =>
    h(
      "button",
      { type: "button", class: "segment", data: { mode }, on: { click: () => viewer.setMode(mode) } },
      t(`mode.${mode}`),
    ),
  );
  const double = button(t("mode.double"), () => viewer.setDouble(!viewer.stage.double), { kind: "small toggle" });
  const zoom = button("", () => viewer.stage.fit(), { kind: "small tabular", name: t("command.fit") });
  const show = () => {
    for (const one of modes) one.setAttribute("aria-pressed", one.dataset.mode === viewer.mode);
    double.setAttribute("aria-pressed", viewer.stage.double);
  };
  const zoomed = (scale) => (zoom.textContent = `${Math.round(100 * scale)} %`);
  viewer.looked.on(show);
  viewer.stage.zoomed.on(zoomed);
  zoomed(viewer.stage.view.scale);
  show();
  return h(
    "div",
    { class: "group", role: "group", "aria-label": t("group.view") },
    h("div", { class: "segments" }, modes),
    double,
    zoom,
  );
}

/** Tracking: where to, and what is going on. */
export function trackControls(editor) {
  const { session, timeline } = editor;
  const to = (direction, picture, name) =>
    button(name === undefined ? t(`track.${direction}`) : "", () => editor.propagate(direction), {
      icon: icon(picture),
      kind: "small track",
      name: t(`command.track_${direction === "backward" ? "back" : direction}`),
    });
  const starts = [
    to("backward", "trackBack"),
    to("both", "trackBoth", ""),
    to("forward", "trackForward"),
    to("range", "trackRange"),
  ];
  const stop = button(t("track.stop"), () => editor.stop(), {
    icon: icon("stop"),
    kind: "small danger",
    name: t("command.stop"),
  });
  const state = h("span", { class: "dim tabular", role: "status" });
  const show = () => {
    const { running } = session;
    for (const one of starts) {
      one.disabled = Boolean(running) || !session.objects.some((object) => object.prompted.length);
      one.hidden = Boolean(running);
    }
    starts[3].disabled ||= !timeline.range;
    stop.hidden = !running;
    state.textContent = running
      ? t("track.left", { frame: running.frame ?? running.start ?? "", left: session.left })
      : "";
  };
  session.changed.on(show);
  session.tracked.on(show);
  timeline.ranged.on(show);
  show();
  return h("div", { class: "group", role: "group", "aria-label": t("group.track") }, starts, stop, state);
}
