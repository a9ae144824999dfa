from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import masklet
from masklet.data.sa_v import open_sa_v
from masklet.inference import automatic_masklets
from masklet.inference.automatic import AutomaticMask, AutomaticMasks, AutomaticOptions
from masklet.inference.automatic_masklets import AutomaticMasklets, choose, uncovered
from masklet.inference.edits import Edits
from masklet.inference.masklet_options import MaskletOptions
from masklet.inference.masklets import Masklets
from masklet.inference.options import SessionOptions
from masklet.masks.rle import encode
from masklet.model.sam2 import Sam2
from masklet.video import scene_cuts
from tiny_model import HEIGHT, SMALL_NANO, WIDTH, clip, disc, tiny_model

PLACES = {0: [(2, 2), (30, 20)], 4: [(50, 5), (50, 20)], 8: [(12, 25)]}
ALL = AutomaticOptions(grids=(3,), least_iou=0.0, least_stability=0.0)


def options(**changes: Any) -> MaskletOptions:
    base = {"masks": ALL, "later_grid": 3, "every": 4, "small_area": 5, "least_confidence": 0.0, "most_overlap": 1.0}
    return MaskletOptions(**{**base, **changes})


def found(mask: np.ndarray, iou: float = 0.9) -> AutomaticMask:
    area = int(mask.sum())
    return AutomaticMask(encode(mask), area, (0, 0, 1, 1), iou, 1.0, (0.0, 0.0), (0, 0, mask.shape[1], mask.shape[0]))


def square(x: int, y: int, side: int = 12) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[y : y + side, x : x + side] = True
    return mask


@pytest.fixture
def squares(monkeypatch: pytest.MonkeyPatch, frames: list[np.ndarray]) -> None:
    """Let squares be found on keyframes."""
    known = {frame.tobytes(): [found(square(*xy)) for xy in PLACES.get(t, [])] for t, frame in enumerate(frames)}
    monkeypatch.setattr(AutomaticMasks, "generate", lambda _, image, *__: known[image.tobytes()])


def content(masklets: Masklets) -> list[dict[int, tuple]]:
    return [
        {i: (one.kept and one.kept["counts"], one.iou, one.stability, one.presence) for i, one in frame.items()}
        for frame in masklets
    ]


def test_objects_begin_on_keyframes_and_are_followed(tiny: Sam2, frames: list[np.ndarray], squares: None):
    steps = list(AutomaticMasklets(tiny, options(most_covered=1.0)).stream(frames))
    assert [step.frame for step in steps] == [*range(10), 9]
    assert {step.total for step in steps} == {10}
    assert [step.count for step in steps[:10]] == [2] * 4 + [4] * 4 + [5] * 2
    assert all(step.masklets is None for step in steps[:-1])
    masklets = steps[-1].masklets
    assert masklets is not None
    with masklets:
        assert masklets.ids == (1, 2, 3, 4, 5)
        assert [masklets.life(i) for i in masklets.ids] == [(0, 9), (0, 9), (4, 9), (4, 9), (8, 9)]
        for t, (frame, step) in enumerate(zip(masklets, steps, strict=False)):
            assert {i: one.rle() for i, one in frame.items()} == step.masks
            assert {i for i, one in frame.items() if one.prompted} == {i for i in frame if masklets.life(i)[0] == t}
        with pytest.raises(KeyError, match="unknown object 9"):
            masklets.life(9)


def test_the_masks_are_those_of_a_session(tiny: Sam2, frames: list[np.ndarray], squares: None):
    plain = options(every=None, small_area=0, session=SessionOptions(undo_levels=0))
    session = masklet.VideoSession(frames, tiny)
    for i, xy in enumerate(PLACES[0], 1):
        session.prompt(0, i, mask=square(*xy))
    wanted = list(session.propagate())
    with AutomaticMasklets(tiny, plain).generate(frames) as masklets:
        for frame, one in zip(masklets, wanted, strict=True):
            assert {i: r.rle() for i, r in frame.items()} == {i: r.rle() for i, r in one.items()}


def test_objects_end(tiny: Sam2, frames: list[np.ndarray], squares: None):
    """No object is sure enough: each ends with its first frame, once patience is over, and its memory goes."""
    steps = list(AutomaticMasklets(tiny, options(least_confidence=1.0, patience=2)).stream(frames))
    assert [len(step.living) for step in steps[:10]] == [2, 2, 0, 0, 2, 2, 0, 0, 1, 1]
    masklets = steps[-1].masklets
    assert masklets is not None
    assert [masklets.life(i) for i in (1, 2, 3, 4)] == [(0, 0), (0, 0), (4, 4), (4, 4)]
    assert [len(frame) for frame in masklets] == [2, 0, 0, 0, 2, 0, 0, 0, 1, 1]
    for i in (1, 2, 3, 4):
        track = masklets.session.tracks[i]
        assert not any((track.prompts, track.answers, track.notes, track.bank.prompted, track.bank.recent))


def test_doubles_end(tiny: Sam2, frames: list[np.ndarray], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(AutomaticMasks, "generate", lambda *_: [found(square(9, 9)), found(square(9, 10))])
    monkeypatch.setattr(automatic_masklets, "choose", lambda found, *_: found)
    many = options(every=None, most_overlap=0.0, window=3)
    with AutomaticMasklets(tiny, many).generate(frames) as masklets:
        assert sorted(masklets.life(i) for i in masklets.ids) == [(0, 0), (0, 9)]


def test_the_number_of_objects_is_bounded(
    tiny: Sam2, frames: list[np.ndarray], squares: None, caplog: pytest.LogCaptureFixture
):
    caplog.set_level("INFO", automatic_masklets.__name__)
    steps = list(AutomaticMasklets(tiny, options(most_objects=3, most_covered=1.0)).stream(frames))
    assert [len(step.living) for step in steps[:10]] == [2] * 4 + [3] * 6
    assert caplog.messages == ["1 masks of frame 4 become no objects: at most 3 live at a time"]


def test_scene_cuts_are_keyframes(tiny: Sam2, frames: list[np.ndarray], monkeypatch: pytest.MonkeyPatch):
    asked: list[bytes] = []
    monkeypatch.setattr(AutomaticMasks, "generate", lambda _, image, *__: asked.append(image.tobytes()) or [])
    scenes = [*frames[:3], *(255 - frame for frame in frames[3:6])]
    for cuts, wanted in ((True, [0, 3]), (False, [0])):
        asked.clear()
        chosen = options(every=None, session=SessionOptions(scene_cuts=cuts))
        with AutomaticMasklets(tiny, chosen).generate(scenes) as masklets:
            assert [len(frame) for frame in masklets] == [0] * 6
        assert asked == [scenes[t].tobytes() for t in wanted]


def test_colours_are_looked_at_once(
    tiny: Sam2, frames: list[np.ndarray], squares: None, monkeypatch: pytest.MonkeyPatch
):
    looked: list[bytes] = []
    monkeypatch.setattr(scene_cuts, "colours", lambda frame: looked.append(frame.tobytes()) or np.ones(1))
    with AutomaticMasklets(tiny, options(session=SessionOptions(scene_cuts=True))).generate(frames):
        assert looked == [frame.tobytes() for frame in frames]


@pytest.mark.parametrize("stop", [0, 2, 4, 5, 9])
def test_a_stopped_run_goes_on_to_the_same_end(
    tiny: Sam2, frames: list[np.ndarray], squares: None, tmp_path: Path, stop: int
):
    generator = AutomaticMasklets(tiny, options(least_confidence=0.8, patience=2, window=2, most_overlap=0.5))
    with generator.generate(frames) as masklets:
        wanted = content(masklets)
    assert len({tuple(frame) for frame in wanted}) > 3
    steps = generator.stream(frames, tmp_path)
    while next(steps).frame < stop:
        pass
    steps.close()  # pyright: ignore[reportAttributeAccessIssue]
    again = list(generator.stream(frames, tmp_path))
    assert again[0].frame <= stop
    assert again[-1].masklets is not None
    with again[-1].masklets as masklets:
        assert content(masklets) == wanted


class Killed(Exception):
    pass


@pytest.mark.parametrize("actions", [1, 2, 3, 5])
def test_a_run_that_is_killed_between_two_actions_goes_on(
    tiny: Sam2,
    frames: list[np.ndarray],
    squares: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    actions: int,
):
    """The file holds a part of what is done on a frame: objects begun or ended, and others not."""
    generator = AutomaticMasklets(tiny, options(least_confidence=1.0, patience=2, every=2, most_covered=1.0))
    with generator.generate(frames) as masklets:
        wanted = content(masklets)
    done: list[None] = []

    def counted(action: Any) -> Any:
        def act(*arguments: Any, **named: Any) -> Any:
            if len(done) == actions:
                raise Killed
            done.append(None)
            return action(*arguments, **named)

        return act

    with monkeypatch.context() as patch:
        patch.setattr(masklet.VideoSession, "prompt", counted(masklet.VideoSession.prompt))
        patch.setattr("masklet.inference.edits.Edits.end", counted(Edits.end))
        with pytest.raises(Killed):
            list(generator.stream(frames, tmp_path))
    with generator.generate(frames, tmp_path) as masklets:
        assert content(masklets) == wanted


def test_a_folder_belongs_to_one_run(tiny: Sam2, frames: list[np.ndarray], squares: None, tmp_path: Path):
    AutomaticMasklets(tiny, options()).generate(frames[:3], tmp_path).close()
    with pytest.raises(ValueError, match=r"other options \(every 4, not 5\)"):
        AutomaticMasklets(tiny, options(every=5)).generate(frames[:3], tmp_path)
    with pytest.raises(ValueError, match="belongs to another video"):
        AutomaticMasklets(tiny, options()).generate(frames[:4], tmp_path)
    (tmp_path / "masklets.json").unlink()
    with pytest.raises(ValueError, match="cannot go on: remove"):
        AutomaticMasklets(tiny, options()).generate(frames[:3], tmp_path)
    with pytest.raises(ValueError, match="is a stream"):
        AutomaticMasklets(tiny, options()).generate(iter(frames), tmp_path)


def test_a_stream(tiny: Sam2, frames: list[np.ndarray], monkeypatch: pytest.MonkeyPatch):
    for masks in ([found(square(2, 2))], []):
        monkeypatch.setattr(AutomaticMasks, "generate", lambda *_, masks=masks: masks)
        steps = list(AutomaticMasklets(tiny, options(every=None)).stream(iter(frames)))
        assert [step.frame for step in steps] == [*range(10), 9]
        assert [step.total for step in steps] == [None] * 10 + [10]


def test_sa_v_reads_what_is_written(tiny: Sam2, frames: list[np.ndarray], squares: None, tmp_path: Path):
    with AutomaticMasklets(tiny, options(most_covered=1.0)).generate(frames) as masklets:
        path = masklets.write_sa_v(tmp_path, "sav_000007")
        shown = {t: {i: one for i, one in masklets.frame(t).items() if one.area} for t in (0, 4, 8)}
    assert path.name == "sav_000007_auto.json"
    said = json.loads(path.read_text())
    assert said["masklet_type"] == ["auto"] * 5
    assert said["masklet_first_appeared_frame"] == [0, 0, 1, 1, 2]
    rows = said["masklet_stability_score"]
    assert [len(row) for row in rows] == [5] * 3
    assert rows == [[shown[t][i].stability if i in shown[t] else 0 for i in range(1, 6)] for t in (0, 4, 8)]
    video = open_sa_v(tmp_path, "auto")[0]
    assert (video.name, video.frame_count) == ("sav_000007", 10)
    for t in (0, 4, 8):
        read = {i: mask for i, mask in video.masks(t).items() if mask.any()}
        assert read.keys() == shown[t].keys()
        for i, mask in read.items():
            assert np.array_equal(mask, shown[t][i].mask)


def test_with_nothing_made_up(frames: list[np.ndarray]):
    """Real masks of a small nano, whose later clicks are beside what is covered."""
    model = tiny_model(SMALL_NANO, seed=1)
    chosen = replace(options(every=2), most_objects=4)
    steps = list(AutomaticMasklets(model, chosen).stream(clip(5)))
    assert 0 < max(len(step.living) for step in steps) <= 4


def test_choice():
    whole, part, other = square(10, 10, 20), square(10, 10, 10), square(50, 10)
    masks = [found(part, 0.8), found(whole, 0.7), found(other, 0.9), found(whole, 0.6)]
    assert choose(masks, [], options(), 5) == [masks[2], masks[0], masks[1], masks[3]]
    assert choose(masks, [], options(most_overlap=0.9), 5) == [masks[2], masks[0], masks[1]]
    assert choose(masks, [], options(most_overlap=0.9, prefer="large"), 5)[0] == masks[1]
    assert choose(masks, [], options(most_overlap=0.9), 101) == [masks[2], masks[1]]
    covering = [encode(square(50, 10, 9)), encode(part)]
    assert choose(masks, covering, options(most_overlap=0.9), 5) == [masks[1]]  # a quarter of it is covered
    assert choose([], covering, options(), 5) == []


def test_points_that_nothing_covers():
    points = np.array([[0.2, 0.3], [0.9, 0.9]])
    assert uncovered(points, [encode(disc(0))], (HEIGHT, WIDTH)).tolist() == [[0.9, 0.9]]
    assert uncovered(points, [], (HEIGHT, WIDTH)).tolist() == points.tolist()


@pytest.mark.parametrize(
    "wrong",
    [
        {"every": 0},
        {"most_objects": 0},
        {"most_covered": 1.5},
        {"later_grid": 0},
        {"prefer": "small"},
        {"session": SessionOptions(keep_results=False)},
    ],
)
def test_options_that_make_no_sense(as_user: None, wrong: dict[str, Any]):
    with pytest.raises(ValueError, match=r"must be|at least|keep_results"):
        MaskletOptions(**wrong)


def test_defaults_are_those_of_the_paper_and_lower_for_nano(tiny: Sam2):
    assert MaskletOptions.suited(tiny).masks.grids == (32, 16, 4)
    nano = MaskletOptions.suited(tiny_model(SMALL_NANO), every=7)
    assert (nano.every, nano.masks.grids, nano.masks.least_iou) == (7, (16, 8), 0.5)
    assert MaskletOptions().least_area((480, 854)) == 200
    assert MaskletOptions(scale_area=True).least_area((1037, 1401)) == 200
    assert MaskletOptions(scale_area=True).least_area((480, 854)) == 56


def test_public_names():
    assert masklet.AutomaticMasklets is AutomaticMasklets
    assert masklet.MaskletOptions is MaskletOptions
