from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from masklet.data_engine.phases import Annotating, as_json
from masklet.inference.image import ImagePredictor
from masklet.inference.session import VideoSession
from masklet.masks import rle
from masklet.model.sam2 import Sam2
from tiny_model import DISC, SQUARE, disc

pytestmark = pytest.mark.usefixtures("as_user")


def click(*points: tuple[int, int], frame: int = 0, target: int = 1, **more: object) -> dict:
    return {"frame": frame, "object": target, "points": [list(p) for p in points], "labels": [1] * len(points), **more}


def mask(annotating: Annotating, frame: int = 0, target: int = 1) -> np.ndarray:
    return annotating.session.frame_result(frame)[target].mask


@pytest.fixture
def three(tiny: Sam2, frames: list[np.ndarray]) -> Annotating:
    return Annotating(VideoSession(frames, tiny), 3)


@pytest.fixture
def two(tiny: Sam2, frames: list[np.ndarray], tmp_path: Path) -> Annotating:
    return Annotating(VideoSession(frames, tiny, autosave=tmp_path / "session"), 2)


def test_in_phase_3_clicks_are_prompts_of_the_session(three: Annotating, tiny: Sam2, frames: list[np.ndarray]):
    plain = VideoSession(frames, tiny)
    for annotate in (three.session, plain):
        prompt = annotate.prompt if annotate is plain else None
        for given in (click(DISC), click(SQUARE), click(DISC, clear=True), click(SQUARE, target=2)):
            if prompt is None:
                three.act("prompt", given)
            else:
                more = {"clear": given.get("clear", False)}
                prompt(0, given["object"], points=given["points"], labels=given["labels"], **more)
    for i in (1, 2):
        assert np.array_equal(mask(three, target=i), plain.frame_result(0)[i].mask)
    three.check_propagate()


@pytest.mark.parametrize("phase", [1, 2])
def test_in_other_phases_clicks_segment_an_image_and_add_up(tiny: Sam2, frames: list[np.ndarray], phase: int):
    annotating = Annotating(VideoSession(frames, tiny), phase)  # pyright: ignore
    images = ImagePredictor(tiny)
    images.set_image(frames[3])
    one = images.predict(points=[DISC], labels=[1]).mask
    both = images.predict(points=[DISC, SQUARE], labels=[1, 1], multimask=False).mask
    assert one.any()
    assert not np.array_equal(one, both)
    annotating.act("prompt", click(DISC, frame=3))
    assert np.array_equal(annotating.session.tracks[1].prompts[3].mask, one)
    annotating.act("prompt", click(SQUARE, frame=3))
    assert np.array_equal(annotating.session.tracks[1].prompts[3].mask, both)
    annotating.act("undo", {})
    annotating.act("prompt", click(SQUARE, frame=3))
    assert np.array_equal(annotating.session.tracks[1].prompts[3].mask, both)
    annotating.act("prompt", click(DISC, frame=3, clear=True))
    assert np.array_equal(annotating.session.tracks[1].prompts[3].mask, one)


def test_clicks_are_known_after_loading(two: Annotating, tiny: Sam2, frames: list[np.ndarray], tmp_path: Path):
    two.act("prompt", click(DISC))
    two.session.close()
    again = Annotating(VideoSession.load(tmp_path / "session", frames, tiny), 2)
    again.act("prompt", click(SQUARE))
    two = Annotating(VideoSession(frames, tiny), 2)
    two.act("prompt", click(DISC, SQUARE))
    assert np.array_equal(mask(again), mask(two))


def test_what_was_brushed_is_refined_by_clicks(two: Annotating, tiny: Sam2, frames: list[np.ndarray]):
    two.act("mask", {"frame": 0, "object": 1, "counts": rle.encode(disc(0))["counts"]})
    assert np.array_equal(two.session.tracks[1].prompts[0].mask, disc(0))
    two.act("prompt", click(SQUARE))
    images = ImagePredictor(tiny)
    images.set_image(frames[0])
    wanted = images.predict(points=[SQUARE], labels=[1], mask=disc(0), multimask=False).mask
    assert np.array_equal(two.session.tracks[1].prompts[0].mask, wanted)


def test_clicks_are_given_until_they_are_undone(two: Annotating, three: Annotating):
    for annotating in (two, three):
        assert annotating.given(0, 1) is None
        annotating.act("prompt", click(DISC))
        annotating.act("prompt", click(SQUARE, box=[40, 20, 65, 45]))
        given = annotating.given(0, 1)
        assert given is not None
        assert given.points.tolist() == [list(DISC), list(SQUARE)]
        assert given.box is not None
        annotating.act("undo", {})
        given = annotating.given(0, 1)
        assert given is not None
        assert given.points.tolist() == [list(DISC)]
        assert given.box is None
        annotating.act("mask", {"frame": 0, "object": 1, "counts": rle.encode(disc(0))["counts"]})
        given = annotating.given(0, 1)
        assert given is not None
        assert len(given.points) == 0


def test_nothing_is_propagated_in_phase_1(tiny: Sam2, frames: list[np.ndarray]):
    with pytest.raises(ValueError, match="in phase 1 every frame is annotated by hand"):
        Annotating(VideoSession(frames, tiny), 1).check_propagate()
    with pytest.raises(ValueError, match="a phase is 1, 2 or 3, got 4"):
        Annotating(VideoSession(frames, tiny), 4)  # pyright: ignore


def test_every_action(three: Annotating):
    session, act = three.session, three.act
    act("object_add", {"object": 1})
    assert session.objects == []
    act("object_remove", {"object": 1})
    act("prompt", click(DISC))
    act("prompt", click(target=2, box=[40, 20, 65, 45]))
    list(session.propagate())
    act("lock", {"object": 1, "first": 2, "last": 5})
    assert session.tracks[1].locks == {2: 5}
    act("unlock", {"object": 1})
    assert not session.tracks[1].locks
    act("swap", {"object": 1, "other": 2, "first": 4})
    act("trim", {"object": 2, "last": 7})
    act("split", {"object": 2, "frame": 5, "other": 3})
    assert session.objects == [1, 2, 3]
    act("merge", {"object": 2, "other": 3})
    act("clear", {"object": 1, "frame": 0})
    clear = {"kind": "clear", "objects": [1], "frame": 0, "last": None}
    merge = {"kind": "merge", "objects": [2, 3], "frame": None, "last": None}
    assert as_json(three.next_undo) == clear
    assert as_json(act("undo", {})) == clear
    assert as_json(three.next_undo) == merge
    assert as_json(three.next_redo) == clear
    assert as_json(act("undo", {})) == merge
    assert as_json(act("redo", {})) == merge
    assert as_json(three.next_redo) == clear
    act("object_change", {"object": 1, "name": "dog"})
    assert three.next_redo is not None
    act("object_remove", {"object": 1})
    assert three.next_redo is None
    assert session.objects == [2]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("open", {}),
        ("__init__", {}),
        ("prompt", {}),
        ("prompt", click()),
        ("prompt", click((1, 1), frame=99)),
        ("prompt", click((1, 1), frame="0")),
        ("prompt", click((1, 1), frame=True)),
        ("prompt", click((1, 1), target=0)),
        ("prompt", click((1, 1), target=10**30)),
        ("prompt", click((1, 1), target=[1])),
        ("prompt", click((-5, 999))),
        ("prompt", {"frame": 0, "object": 1, "points": "here", "labels": [1]}),
        ("prompt", {"frame": 0, "object": 1, "points": [[1, 2, 3]], "labels": [1]}),
        ("prompt", {"frame": 0, "object": 1, "points": {"x": 1}}),
        ("prompt", {"frame": 0, "object": 1, "box": [1, 2]}),
        ("prompt", click((1, 1), correction="perhaps")),
        ("mask", {"frame": 0, "object": 1}),
        ("mask", {"frame": 0, "object": 1, "counts": "\u20ac"}),
        ("mask", {"frame": 0, "object": 1, "counts": "11"}),
        ("mask", {"frame": 0, "object": 1, "counts": [0, 10**12]}),
        ("mask", {"frame": 0, "object": 1, "counts": [1.5]}),
        ("mask", {"frame": 0, "object": 1, "counts": [48 * 72]}),
        ("clear", {"frame": 3, "object": 1}),
        ("lock", {"object": 7}),
        ("trim", {"object": 1, "first": 5, "last": 2}),
        ("swap", {"object": 1, "other": 1}),
        ("merge", {"object": 1}),
        ("split", {"object": 1, "frame": 2}),
        ("undo", {}),
        ("redo", {}),
    ],
)
@pytest.mark.parametrize("phase", [2, 3])
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    tiny: Sam2, frames: list[np.ndarray], phase: int, kind: str, body: dict
):
    annotating = Annotating(VideoSession(frames, tiny), phase)  # pyright: ignore
    if kind not in ("undo", "redo"):
        annotating.act("mask", {"frame": 0, "object": 1, "counts": rle.encode(disc(0))["counts"]})
    before, tag = annotating.session.history, json.dumps(annotating.session.tag)
    with pytest.raises((ValueError, LookupError, TypeError)) as caught:
        annotating.act(kind, json.loads(json.dumps(body)))
    assert str(caught.value)
    assert [*map(id, annotating.session.history)] == [*map(id, before)]
    assert json.dumps(annotating.session.tag) == tag
