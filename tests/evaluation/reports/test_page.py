"""The page parses, needs nothing from elsewhere, and shows names as they are."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from made_runs import made_run, made_vos, scored
from masklet.evaluation.reports.page import report_page
from masklet.evaluation.reports.run_record import RunRecord
from masklet.evaluation.scores import SequenceScore, VosScore

VOID = {"meta", "img", "input"}


class Page(HTMLParser):
    """Checks that tags close in order; keeps texts, attributes and names of tags."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.attributes, self.texts = [], [], [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def ids(self):
        return [value for name, value in self.attributes if name == "id"]


def test_all_parts_are_there():
    page = Page(
        report_page(
            [made_run(), made_run("floor", vos={"mask": made_vos([0.1], [0.2, 0.3])})], None, made_run("before", 0.1)
        )
    )
    for part in ("curves", "frames", "worst", "clicks", "comparison", "sequences", "setup"):
        assert part in page.ids
    links = [value[1:] for name, value in page.attributes if name == "href"]
    assert set(links) <= set(page.ids)
    text = " ".join(page.texts)
    for said in ("published, not measured", "two cores", "image_size", "floor", "before", "What moved most", "0.500"):
        assert said in text
    assert len(page.ids) == len(set(page.ids))


def test_every_video_is_there():
    names = [f"video-{i}" for i in range(700)]
    score = VosScore(tuple(SequenceScore(name, (scored(1, 0.5),)) for name in names))
    texts = set(Page(report_page([made_run(vos={"mask": score}, interactive={})])).texts)
    assert set(names) <= texts


@pytest.mark.parametrize("changed", [{"images": {}}, {"interactive": {}}, {"vos": {}}, {"interactive": {"online": ()}}])
def test_parts_that_were_not_run_are_left_out(changed):
    page = Page(report_page([made_run(**changed)]))
    assert ("curves" in page.ids) == ("interactive" not in changed)
    assert ("sequences" in page.ids) == ("vos" not in changed)


def test_an_empty_record_is_a_page():
    page = Page(report_page([RunRecord("dev", "ours", {}, "two cores")]))
    assert "table" not in page.tags
    assert "setup" in page.ids


def test_nothing_is_loaded_from_elsewhere():
    html = report_page([made_run()], lambda shot: b"\xff\xd8jpeg")
    assert not re.search(r"https?:|//[a-z]+\.|@import|url\(", html)
    page = Page(html)
    assert "link" not in page.tags
    sources = [value for name, value in page.attributes if name == "src"]
    assert sources
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert any("default-src 'none'" in value for name, value in page.attributes if name == "content")


EVIL = "\"'><script>alert(1)</script><img src=x onerror=y>&amp;"


def test_names_are_shown_and_not_obeyed():
    score = VosScore((SequenceScore(EVIL, (scored(1, 0.5),)), SequenceScore("b", (scored(1, 0.4),))))
    record = made_run(
        EVIL, suite=EVIL, settings={EVIL: EVIL}, hardware=EVIL, data=EVIL, vos={"mask": score, EVIL: score},
        images={EVIL: made_run().images["animals"]}, headlines={EVIL: {EVIL: 0.5}}, speed={EVIL: 1.0},
        interactive={EVIL: made_run().interactive["offline"]},
    )  # fmt: skip
    page = Page(report_page([record, record], lambda shot: b"jpeg", record))
    assert page.tags.count("script") == 1
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert {value for name, value in page.attributes if name == "src"} == {"data:image/jpeg;base64,anBlZw=="}
    assert EVIL in page.texts


def test_pictures_are_asked_for_and_bounded():
    score = VosScore(
        tuple(
            SequenceScore(
                f"v{i}", (scored(1, *[0.1] * 20, clicks=made_run().vos["3 clicks"].sequences[0].objects[0].clicks),)
            )
            for i in range(80)
        )
    )
    asked = []
    html = report_page(
        [made_run(vos={"5 clicks": score})],
        lambda shot: asked.append(shot) or (b"jpeg" if shot.video != "v0" else None),
    )
    assert len(asked) == 60
    assert 0 < Page(html).tags.count("img") < 60
    assert {shot.video for shot in asked if shot.clicks}


def test_without_pictures_the_frames_are_named():
    page = Page(report_page([made_run()]))
    assert "img" not in page.tags
    assert any("object 1, frame 1 · mask" in text for text in page.texts)


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="no run"):
        report_page([])
    with pytest.raises(ValueError, match="not scored on the same units"):
        report_page([made_run()], None, made_run(vos={"mask": made_vos([0.5])}))
