"""The data engine's page against a stand-in: annotation, review and the screens around them, in a real browser.

``MASKLET_SHOTS=FOLDER`` keeps a screenshot of every state.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from annotation_stand_in import FRAMES, HEIGHT, WIDTH, StandIn, Target, centre, confidence, disc_counts, serve

from masklet.masks import rle

pytestmark = pytest.mark.browser

SCHEMES = ("light", "dark")
MEANT = (
    "Failed to load resource",
    "WebSocket connection",
    "Canvas2D",
)  # refusals of the server, and pixels that tests read


@dataclass
class Opened:
    """A page on the screen, the server behind it, and what went wrong in it."""

    page: Any
    memory: StandIn
    url: str
    faults: list[str] = field(default_factory=list)

    def go(self, path: str) -> None:
        self.page.goto(f"{self.url}#/{path}")

    def task(self, number: int = 2) -> None:
        """Open a task and wait for its first frame."""
        self.go(f"tasks/{number}")
        self.page.wait_for_selector(".stage[data-shown='0']")
        if number < 3:
            self.page.wait_for_selector(".connection[data-state=open]")

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a point of the video is on the screen."""
        box = self.page.locator(".stage").bounding_box()
        view = self.page.evaluate("maskletEditor.stage.view")
        return box["x"] + view["x"] + x * view["scale"], box["y"] + view["y"] + y * view["scale"]

    def click(self, x: float, y: float, **more: Any) -> None:
        """Click a point of the video and wait for the answer."""
        before = len(self.memory.done)
        self.page.mouse.click(*self.at(x, y), **more)
        self.until(lambda: len(self.memory.done) > before)
        self.settled()

    def drag(self, *points: tuple[float, float]) -> None:
        self.page.mouse.move(*self.at(*points[0]))
        self.page.mouse.down()
        for point in points[1:]:
            self.page.mouse.move(*self.at(*point), steps=4)
        self.page.mouse.up()

    def settled(self) -> None:
        self.page.wait_for_selector(".connection[data-state=open]")

    def until(self, true: Callable[[], bool]) -> None:
        for _ in range(400):
            if true():
                return
            self.page.wait_for_timeout(25)
        raise AssertionError("it did not happen")

    def when(self, expression: str) -> None:
        """Wait until an expression is true; the page's policy keeps Playwright's own way from working."""
        self.until(lambda: bool(self.page.evaluate(expression)))

    def kinds(self) -> list[str]:
        return [message["kind"] for message in self.memory.done]

    def mask(self, number: int, frame: int) -> np.ndarray:
        """A mask as the page has it."""
        counts = self.page.evaluate(f"maskletEditor.session.masks.get({number}, {frame})?.counts")
        return decoded(counts)

    def shot(self, name: str) -> None:
        if folder := os.environ.get("MASKLET_SHOTS"):
            self.page.wait_for_timeout(150)
            self.page.screenshot(path=str(Path(folder) / f"{name}.png"))


def decoded(counts: str) -> np.ndarray:
    return rle.decode({"size": [HEIGHT, WIDTH], "counts": counts})


@pytest.fixture
def opened(browser):
    """Opens the page on a server of its own; whatever goes wrong in it fails the test."""
    closing = []

    def open_page(scheme="light", width=1280, height=800, touch=False, memory=None):
        server = serve(memory or StandIn())
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            has_touch=touch,
            is_mobile=touch,
            locale="en",
        )
        one = Opened(context.new_page(), server.memory, server.url)
        one.page.set_default_timeout(10_000)
        one.page.on("console", lambda said: one.faults.append(said.text) if said.type in ("error", "warning") else None)
        one.page.on("pageerror", lambda error: one.faults.append(str(error)))
        closing.append((one, context, server))
        return one

    yield open_page
    for one, context, server in closing:
        context.close()
        server.close()
        assert [fault for fault in one.faults if not fault.startswith(MEANT)] == []


def with_objects(count: int = 2, frames: int = FRAMES) -> StandIn:
    """A session in which everything was tracked."""
    memory = StandIn(next_number=count + 1, frames=frames)
    for number, colour in zip(range(1, count + 1), ("#2f81f7", "#f0883e", "#3fb950"), strict=False):
        target = Target(number, f"Object {number}", colour, points={0: [([90.0, 135.0], 1)]})
        place = centre if number == 1 else (lambda t: (365 - t % FRAMES / 2, 195.0))
        target.masks = {t: disc_counts(*place(t), 30 if number == 1 else 24) for t in range(frames)}
        memory.targets[number] = target
    return memory


# Masks


def test_run_lengths_are_those_of_coco(opened):
    one = opened()
    one.go("")
    rng = np.random.default_rng(3)
    masks = [rng.random((37, 53)) < share for share in (0.02, 0.5, 0.98)]
    masks += [np.zeros((37, 53), bool), np.ones((37, 53), bool), decoded(disc_counts(90, 40, 60))[:200, :300]]
    for mask in masks:
        height, width = mask.shape
        counts = rle.encode(mask)["counts"]
        there, back, area = one.page.evaluate(
            """async ([counts, height, width, flat]) => {
              const { decodeCounts, encodeCounts, runsOfImage, paintRuns } = await import('/masks.js');
              const { loopsOf } = await import('/outlines.js');
              const runs = decodeCounts(counts), image = new ImageData(width, height);
              paintRuns(runs, image);
              const same = flat.every((value, at) => (image.data[4 * at + 3] > 127) === Boolean(value));
              const area = loopsOf(runs, height, width).reduce((sum, loop) => {
                for (let i = 0; i < loop.length; i += 2) {
                  const [x, y, u, v] = [loop[i], loop[i + 1], loop[(i + 2) % loop.length], loop[(i + 3) % loop.length]];
                  sum += (x * v - u * y) / 2;
                }
                return sum;
              }, 0);
              return [same, encodeCounts(runsOfImage(image)), area];
            }""",
            [counts, height, width, mask.astype(int).ravel().tolist()],
        )
        assert there
        assert back == counts
        assert area == mask.sum()  # what the outline encloses, holes taken off


# Prompts


def test_clicks_prompt_and_their_mask_is_painted(opened):
    one = opened()
    one.task()
    one.shot("annotate_empty")
    one.click(90, 135)
    assert one.kinds() == ["object_add", "prompt"]
    sent = one.memory.done[1]
    assert (sent["frame"], sent["object"], sent["labels"]) == (0, 1, [1])
    assert "clear" not in sent
    assert np.abs(np.array(sent["points"]) - [[90, 135]]).max() < 0.6
    assert 0 <= sent["seconds"] < 60
    one.click(110, 150, button="right")
    one.page.keyboard.down("Alt")
    one.click(112, 130)
    one.page.keyboard.up("Alt")
    assert [message["labels"] for message in one.memory.done[1:]] == [[1], [0], [0]]
    assert one.page.evaluate("maskletEditor.session.dots(1, 0).labels") == [1, 0, 0]
    assert (one.mask(1, 0) == decoded(one.memory.targets[1].masks[0])).all()
    one.until(lambda: len(one.page.evaluate("maskletTimings")) == 3)
    assert all(0 < sample["ms"] < 5000 and sample["server"] == 1 for sample in one.page.evaluate("maskletTimings"))
    one.shot("annotate_clicks")


def test_the_mask_is_painted_where_it_is(opened):
    one = opened()
    one.task()
    one.click(90, 135)
    alpha = """([x, y]) => {
      const { stage } = maskletEditor, { scale, x: left, y: top } = stage.view, ratio = devicePixelRatio;
      return stage.canvases.masks.getContext('2d')
        .getImageData((left + x * scale) * ratio, (top + y * scale) * ratio, 1, 1).data[3];
    }"""
    for mode, inside, outside in (("fill", True, False), ("outline", False, False), ("cutout", False, True)):
        one.page.click(f"[data-mode={mode}]")
        one.page.wait_for_timeout(100)
        assert (one.page.evaluate(alpha, [100, 140]) > 0) == inside
        assert (one.page.evaluate(alpha, [200, 40]) > 0) == outside
        one.shot(f"annotate_{mode}")


def test_corrections_take_effect_as_chosen(opened):
    one = opened(memory=with_objects(1))
    one.task()
    one.page.get_by_label("Corrections of tracked frames").select_option("barrier")
    one.click(90, 135)
    one.page.reload()
    one.page.wait_for_selector(".stage[data-shown='0']")
    one.page.get_by_label("Corrections of tracked frames").select_option("blend")
    one.settled()
    one.click(95, 135)
    assert [message.get("correction") for message in one.memory.done] == ["barrier", None]


def test_a_box_prompts(opened):
    one = opened()
    one.task()
    one.page.keyboard.press("b")
    one.drag((60, 105), (120, 165))
    one.until(lambda: one.kinds() == ["object_add", "prompt"])
    sent = one.memory.done[1]
    assert sent["points"] == []
    assert np.abs(np.array(sent["box"]) - [60, 105, 120, 165]).max() < 1


def test_brush_and_eraser_become_masks(opened):
    one = opened()
    one.task()
    one.page.keyboard.press("p")
    one.drag((60, 60), (140, 60))
    one.until(lambda: one.kinds() == ["object_add", "mask"])
    painted = decoded(one.memory.done[-1]["counts"])
    assert painted[60, 50:150].all()
    assert not painted[60 + 14].any()  # the brush has a radius of 12
    one.page.keyboard.press("e")
    one.drag((100, 30), (100, 90))
    one.until(lambda: len(one.memory.done) == 3)
    rest = decoded(one.memory.done[-1]["counts"])
    assert not rest[60, 90:111].any()
    assert rest[60, 60]
    assert (painted | ~rest).all()  # nothing was added
    assert (one.mask(1, 0) == rest).all()
    one.shot("annotate_brush")


def test_an_object_is_said_to_be_absent(opened):
    one = opened(memory=with_objects())
    one.task()
    page, target = one.page, one.memory.targets[1]
    page.keyboard.press("1")
    button = page.get_by_role("button", name="Not visible", exact=True)
    assert button.get_attribute("aria-pressed") == "false"
    page.keyboard.press("v")  # on this frame
    one.until(lambda: target.said_absent == {0})
    one.when("!maskletEditor.session.masks.shape(maskletEditor.session.masks.get(1, 0)).loops.length")
    assert page.locator("#status").inner_text() == "Not visible: Object 1, frame 0"
    one.until(lambda: button.get_attribute("aria-pressed") == "true")
    page.click("text=Clear frame")  # that is taken back
    one.until(lambda: target.said_absent == set())
    for key, frame in (("i", 30), ("o", 40)):
        page.evaluate(f"maskletEditor.player.seek({frame})")
        page.keyboard.press(key)
    button.click()  # on the marked range
    one.until(lambda: target.said_absent == {*range(30, 41)})
    assert page.locator(".lane").count() == 2
    one.until(lambda: button.get_attribute("aria-pressed") == "true")
    one.shot("annotate_absent")
    page.keyboard.press("Control+z")
    one.until(lambda: one.memory.targets[1].said_absent == set())
    one.until(lambda: button.get_attribute("aria-pressed") == "false")
    page.keyboard.press("v")
    one.until(lambda: len(one.memory.targets[1].said_absent) == 11)
    one.settled()
    page.keyboard.press("v")
    one.until(lambda: one.memory.targets[1].said_absent == set())
    assert one.kinds() == ["absent", "present", "absent", "undo", "absent", "present"]


def test_erasing_all_of_a_mask_says_that_the_object_is_absent(opened):
    one = opened(memory=with_objects(1))
    one.task()
    one.when("maskletEditor.session.masks.get(1, 0)")
    for _ in range(9):
        one.page.keyboard.press("]")
    one.page.keyboard.press("e")
    one.drag((400, 20), (410, 20))  # nothing is erased there
    one.drag((90, 135), (95, 135))
    one.until(lambda: one.memory.targets[1].said_absent == {0})
    assert one.kinds()[-1] == "absent"
    one.settled()
    one.page.keyboard.press("p")
    one.drag((90, 135), (95, 135))  # it is there after all
    one.until(lambda: one.kinds()[-1] == "mask")
    assert one.memory.targets[1].said_absent == set()


def test_a_polygon_is_drawn_and_an_outline_is_edited(opened):
    one = opened()
    one.task()
    one.page.keyboard.press("g")
    for point in ((50, 50), (150, 50), (150, 120), (50, 120)):
        one.page.mouse.click(*one.at(*point))
    one.page.keyboard.press("Enter")
    one.until(lambda: one.kinds() == ["object_add", "mask"])
    square = np.zeros((HEIGHT, WIDTH), bool)
    square[50:120, 50:150] = True
    assert (decoded(one.memory.done[-1]["counts"]) ^ square).sum() < 200
    one.settled()
    one.page.keyboard.press("m")
    one.page.keyboard.press("g")
    one.page.wait_for_selector("[aria-label='Make the polygon the mask']")
    one.shot("annotate_polygon")
    one.drag((150, 120), (190, 160))  # a corner goes out
    one.page.click("[aria-label='Make the polygon the mask']")
    one.until(lambda: len(one.memory.done) == 3)
    assert decoded(one.memory.done[-1]["counts"])[125, 150]


def test_a_polygon_waits_on_its_frame(opened):
    one = opened()
    one.task()
    one.page.keyboard.press("g")
    for point in ((50, 50), (150, 50), (150, 120)):
        one.page.mouse.click(*one.at(*point))
    one.page.keyboard.press("ArrowRight")
    one.page.wait_for_selector(".stage[data-shown='1']")
    assert "frame 0" in one.page.locator("#status").inner_text()
    assert not one.page.evaluate("maskletEditor.tool.edits")
    one.page.keyboard.press("Enter")  # nothing is in hand here
    one.page.keyboard.press("ArrowLeft")
    one.page.wait_for_selector(".stage[data-shown='0']")
    one.page.mouse.click(*one.at(50, 120))
    one.page.keyboard.press("Enter")
    one.until(lambda: one.kinds() == ["object_add", "mask"])
    assert one.memory.done[1]["frame"] == 0
    square = np.zeros((HEIGHT, WIDTH), bool)
    square[50:120, 50:150] = True
    assert (decoded(one.memory.done[1]["counts"]) ^ square).sum() < 200
    one.settled()
    one.page.keyboard.press("ArrowRight")  # the mask was made: nothing waits
    one.page.keyboard.press("ArrowLeft")
    assert not one.page.evaluate("maskletEditor.tool.edits")


def test_a_click_without_a_pointer(opened):
    one = opened()
    one.task()
    one.page.locator(".stage").focus()
    for _ in range(3):
        one.page.keyboard.press("Alt+ArrowLeft")
    one.page.keyboard.press("Enter")
    one.until(lambda: one.kinds() == ["object_add", "prompt"])
    assert one.memory.done[1]["points"] == [[240 - 3 * 7.5, 135]]
    one.until(lambda: one.page.locator("#status").inner_text().startswith("Mask of"))


# Tracking


def test_tracking_shows_frames_as_they_come_and_stops(opened):
    one = opened(scheme="dark")
    one.task()
    one.click(90, 135)
    one.page.keyboard.press("f")
    one.when("maskletEditor.frame > 20")
    one.shot("annotate_tracking")
    one.page.keyboard.press("s")
    one.when("maskletEditor.session.running === null")
    reached = max(one.memory.targets[1].masks)
    assert 20 < reached < FRAMES - 1
    assert (one.mask(1, 20) == decoded(one.memory.targets[1].masks[20])).all()
    assert one.memory.done[2]["direction"] == "forward"


def test_tracking_of_a_marked_range_and_both_ways(opened):
    one = opened(memory=with_objects(1))
    one.memory.step = 0.001
    one.task()
    for key, frame in (("i", 30), ("o", 40)):
        one.page.evaluate(f"maskletEditor.player.seek({frame})")
        one.page.keyboard.press(key)
    one.page.keyboard.press("Shift+t")
    one.until(lambda: one.kinds() == ["propagate"])
    assert {one.memory.done[0][name] for name in ("start", "stop")} == {30, 40}
    one.when("maskletEditor.session.masks.get(1, 30) && maskletEditor.session.masks.get(1, 40)")  # it heard of it
    one.when("maskletEditor.session.running === null")
    one.page.keyboard.press("t")
    one.until(lambda: len(one.memory.done) == 2)
    assert one.memory.done[1]["direction"] == "both"
    one.page.keyboard.press("s")


def test_suggestions_lead_to_doubtful_frames(opened):
    one = opened(memory=with_objects())
    one.task()
    one.page.keyboard.press("n")
    one.page.wait_for_selector(".stage[data-shown='90']")
    assert one.page.locator(".suggestion").first.inner_text().split("\n")[0] == "Frame 90"
    one.page.keyboard.press("n")
    one.page.wait_for_selector(".stage[data-shown='170']")
    one.shot("annotate_suggestions")


def test_suggestions_are_of_the_masks_that_are_there(opened):
    one = opened(memory=with_objects())
    one.task()
    one.page.keyboard.press("n")
    one.page.wait_for_selector(".stage[data-shown='90']")
    one.click(200, 150)  # a correction: the frame need not be suggested again
    assert one.page.locator(".suggestion").count() == 0
    one.page.keyboard.press("n")
    one.page.wait_for_selector(".stage[data-shown='170']")
    assert one.page.locator(".suggestion b").all_inner_texts() == ["Frame 170", "Frame 40"]
    one.page.keyboard.press("f")
    one.when("maskletEditor.frame > 172")
    one.page.keyboard.press("s")
    one.when("maskletEditor.session.running === null")
    assert one.page.locator(".suggestion").count() == 0


# History and objects


def test_undo_and_redo_survive_a_reload(opened):
    one = opened()
    one.task()
    one.click(90, 135)
    one.page.reload()
    one.page.wait_for_selector(".object")
    one.when("maskletEditor.session.masks.get(1, 0)")
    assert one.page.evaluate("maskletEditor.session.dots(1, 0).labels") == [1]
    assert one.page.get_by_role("button", name="Undo").get_attribute("title") == "Undo: Prompt · Object 1 · frame 0"
    one.page.keyboard.press("Control+z")
    one.when("!maskletEditor.session.masks.get(1, 0)")
    assert not one.memory.targets[1].masks
    one.page.keyboard.press("Control+Shift+z")
    one.when("maskletEditor.session.masks.get(1, 0)")


def test_objects_are_changed(opened):
    one = opened(memory=with_objects())
    one.task()
    page = one.page
    page.wait_for_selector(".object:nth-child(2)")
    page.keyboard.press("1")
    page.keyboard.press("F2")
    page.fill("dialog input", "Ball <b>")
    page.keyboard.press("Enter")
    page.wait_for_selector(".object-title:text-is('Ball <b>')")
    page.locator(".object input[type=color]").first.fill("#aa00bb")
    one.until(lambda: one.memory.targets[1].colour == "#aa00bb")
    page.keyboard.press("h")
    assert not page.evaluate("maskletEditor.viewer.visible(1)")
    page.keyboard.press("Shift+h")
    assert page.evaluate("[1, 2].map(maskletEditor.viewer.visible)") == [True, False]
    page.keyboard.press("Shift+h")
    page.keyboard.press("l")
    one.until(lambda: one.memory.targets[1].locks == [[0, FRAMES - 1]])
    page.wait_for_selector(".object:first-child [aria-pressed=true][aria-label^=Lock]")
    page.keyboard.press("l")
    one.until(lambda: one.memory.targets[1].locks == [])
    page.click("text=Swap with…")
    page.click("dialog button.main")
    one.until(lambda: one.kinds()[-1] == "swap")
    one.when("maskletEditor.session.masks.get(1, 0)?.counts === " + json.dumps(disc_counts(365, 195.0, 24)))
    page.evaluate("maskletEditor.player.seek(100)")
    page.click("text=Split here")
    page.wait_for_selector(".object:nth-child(3)")
    assert page.evaluate("maskletEditor.selected.number") == 3
    one.shot("annotate_objects")
    page.click("text=Merge with…")
    page.click("dialog button.main")
    one.until(lambda: one.kinds()[-1] == "merge")
    page.wait_for_selector(".object:nth-child(3)", state="detached")
    page.keyboard.press("Shift+Delete")
    page.click("dialog button.danger, dialog button[type=submit]")
    one.until(lambda: one.kinds()[-1] == "object_remove")
    assert len(one.memory.targets) == 1


def test_a_marked_range_trims(opened):
    one = opened(memory=with_objects())
    one.task()
    box = one.page.locator("canvas.ruler").bounding_box()
    one.page.keyboard.down("Shift")
    one.page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 9)
    one.page.mouse.down()
    one.page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 9, steps=3)
    one.page.mouse.up()
    one.page.keyboard.up("Shift")
    one.page.click("text=Trim to range")
    one.until(lambda: one.kinds() == ["trim"])
    assert one.memory.done[0]["first"] == pytest.approx(60, abs=2)
    assert one.memory.done[0]["last"] == pytest.approx(120, abs=2)


def test_automatic_masklets_are_shown_but_not_worked_on(opened):
    one = opened()
    one.task(1)
    one.page.wait_for_selector(".object.guest")
    assert one.page.evaluate("maskletEditor.viewer.guests.length") == 1
    assert one.page.evaluate("maskletEditor.selected") is None


def test_what_was_sent_back_is_said_and_shown(opened):
    one = opened(memory=with_objects())
    one.memory.states = {1: "unsatisfactory", 2: "unsatisfactory"}
    one.task()
    back = one.page.locator(".returned")
    back.locator("li").nth(2).wait_for()
    first, second = back.locator("ul").all_inner_texts()
    assert "Loses the rim behind the hill." in first
    assert "The tail is lost." in second
    assert "Too large." not in second  # said of masks that are no more
    assert "Object 1, Object 2" in one.page.locator("#status").inner_text()
    back.get_by_role("button", name="Frame 170").click()
    one.page.wait_for_selector(".stage[data-shown='170']")
    assert one.page.evaluate("maskletEditor.selected.number") == 2
    one.shot("annotate_returned")
    one.memory.states = {}
    one.page.reload()
    one.page.wait_for_selector(".object:nth-child(2)")
    assert back.is_hidden()


def rejected_automatic() -> StandIn:
    """A session in which a model's masklet is to be corrected."""
    return StandIn(states={9: "unsatisfactory"})


def test_a_rejected_automatic_mask_is_taken_up(opened):
    one = opened(memory=rejected_automatic())
    one.task()
    take = one.page.get_by_role("button", name="Take the dashed mask")
    one.when("maskletEditor.selected?.number === 9 && maskletEditor.stored.get(9, 0)")
    one.shot("annotate_rejected")
    one.page.keyboard.press("ArrowRight")
    one.page.wait_for_selector(".stage[data-shown='1']")
    assert take.is_disabled()  # this frame is not annotated
    one.page.keyboard.press("ArrowLeft")
    one.page.wait_for_selector(".stage[data-shown='0']")
    take.click()
    one.until(lambda: one.kinds() == ["mask"])
    assert (one.memory.done[0]["object"], one.memory.done[0]["frame"]) == (9, 0)
    assert one.memory.done[0]["counts"] == disc_counts(365.0, 195, 26)
    one.settled()
    one.when("!maskletEditor.stored.get(9, 0)")  # the session's own counts now
    assert take.is_disabled()
    one.page.evaluate("maskletEditor.player.seek(8)")
    one.page.wait_for_selector(".stage[data-shown='8']")
    assert take.is_enabled()  # still there where nothing was tracked yet


def test_brush_and_polygon_begin_with_a_rejected_automatic_mask(opened):
    one = opened(memory=rejected_automatic())
    one.task()
    one.when("maskletEditor.selected?.number === 9 && maskletEditor.stored.get(9, 0)")
    proposed = decoded(disc_counts(365.0, 195, 26))
    one.page.keyboard.press("e")
    one.drag((365, 160), (365, 230))
    one.until(lambda: one.kinds() == ["mask"])
    rest = decoded(one.memory.done[0]["counts"])
    assert 0 < rest.sum() < proposed.sum()
    assert not (rest & ~proposed).any()
    one.page.evaluate("maskletEditor.player.seek(4)")
    one.page.wait_for_selector(".stage[data-shown='4']")
    one.page.keyboard.press("g")
    assert one.page.evaluate("maskletEditor.tool.rings.length") == 1
    one.page.keyboard.press("Enter")
    one.until(lambda: len(one.memory.done) == 2)
    outlined = decoded(one.memory.done[1]["counts"])
    there = decoded(disc_counts(363.0, 195, 26))
    assert (outlined & there).sum() > 0.9 * (outlined | there).sum()


# Connection


def test_an_action_whose_answer_was_lost_is_done_once(opened):
    one = opened()
    one.task()
    one.memory.drop_after = "prompt"
    one.page.mouse.click(*one.at(90, 135))
    one.when("maskletEditor.session.masks.get(1, 0)")
    one.settled()
    names = [message["name"] for message in one.memory.received if message["kind"] == "prompt"]
    assert len(names) == 2
    assert len(set(names)) == 1
    assert one.kinds() == ["object_add", "prompt"]


def test_what_is_done_without_a_connection_is_sent_when_it_is_back(opened):
    one = opened()
    one.task()
    one.click(90, 135)
    one.memory.away = True
    one.memory.cut()
    one.page.wait_for_selector(".connection[data-state=lost]")
    one.page.mouse.click(*one.at(100, 140))
    one.page.wait_for_timeout(1500)  # some tries fail
    one.shot("annotate_offline")
    assert len(one.page.evaluate("maskletEditor.session.dots(1, 0).labels")) == 2  # shown all the same
    one.memory.away = False
    one.until(lambda: one.kinds() == ["object_add", "prompt", "prompt"])
    one.settled()


def test_what_was_not_answered_is_sent_again_after_a_reload(opened):
    one = opened()
    one.task()
    one.click(90, 135)
    one.memory.drop_after = "prompt"  # this one is done, and the page does not hear of it
    one.memory.away_after = True
    for x in (100, 110, 120):
        one.page.mouse.click(*one.at(x, 140))
    one.until(lambda: len(one.memory.done) == 3)
    one.page.wait_for_selector(".connection[data-state=lost]")
    one.page.reload()
    one.page.wait_for_selector(".connection[data-state=lost]")
    one.memory.away = one.memory.away_after = False
    one.until(lambda: one.kinds() == ["object_add", "prompt", "prompt", "prompt", "prompt"])
    one.settled()
    assert [round(x) for message in one.memory.done[1:] for x, _ in message["points"]] == [90, 100, 110, 120]
    sent = [message["name"] for message in one.memory.received if message["kind"] == "prompt"]
    assert len(set(sent)) == 4
    one.when("maskletEditor.session.dots(1, 0).labels.length === 4")
    assert one.page.evaluate("sessionStorage.length") == 0
    one.page.reload()
    one.settled()
    assert len(one.memory.done) == 5


def test_of_another_lease_nothing_is_sent_again(opened):
    one = opened()
    one.task()
    one.click(90, 135)
    one.memory.away = True
    one.memory.cut()
    one.page.mouse.click(*one.at(100, 140))
    one.when("sessionStorage.length === 1")
    one.memory.lease = "lease-2"
    one.memory.away = False
    one.page.reload()
    one.page.wait_for_selector(".object")
    one.settled()
    one.page.wait_for_timeout(300)
    assert one.kinds() == ["object_add", "prompt"]


def test_a_busy_server_is_asked_again_in_order(opened):
    one = opened()
    one.task()
    one.click(90, 135)
    one.memory.busy = 3
    for x in range(90, 120, 3):
        one.page.mouse.click(*one.at(x, 135))
    one.until(lambda: len(one.memory.done) == 12)
    sent = [message["points"][0][0] for message in one.memory.done[2:]]
    assert sent == sorted(sent)
    one.settled()


def test_a_refusal_is_said_and_taken_back(opened):
    one = opened()
    one.task()
    one.click(90, 135)
    one.memory.refuse = "prompt"
    one.page.mouse.click(*one.at(110, 135))
    one.page.wait_for_selector(".notice.bad")
    assert "locked" in one.page.locator(".notice.bad").inner_text()
    assert one.page.evaluate("maskletEditor.session.dots(1, 0).labels") == [1]


def test_a_lost_lease_is_said(opened):
    one = opened()
    one.task()
    one.memory.lease = "lease-2"
    one.memory.cut()
    one.page.wait_for_selector("dialog[open]")
    one.shot("annotate_lease_lost")
    one.page.click("text=Take it again")
    one.page.wait_for_selector("dialog", state="detached")
    one.settled()


# Time


NUMBER = """() => {
  const image = maskletEditor.viewer.frames.image(maskletEditor.viewer.shown);
  const canvas = new OffscreenCanvas(image.width, image.height), context = canvas.getContext('2d');
  context.drawImage(image, 0, 0);
  const white = (bit) => context.getImageData(13 + 12 * bit, 255, 1, 1).data[0] > 127;
  const shown = [...Array(14).keys()].reduce((sum, bit) => sum + (white(bit) ? 2 ** bit : 0), 0);
  return [shown, maskletEditor.viewer.shown];
}"""
"""The number of the frame that is on the screen, as it is drawn there and as the page has it."""


def test_playing_shows_every_frame_and_the_right_one(opened):
    one = opened(memory=with_objects(1))
    one.task()
    one.page.evaluate(
        "window.seen = []; maskletEditor.player.moved.on((t) => seen.push([t, maskletEditor.viewer.shown]))"
    )
    one.page.keyboard.press("Space")
    one.when("maskletEditor.frame >= 40")
    one.page.keyboard.press("Space")
    seen = one.page.evaluate("seen")
    assert [t for t, _ in seen] == list(range(1, len(seen) + 1))  # none is left out
    assert all(abs(t - shown) <= 1 for t, shown in seen)
    for t in (203, 77, 5, 239):
        one.page.evaluate(f"maskletEditor.player.seek({t})")
        one.page.wait_for_selector(f".stage[data-shown='{t}']")
        assert one.page.evaluate(NUMBER) == [t, t]


def test_the_timeline_scrubs_and_zooms(opened):
    one = opened(memory=with_objects())
    one.task()
    box = one.page.locator("canvas.ruler").bounding_box()
    one.page.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + 10)
    one.when("Math.abs(maskletEditor.frame - 120) < 2")
    slider = one.page.locator("[role=slider]")
    assert slider.get_attribute("aria-valuenow") == str(one.page.evaluate("maskletEditor.frame"))
    for _ in range(4):
        one.page.click("[aria-label='Zoom the timeline in']")
    one.page.wait_for_timeout(100)
    assert one.page.locator(".thumb").bounding_box()["width"] == pytest.approx(box["width"] / 16, abs=3)
    frame = one.page.evaluate("maskletEditor.frame")
    one.page.mouse.click(box["x"] + box["width"] - 3, box["y"] + 10)
    assert 3 < one.page.evaluate("maskletEditor.frame") - frame < 16
    one.shot("timeline_zoomed")


def test_a_long_video(opened):
    one = opened(memory=with_objects(3, frames=10_000))
    one.task()
    page = one.page
    asked = lambda: [message["object"] for message in one.memory.received if message["kind"] == "scores"]  # noqa: E731
    one.until(lambda: sorted(asked()) == [1, 2, 3])
    one.when("maskletEditor.session.scores.get(3)?.confidence.length === 10_000")
    box = page.locator("canvas.ruler").bounding_box()
    for share in (0.25, 0.95, 0.5):  # seek
        page.mouse.click(box["x"] + box["width"] * share, box["y"] + 10)
        one.when(f"Math.abs(maskletEditor.frame - {10_000 * share}) < 15")
        one.when("maskletEditor.viewer.ready")
        frame = page.evaluate("maskletEditor.frame")
        assert page.evaluate(NUMBER) == [frame, frame]
        one.when(f"maskletEditor.session.masks.get(1, {frame})")
        assert (one.mask(1, frame) == decoded(disc_counts(*centre(frame)))).all()
    one.shot("long_video")
    for _ in range(8):
        page.click("[aria-label='Zoom the timeline in']")
    each = "maskletEditor.timeline.head.getBoundingClientRect().width"
    one.when(f"Math.abs({each} - {box['width'] / (10_000 / 2**8)}) < 1")
    assert page.evaluate("maskletEditor.timeline.head.hidden") is False
    page.keyboard.press("k")  # play
    one.when(f"maskletEditor.frame >= {frame + 30}")
    page.keyboard.press("k")
    one.when("maskletEditor.viewer.ready")
    here = page.evaluate("maskletEditor.frame")
    assert page.evaluate(NUMBER) == [here, here]
    assert page.evaluate("maskletEditor.timeline.head.hidden") is False  # the timeline has followed
    page.keyboard.press("End")
    page.wait_for_selector(".stage[data-shown='9999']")
    page.click("[aria-label='Show the whole video']")
    page.keyboard.press("2")
    one.click(200, 150)
    one.until(lambda: len(asked()) == 4)
    page.keyboard.press("Control+z")
    one.until(lambda: len(asked()) == 5)
    page.wait_for_timeout(400)
    assert asked()[3:] == [2, 2]  # only of what was touched


def test_the_picture_zooms_about_the_pointer_and_moves(opened):
    one = opened()
    one.task()
    x, y = one.at(100, 100)
    one.page.mouse.move(x, y)
    one.page.mouse.wheel(0, -600)
    one.page.wait_for_timeout(50)
    assert one.at(100, 100) == pytest.approx((x, y), abs=1.5)  # wheels tell whole pixels
    x, y = one.at(100, 100)
    assert one.page.evaluate("maskletEditor.stage.view.scale") > 3
    one.page.keyboard.down(" ")
    one.page.mouse.down()
    one.page.mouse.move(x + 40, y + 30, steps=2)
    one.page.mouse.up()
    one.page.keyboard.up(" ")
    assert one.at(100, 100) == pytest.approx((x + 40, y + 30), abs=1.5)
    assert not one.page.evaluate("maskletEditor.player.playing")
    assert one.memory.done == []
    one.page.keyboard.press("y")
    one.shot("annotate_double")
    one.page.keyboard.press("0")


# Keys and language


def test_hotkeys_are_shown_and_changed_for_good(opened):
    one = opened()
    one.task()
    one.page.keyboard.press("?")
    one.page.wait_for_selector("dialog[open]")
    one.shot("help")
    one.page.click("[data-id=track_forward]")
    one.page.keyboard.press("b")
    assert "Box" in one.page.locator("dialog [role=status]").inner_text()  # it had that key
    one.page.keyboard.press("Escape")
    one.page.reload()
    one.page.wait_for_selector(".stage[data-shown='0']")
    one.click(90, 135)
    one.page.keyboard.press("b")
    one.until(lambda: one.kinds()[-1] == "propagate")
    one.page.keyboard.press("s")


def test_the_page_speaks_chinese(opened):
    one = opened()
    one.go("projects/1/tasks")
    one.page.select_option("[aria-label=Language]", "zh")
    one.page.wait_for_selector("text=掩码跟踪")
    assert one.page.evaluate("document.documentElement.lang") == "zh-CN"
    one.shot("tasks_chinese")
    one.task()
    assert one.page.locator("button.main").inner_text() == "提交"
    one.memory.refuse = "prompt"
    one.page.mouse.click(*one.at(110, 135))
    said = one.page.locator(".notice.bad")
    said.wait_for()
    assert "无法执行：frames 0 to 10" in said.inner_text()  # the server speaks English


# Review


def test_review_goes_to_the_worst_frames_and_judges(opened):
    one = opened(scheme="dark")
    one.task(3)
    page = one.page
    page.wait_for_selector(".suggestion")
    worst = min((t for t in range(0, FRAMES, 4) if t not in (0, 88)), key=confidence)  # those are prompted
    page.keyboard.press("n")
    page.wait_for_selector(f".stage[data-shown='{worst}']")
    assert "Loses the rim" in page.locator(".judgements").inner_text()
    page.keyboard.press("r")  # a reason is wanted
    page.wait_for_selector(".notice")
    assert one.memory.verdicts == []
    page.keyboard.type("Jumps to the car.")
    one.shot("review")
    page.click("text=Send")
    page.wait_for_selector("text=Jumps to the car.")
    assert one.memory.comments[0]["frame"] == worst
    page.fill("#comment", "Loses it again.")
    page.click(".verdicts button.danger")
    one.when("location.hash === '#/tasks/4'")  # the next one
    assert one.memory.verdicts[0] == {
        "task": 3, "lease": "lease-1", "verdict": "unsatisfactory", "comment": "Loses it again.", "frame": worst,
        "seconds": one.memory.verdicts[0]["seconds"],
    }  # fmt: skip
    page.wait_for_selector(".stage[data-shown='0']")
    page.keyboard.press("a")
    one.when("location.hash === '#/projects/1/tasks'")
    assert one.memory.verdicts[1]["verdict"] == "satisfactory"


def test_review_steps_over_frames_without_masks(opened):
    one = opened()
    one.task(3)
    one.page.keyboard.press("ArrowRight")
    one.page.wait_for_selector(".stage[data-shown='4']")


# The screens around it


def test_signing_in_and_out(opened):
    one = opened(memory=StandIn(accounts=True))
    one.go("projects/1/tasks")
    one.page.wait_for_selector("form")
    one.shot("sign_in")
    for password in ("wrong", "correct horse"):
        one.page.fill("[name=username]", "ada")
        one.page.fill("[name=password]", password)
        one.page.keyboard.press("Enter")
        if password == "wrong":
            one.page.wait_for_selector(".fault:not(:empty)")
    one.page.wait_for_selector(".stages")
    one.page.click("text=Sign out")
    one.page.wait_for_selector("form")


def test_the_start_token_is_brought_by_the_address_and_does_not_stay_there(opened):
    one = opened(memory=StandIn(token="a b/c"))
    one.page.goto(f"{one.url}#token=a%20b%2Fc")
    one.page.wait_for_selector("main h1:has-text('Projects')")
    assert one.page.evaluate("location.href") == f"{one.url}#/"
    one.memory.signed_in = False  # as if the server had been started anew
    one.go("projects/1/tasks")
    one.page.wait_for_selector("[name=token]")
    one.memory.token = "another"
    one.page.goto(f"{one.url}#token=another")  # only what comes after the # changes: the page is not loaded
    one.page.wait_for_selector("main h1:has-text('Projects')")


def test_without_the_start_token_the_page_says_what_to_do(opened):
    one = opened(memory=StandIn(token="secret"))
    one.go("projects/1/tasks")
    one.page.wait_for_selector("text=masklet annotate")
    one.shot("start_token")
    for given in ("wrong", f"{one.url}#token=secret"):
        one.page.fill("[name=token]", given)
        one.page.keyboard.press("Enter")
        if given == "wrong":
            one.page.wait_for_selector(".fault:not(:empty)")
    one.page.wait_for_selector(".stages")


def test_ones_own_password_is_changed(opened):
    one = opened(memory=StandIn(accounts=True, signed_in=True, role="annotator"))
    one.go("")
    for old, said in (("wrong", ".notice.bad:has-text('not right')"), ("correct horse", ".notice.good")):
        one.page.click("text=Change password")
        one.page.fill("dialog input >> nth=0", old)
        one.page.fill("dialog input >> nth=1", "battery staple")
        one.page.keyboard.press("Enter")
        one.page.wait_for_selector(said)


def test_a_task_is_claimed_worked_on_and_handed_in(opened):
    one = opened()
    one.go("projects/1/tasks")
    one.page.wait_for_selector(".stages")
    one.shot("tasks")
    one.page.click("[aria-label='Take the next task: Masklet tracking']")
    one.page.wait_for_selector(".connection[data-state=open]")
    one.page.click("text=Hand in")
    one.page.click("dialog button.main")
    one.when("location.hash === '#/projects/1/tasks'")
    assert one.memory.task_states[2] == "done"


def test_a_verifier_is_offered_verification_only(opened):
    one = opened(memory=StandIn(role="verifier"))
    one.go("projects/1/tasks")
    one.page.wait_for_selector(".stages")
    assert one.page.locator(".stage-card button").count() == 1
    one.go("projects/1/videos")
    one.page.wait_for_selector("table")
    assert one.page.locator(".drop").count() == 0


def test_videos_are_sent_and_refusals_shown(opened, tmp_path):
    one = opened()
    one.go("projects/1/videos")
    for name in ("walk.mp4", "virus.exe"):
        (tmp_path / name).write_bytes(b"0" * 100_000)
        one.page.set_input_files("#files", str(tmp_path / name))
    one.page.wait_for_selector("th:text-is('walk.mp4')")
    one.page.wait_for_selector(".sending .fault")
    assert "neither a video nor images" in one.page.locator(".sending").inner_text()
    one.shot("videos")
    one.page.click("[aria-label='Remove walk.mp4']")
    one.page.click("dialog button[type=submit]")
    one.page.wait_for_selector("th:text-is('walk.mp4')", state="detached")


def test_statistics_are_plotted(opened):
    one = opened()
    one.go("projects/1/statistics")
    one.page.wait_for_selector(".plot")
    assert one.page.locator(".plot").count() == 6
    assert one.page.locator(".plot rect").first.locator("title").text_content() == "ada: 4.2"
    assert one.page.locator("a[href$='statistics.csv']").count() == 1
    one.page.check("text=Street scenes, by hand")
    one.page.wait_for_selector("text=37.8")
    assert "89.1" in one.page.locator("[aria-label='Phases compared']").inner_text()
    href = one.page.locator("a[href*='table1.csv']").get_attribute("href")
    assert parse_qs(urlsplit(href).query) == {"projects": ["1,2"], "reference": ["1"]}
    assert "0.912" in one.page.locator("[aria-label=Agreement]").inner_text()
    one.shot("statistics")
    one.page.click("text=More videos")
    one.page.wait_for_selector("text=scene 20")
    assert one.page.locator("[aria-label=Agreement] tbody tr").count() == 2
    assert not one.page.locator("text=More videos").is_visible()


def test_an_export_is_begun_and_fetched(opened):
    one = opened()
    one.go("projects/1/exchange")
    one.page.click("button:has-text('Export')")
    one.page.wait_for_selector("a[href$='jobs/1/file']")
    one.page.wait_for_selector("text=Kept until")
    one.shot("exchange")
    one.page.click("button:has-text('Keep')")
    one.page.wait_for_selector("text=Do not keep")


def test_a_project_is_made(opened):
    one = opened()
    one.go("")
    one.page.click("text=New project")
    one.shot("new_project")
    one.page.fill("dialog input >> nth=0", "Night drives")
    one.page.click("dialog button.main")
    one.when("location.hash === '#/projects/1'")


# How it can be used


STATES = ("", "projects/1/videos", "projects/1/tasks", "projects/1/statistics", "projects/1/exchange", "users", "audit")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_nothing_serious(opened, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    one = opened(scheme, memory=with_objects())
    one.memory.accounts = True
    one.memory.states = {1: "unsatisfactory"}
    found = {}

    def look(name: str) -> None:
        one.page.wait_for_timeout(300)
        one.shot(f"{name.replace('/', '_') or 'projects'}_{scheme}")
        for fault in axe.run(one.page).response["violations"]:
            if fault["impact"] in ("serious", "critical"):
                found[name, fault["id"]] = [node["html"][:160] for node in fault["nodes"]]

    one.go("")
    one.page.wait_for_selector("form")
    look("sign_in")
    one.memory.signed_in = True
    one.page.reload()
    for state in STATES:
        one.go(state)
        one.page.wait_for_selector("main h1")
        look(state)
    for number in (2, 3):
        one.task(number)
        one.page.wait_for_selector(".lane-row:nth-child(1)")
        if number == 2:
            one.page.keyboard.press("n")
        look(f"tasks/{number}")
        one.page.keyboard.press("?")
        look(f"tasks/{number} help")
        one.page.keyboard.press("Escape")
    assert found == {}


CROWDED = """() => {
  const seen = (one) => one.checkVisibility({ visibilityProperty: true }) && !one.closest('.skip, .unseen, #notices');
  const all = [...document.querySelectorAll('button, select, input, a[href], .badge, h1, h2, h3, label')].filter(seen);
  const named = (one) => one.outerHTML.slice(0, 100);
  const clipped = all.filter((one) => {
    const range = document.createRange(), box = one.getBoundingClientRect();
    range.selectNodeContents(one);
    const text = range.getBoundingClientRect();
    return one.textContent.trim() && !one.matches('h1, select, .lane-label, .object-name') && box.width > 0
      && (text.left < box.left - 1 || text.right > box.right + 1 || text.bottom > box.bottom + 4);
  });
  const boxes = all.filter((one) => one.matches('button, select, input') && !one.matches('.scroll *'))
    .map((one) => [one, one.getBoundingClientRect()]);
  const over = boxes.flatMap(([one, a], at) => boxes.slice(at + 1)
    .filter(([other, b]) => !one.contains(other) && Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
      && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1)
    .map(([other]) => `${named(one)} over ${named(other)}`));
  return [...clipped.map(named), ...over];
}"""
"""Controls and titles whose text does not fit them, and controls that lie over each other."""


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(("width", "height", "touch"), [(1280, 720, False), (1180, 820, True), (820, 1180, True)])
def test_it_fits_its_window_and_a_finger(opened, width, height, touch, language):
    one = opened(width=width, height=height, touch=touch, memory=with_objects())
    one.page.add_init_script(f"localStorage.setItem('masklet.language', '\"{language}\"')")
    one.memory.states = {1: "unsatisfactory"}
    paths = (*STATES, "tasks/2", "tasks/3")
    for path in paths:
        one.go(path)
        one.page.wait_for_selector(".stage[data-shown='0']" if path.startswith("tasks/") else "main h1")
        one.page.wait_for_timeout(200)
        one.shot(f"{path.replace('/', '_') or 'projects'}_{width}_{language}")
        assert one.page.evaluate("document.documentElement.scrollWidth") <= width, path
        small = one.page.evaluate(
            """() => [...document.querySelectorAll('button, select, a[href], input:not([type=checkbox])')]
              .filter((one) => one.checkVisibility({visibilityProperty: true}) && !one.closest('.skip, .unseen')
                && !one.matches('.skip, .unseen'))
              .map((one) => [one.getBoundingClientRect(), one])
              .filter(([box]) => box.height < 43.5 && box.width > 0).map(([box, one]) => one.outerHTML.slice(0, 120))"""
        )
        if touch:
            assert small == [], path
        assert one.page.evaluate(CROWDED) == [], path
    stage = one.page.locator(".stage").bounding_box()
    assert stage["height"] > 0.25 * height


def test_fingers_tap_and_pinch(opened):
    one = opened(width=1180, height=820, touch=True)
    one.task()
    one.page.touchscreen.tap(*one.at(90, 135))
    one.until(lambda: one.kinds() == ["object_add", "prompt"])
    before = one.page.evaluate("maskletEditor.stage.view.scale")
    client = one.page.context.new_cdp_session(one.page)
    x, y = one.at(200, 100)

    def touch(kind: str, apart: float) -> None:
        points = [] if kind == "touchEnd" else [{"x": x - apart, "y": y, "id": 0}, {"x": x + apart, "y": y, "id": 1}]
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", 40)
    for apart in (50, 65, 80):
        touch("touchMove", apart)
    touch("touchEnd", 80)
    one.page.wait_for_timeout(100)
    assert one.page.evaluate("maskletEditor.stage.view.scale") == pytest.approx(2 * before, rel=0.05)
    assert one.kinds() == ["object_add", "prompt"]


def test_the_keyboard_reaches_everything(opened):
    one = opened(memory=with_objects())
    one.task()
    one.page.wait_for_selector(".object")
    reached = []
    for _ in range(70):
        one.page.keyboard.press("Tab")
        if one.page.evaluate("document.activeElement === document.body"):
            continue
        name, ring = one.page.evaluate(
            """() => { const at = document.activeElement, style = getComputedStyle(at);
              return [at.getAttribute('aria-label') ?? at.textContent, style.outlineStyle !== 'none']; }"""
        )
        assert ring, name
        reached.append(name)
    for wanted in (
        "Play or pause",
        "Brush",
        "Rename",
        "Track forward",
        "Position in the video",
        "Hand in",
        "Hide Object 1",
    ):
        assert wanted in reached
