"""The report page in a browser: it works by mouse and keyboard, loads nothing, and can be read wherever it is shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from made_runs import made_run, scored
from masklet.baselines.copy_first import CopyFirst
from masklet.baselines.optical_flow import OpticalFlow
from masklet.data.open import open_dataset
from masklet.evaluation.reports.gallery import draw_shot
from masklet.evaluation.reports.page import report_page
from masklet.evaluation.scores import Click, SequenceScore, VosScore
from masklet.evaluation.vos import score_sequence
from masklet.masks.label_png import write_label_png
from tiny_model import clip, disc

pytestmark = pytest.mark.browser

FRAMES, NAMES = 5, ("a", "b")
CLICKED = {"a": 0.05, "b": 1.0, "c": 0.5, "d": 5e-8}  # J: texts of these stand in another order
SCHEMES, WIDTHS = ("light", "dark"), (1280, 800, 400)

CONTRASTS = """() => {
  const channels = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const [r, g, b, alpha = 1] = channels(getComputedStyle(at).backgroundColor);
      if (alpha === 1) return [r, g, b];
      if (alpha !== 0) throw new Error("a background that is seen through");
    }
    throw new Error("no background");
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim(), parent = walker.currentNode.parentElement;
    if (!text || !parent.checkVisibility() || parent.closest("script")) continue;
    const style = getComputedStyle(parent), drawn = parent.closest("svg");
    const pair = [light(channels(drawn ? style.fill : style.color)), light(behind(parent))].sort((a, b) => b - a);
    found.push([(pair[0] + .05) / (pair[1] + .05), text]);
  }
  return found;
}"""
"""WCAG contrast of every visible text with what lies behind it."""


@dataclass(frozen=True)
class Opened:
    """A page on the screen, what was asked of the network for it, and what went wrong in it."""

    page: Any
    requests: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    """Two videos tracked by both floors; groups of clicks and of rounds that are made up."""
    root = tmp_path_factory.mktemp("report")
    for name, start in zip(NAMES, (0, 3), strict=True):
        for part in ("frames", "masks"):
            (root / "data" / name / part).mkdir(parents=True)
        for t, frame in enumerate(clip(start + FRAMES)[start:]):
            file = root / "data" / name / "frames" / f"{t:05d}.png"
            file.write_bytes(cv2.imencode(".png", frame[..., ::-1])[1].tobytes())
            write_label_png(root / "data" / name / "masks" / f"{t:05d}.png", disc(start + t).astype(np.uint8))
    videos = {video.name: video for video in open_dataset(root / "data")}
    predicted = {}

    def keep(video, t, masks):
        predicted[video.name, t] = masks

    def tracked(tracker):
        return VosScore(tuple(score_sequence(tracker, video, on_frame=keep) for video in videos.values()))

    flow, copied = tracked(OpticalFlow()), tracked(CopyFirst())
    clicks = (Click(0, 12.0, 7.0, 1), Click(0, 30.0, 20.0, 0))
    clicked = VosScore(tuple(SequenceScore(n, (scored(1, j, j, clicks=clicks),)) for n, j in CLICKED.items()))

    def picture(shot):
        if shot.video not in videos:
            return None
        video, masks = videos[shot.video], predicted[shot.video, shot.frame]
        truth = video.masks(shot.frame)[shot.object_id]
        return draw_shot(shot, video.image(shot.frame), masks[shot.object_id], truth)

    first = made_run("copy-first", vos={"mask": copied, "3 clicks": clicked})
    second = made_run("optical-flow", 0.1, vos={"mask": flow})
    path = root / "report.html"
    path.write_text(report_page([first, second], picture, second), encoding="utf-8")
    return path


@pytest.fixture
def opened(browser, report):
    """Opens the report, with all its parts unfolded."""
    pages = []

    def open_page(scheme="light", width=1280, unfold=True):
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        pages.append(page)
        one = Opened(page)
        page.on("request", lambda request: one.requests.append(request.url))
        page.on("console", lambda said: one.faults.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: one.faults.append(str(error)))
        page.goto(report.as_uri())
        if unfold:
            page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
        return one

    yield open_page
    for page in pages:
        page.close()


def headings(table):
    return table.locator("thead button").all_text_contents()


def column(table, at):
    return table.locator("tbody tr").evaluate_all("(rows, at) => rows.map((row) => row.cells[at].textContent)", at)


def test_nothing_is_asked_of_the_network_and_nothing_goes_wrong(opened, report):
    one = opened()
    one.page.mouse.wheel(0, 20_000)
    one.page.wait_for_load_state("networkidle")
    assert [url for url in one.requests if not url.startswith("data:image/jpeg;")] == [report.as_uri()]
    assert one.faults == []


def test_a_click_sorts_numbers_as_numbers_and_another_turns_them(opened):
    table = opened().page.locator("#sequences table")
    at = next(i for i, text in enumerate(headings(table)) if text.endswith("3\u00a0clicks J"))
    button = table.locator("thead button").nth(at)
    for expected, said in (
        (["100.0", "50.0", "5.0", "0.0"], "descending"),
        (["0.0", "5.0", "50.0", "100.0"], "ascending"),
    ):
        button.click()
        assert column(table, at) == expected
        assert table.locator("[aria-sort]").count() == 1
        assert table.locator("thead th").nth(at).get_attribute("aria-sort") == said


def test_what_has_no_number_comes_last_either_way(opened):
    table = opened().page.locator("#sequences table")
    at = headings(table).index("mask J&F")
    for _ in range(2):  # by name, the other way round: they come first
        table.locator("thead button").first.click()
    assert column(table, at)[:2] == ["–", "–"]
    for _ in range(2):
        table.locator("thead button").nth(at).click()
        assert column(table, at)[2:] == ["–", "–"]


def test_names_sort_from_the_first(opened):
    table = opened().page.locator("#sequences table")
    button = table.locator("thead button").first
    button.click()
    assert column(table, 0) == [*"abcd"]
    button.click()
    assert column(table, 0) == [*"dcba"]


def test_the_keyboard_reaches_a_heading_and_sorts(opened):
    page = opened().page
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('thead button')"):
            break
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    for said in ("ascending", "descending"):
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.parentElement.getAttribute('aria-sort')") == said


def test_published_rows_can_be_hidden(opened):
    page = opened().page
    rows, toggle = page.locator("#t2 tr.published"), page.locator("#t2 .toggle input")
    assert rows.count() > 0
    assert rows.first.is_visible()
    toggle.uncheck()
    assert not rows.first.is_visible()
    assert page.locator("#t2 tbody tr:not(.published)").first.is_visible()


def test_pictures_load(opened):
    page = opened().page
    widths = page.evaluate(
        "async () => { const all = [...document.images];"
        " for (const one of all) { one.scrollIntoView(); await one.decode(); }"
        " return all.map((one) => one.naturalWidth); }"
    )
    assert len(widths) > 5
    assert set(widths) == {72}
    assert page.locator("#worst img").count() > 1
    assert page.locator("#clicks img").count() > 1


def test_strips_are_drawn_and_tell_their_values(opened):
    page = opened(unfold=False).page

    def colors(group):
        pixel = "(one) => [...one.getContext('2d').getImageData(one.width / 4, 9, 1, 1).data]"
        return [strip.evaluate(pixel) for strip in group.locator(".strip canvas").all()]

    groups = page.locator("#frames details")
    masks, clicks, rounds = (groups.nth(i) for i in range(3))
    assert [alpha for *_, alpha in colors(masks)] == [255] * 2
    for group in (clicks, rounds):
        group.locator("summary").click()
    page.wait_for_function("document.querySelector('#frames details:last-of-type canvas').width !== 300")
    assert [alpha for *_, alpha in colors(rounds)] == [255] * 2
    assert colors(clicks)[1] == [45, 95, 175, 255]  # J of 100
    assert colors(clicks)[3] == [165, 0, 38, 255]  # of 0
    page.locator(".strip canvas[aria-label^='c, object 1']").hover(position={"x": 3, "y": 9})
    assert page.locator("#tip").inner_text() == "frame 1: J 50"
    page.mouse.move(0, 0)
    assert not page.locator("#tip").is_visible()


def test_curves_have_a_point_a_round_for_both_runs(opened):
    charts = opened().page.locator(".chart")
    assert charts.count() == 3
    for chart in charts.all():
        assert chart.locator("circle").count() == 2 * 2
        assert chart.locator(".legend").inner_text().split() == ["copy-first", "optical-flow"]


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_fits_its_window(opened, width):
    page = opened(width=width).page
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    wide = page.evaluate(
        "[...document.querySelectorAll('main *')].filter((one) => !one.closest('.scroll table')"
        " && one.getBoundingClientRect().right > innerWidth).map((one) => one.outerHTML.slice(0, 99))"
    )
    assert wide == []


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_text_can_be_read(opened, scheme):
    page = opened(scheme).page
    back = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (back == "rgb(255, 255, 255)") == (scheme == "light")
    found = page.evaluate(CONTRASTS)
    assert len(found) > 100
    assert [(text, round(ratio, 2)) for ratio, text in found if ratio < 4.5] == []
