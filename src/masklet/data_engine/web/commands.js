// What can be done by key, in annotation and in review: {id, group, keys, run, repeat?}.

import { resizeBrush } from "./brush.js";
import { TOOL_ICONS } from "./tools.js";
import { SPEEDS } from "./player.js";

const TOOL_KEYS = { include: "c", exclude: "x", box: "b", brush: "p", eraser: "e", polygon: "g", pan: "m" };

/** Moving through the video and looking at it. `space(held)` is told of the space bar. */
export function viewCommands(viewer, space) {
  const { player, stage, timeline } = viewer;
  const speed = (by) =>
    player.setSpeed(SPEEDS[Math.max(0, Math.min(SPEEDS.length - 1, SPEEDS.indexOf(player.speed) + by))]);
  const command = (id, group, keys, run, repeat = false) => ({ id, group, keys, run, repeat });
  return [
    command("play", "play", ["Space", "k"], (event) => (event.key === " " ? space(true) : player.toggle())),
    command("back", "play", ["ArrowLeft", ","], () => player.by(-1), true),
    command("on", "play", ["ArrowRight", "."], () => player.by(1), true),
    command("back_ten", "play", ["Shift+ArrowLeft"], () => player.by(-10), true),
    command("on_ten", "play", ["Shift+ArrowRight"], () => player.by(10), true),
    command("first", "play", ["Home"], () => player.seek(0)),
    command("last", "play", ["End"], () => player.seek(player.last)),
    command("slower", "play", ["<"], () => speed(-1)),
    command("faster", "play", [">"], () => speed(1)),
    command("mode", "view", ["w"], () => viewer.nextMode()),
    command("double", "view", ["y"], () => viewer.setDouble(!stage.double)),
    command("zoom_in", "view", ["+", "="], () => stage.zoom(1.25), true),
    command("zoom_out", "view", ["-"], () => stage.zoom(0.8), true),
    command("fit", "view", ["0"], () => stage.fit()),
    command("lanes_in", "view", ["Ctrl+ArrowUp"], () => timeline.zoom(0.7), true),
    command("lanes_out", "view", ["Ctrl+ArrowDown"], () => timeline.zoom(1.4), true),
    command("lanes_fit", "view", ["Shift+0", ")"], () => timeline.fit()),
  ];
}

export function editCommands(editor, { space, panel, submit, help, theme }) {
  const { viewer, timeline } = editor;
  const selected = (run) => () => viewer.selected !== null && run(viewer.selected);
  const command = (id, group, keys, run, repeat = false) => ({ id, group, keys, run, repeat });
  const cross = (name, key, dx, dy) =>
    command(
      name,
      "cross",
      [`Alt+${key}`, `Alt+Shift+${key}`],
      (event) => {
        const step = event.shiftKey ? 1 : Math.max(4, editor.video.width / 64);
        editor.moveCross(step * dx, step * dy);
      },
      true,
    );
  return [
    ...Object.keys(TOOL_ICONS).map((tool) =>
      command(`tool_${tool}`, "tools", [TOOL_KEYS[tool]], () => editor.use(tool)),
    ),
    command(
      "brush_smaller",
      "tools",
      ["["],
      () => (resizeBrush(0.8), editor.stage.invalidate("cursor"), editor.toolChanged()),
      true,
    ),
    command(
      "brush_larger",
      "tools",
      ["]"],
      () => (resizeBrush(1.25), editor.stage.invalidate("cursor"), editor.toolChanged()),
      true,
    ),
    command("accept", "tools", ["Enter"], () => editor.accept(1)),
    command("cancel", "tools", ["Escape"], () => editor.cancel()),
    command("clear", "tools", ["Backspace", "Delete"], () => editor.clear()),
    command("absent", "tools", ["v"], () => editor.toggleAbsent()),
    command("undo", "tools", ["Ctrl+z"], () => editor.undo(), true),
    command("redo", "tools", ["Ctrl+Shift+z", "Ctrl+y"], () => editor.redo(), true),
    command("track_forward", "track", ["f"], () => editor.propagate("forward")),
    command("track_back", "track", ["Shift+f"], () => editor.propagate("backward")),
    command("track_both", "track", ["t"], () => editor.propagate("both")),
    command("track_range", "track", ["Shift+t"], () => editor.propagate("range")),
    command("stop", "track", ["s"], () => editor.stop()),
    command("suggest", "track", ["n"], () => editor.nextSuggestion()),
    command("mark_first", "track", ["i"], () => editor.mark("first")),
    command("mark_last", "track", ["o"], () => editor.mark("last")),
    command("mark_none", "track", ["Shift+i"], () => timeline.setRange(null)),
    command("prompt_before", "play", ["ArrowUp"], () => editor.toPrompt(-1)),
    command("prompt_after", "play", ["ArrowDown"], () => editor.toPrompt(1)),
    ...viewCommands(viewer, space),
    command("add", "objects", ["a"], () => panel.add()),
    command("object_before", "objects", ["q"], () => editor.selectBy(-1)),
    command("object_after", "objects", ["r"], () => editor.selectBy(1)),
    ...[1, 2, 3, 4, 5, 6, 7, 8, 9].map((at) =>
      command(`object_${at}`, "objects", [String(at)], () => {
        const object = editor.objects[at - 1];
        if (object) editor.select(object.number);
      }),
    ),
    command(
      "rename",
      "objects",
      ["F2"],
      selected((number) => panel.rename(number)),
    ),
    command(
      "hide",
      "objects",
      ["h"],
      selected((number) => viewer.toggleHidden(number)),
    ),
    command(
      "solo",
      "objects",
      ["Shift+h"],
      selected((number) => viewer.toggleSolo(number)),
    ),
    command("lock", "objects", ["l"], () => editor.toggleLock()),
    command(
      "remove",
      "objects",
      ["Shift+Delete"],
      selected((number) => panel.remove(number)),
    ),
    cross("cross_left", "ArrowLeft", -1, 0),
    cross("cross_right", "ArrowRight", 1, 0),
    cross("cross_up", "ArrowUp", 0, -1),
    cross("cross_down", "ArrowDown", 0, 1),
    command("cross_exclude", "cross", ["Shift+Enter"], () => editor.accept(0)),
    command("submit", "page", ["Ctrl+Enter"], () => submit()),
    command("theme", "page", ["Shift+d"], () => theme()),
    command("help", "page", ["?", "F1"], () => help()),
  ];
}

export function reviewCommands(review, { space, help, theme }) {
  const command = (id, group, keys, run, repeat = false) => ({ id, group, keys, run, repeat });
  return [
    command("approve", "review", ["a"], () => review.judge("satisfactory")),
    command("reject", "review", ["r"], () => review.judge("unsatisfactory")),
    command("ill_defined", "review", ["i"], () => review.judge("ill_defined")),
    command("comment", "review", ["c"], () => review.focusComment()),
    command("worst", "review", ["n"], () => review.nextWorst(1)),
    command("worst_before", "review", ["Shift+n"], () => review.nextWorst(-1)),
    ...viewCommands(review.viewer, space),
    command("theme", "page", ["Shift+d"], () => theme()),
    command("help", "page", ["?", "F1"], () => help()),
  ];
}
