"""Frames to correct: doubtful, unlike what is known, and apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from masklet.inference.options import SessionOptions
from masklet.inference.results import Shown
from masklet.inference.session import VideoSession
from masklet.inference.suggestions import Suggestion, suggest
from masklet.inference.track import Note, ObjectTrack
from masklet.interaction.prompts import UserPrompt
from masklet.model.memory_bank import BankLimits, MemoryBank
from masklet.model.sam2 import Sam2
from tiny_model import DISC, SQUARE, clip

pytestmark = pytest.mark.usefixtures("as_user")
REACH = 2


def track(ious: list[float], *, angles: dict[int, float] | None = None, **scores: dict[int, float]) -> ObjectTrack:
    """An object that is prompted on frame 0; keys are directions in a plane, by their angles in degrees."""
    made = ObjectTrack(MemoryBank(BankLimits(recent_maps=REACH)))
    made.prompts[0] = UserPrompt(mask=np.ones((2, 2), bool))
    for t, iou in enumerate(ious):
        angle = np.deg2rad((angles or {}).get(t, 0.0))
        made.notes.put(t, Note({}, False, np.array([np.cos(angle), np.sin(angle)], np.float16)))
        presence, stability = scores.get("presence", {}).get(t, 50.0), scores.get("stability", {}).get(t, 1.0)
        made.shown.put(t, Shown(t, (2, 2), {"size": [2, 2], "counts": ""}, iou, presence, stability, t == 0))
    return made


def frames_of(suggestions: list[Suggestion]) -> list[int]:
    return [one.frame for one in suggestions]


def test_doubtful_frames_come_first_and_apart():
    ious = [0.9] * 20
    ious[6], ious[7], ious[8], ious[15], ious[1] = 0.5, 0.4, 0.45, 0.6, 0.1
    made = suggest(3, {1: track(ious)})
    assert frames_of(made) == [7, 15, 3]  # 6 and 8 read frame 7, and 1 reads the prompt; of equal ones the first
    assert made[0].objects == (1,)
    assert [one.reasons for one in made] == [("low predicted IoU",), ("low predicted IoU",), ()]
    assert [one.score for one in made] == sorted((one.score for one in made), reverse=True)
    assert suggest(3, {1: track(ious)}) == made
    assert len(suggest(50, {1: track(ious)})) == 5  # 3 .. 19, three apart around 7 and 15


def test_of_equal_doubt_the_least_alike_comes_first():
    ious = [0.8] * 20
    (first, second) = suggest(2, {1: track(ious, angles={9: 60, 15: 50, 5: -40})})
    assert first.frame == 9
    assert first.reasons == ("unlike prompted frames",)
    assert second.frame == 5  # frame 15 is like 9 now
    assert first.score == pytest.approx(0.2)
    assert second.score == pytest.approx(0.2 * (1 + (1 - np.cos(np.deg2rad(40))) / 0.5) / 2, abs=1e-3)


def test_novelty_only_weighs():
    ious = [0.9] * 20
    ious[5] = 0.7
    assert frames_of(suggest(1, {1: track(ious, angles={12: 90})})) == [5]


def test_an_object_that_is_surely_away_is_no_reason():
    ious = [0.9] * 20
    ious[5] = ious[6] = 0.1
    away = dict.fromkeys(range(4, 10), -50.0)
    (made,) = suggest(1, {1: track(ious, presence={**away, 10: 0.3, 11: -3.0})})
    assert made.frame == 10
    assert made.reasons == ("presence in doubt",)
    (made,) = suggest(1, {1: track([1.0] * 20, presence={8: -2.0}, stability={8: 0.5})})
    assert (made.frame, made.reasons) == (8, ("unstable mask", "presence in doubt"))


def test_nothing_is_suggested_where_it_cannot_help():
    ious = [0.9] * 4 + [0.2] * 16
    one = track(ious)
    one.locks[4] = 9
    one.active[0] = 13
    assert frames_of(suggest(1, {1: one})) == [10]
    one.prompts[11] = one.prompts[0]
    assert frames_of(suggest(5, {1: one})) == [3]
    assert suggest(2, {1: track([1.0] * 20)}) == []
    assert suggest(2, {1: ObjectTrack(MemoryBank(BankLimits()))}) == suggest(2, {}) == []


def test_objects_share_a_frame():
    one, two, three = [0.9] * 12, [0.9] * 12, [0.95] * 12
    one[4] = 0.4
    one[8] = two[8] = 0.6
    tracks = {1: track(one), 2: track(two), 3: track(three)}
    first, second = suggest(2, tracks)
    assert (first.frame, first.objects) == (8, (1, 2))
    assert (second.frame, second.objects) == (4, (1,))
    tracks[2].prompts[9] = tracks[2].prompts[0]  # object 2 is about to be right there
    assert suggest(1, tracks)[0] == Suggestion(4, (1,), second.score, ("low predicted IoU",))


def test_a_session_suggests_what_helps_it(tiny: Sam2, tmp_path: Path):
    frames = clip(30)
    session = VideoSession(frames, tiny)
    assert session.suggest_frames() == []
    session.prompt(0, 1, points=[DISC])
    session.prompt(0, 2, points=[SQUARE])
    list(session.propagate())
    made = session.suggest_frames(3)
    assert len(made) == 3
    assert session.suggest_frames(1, object_id=2)[0].objects == (2,)
    session.save(tmp_path / "session")
    assert VideoSession.load(tmp_path / "session", frames, tiny).suggest_frames(3) == made
    session.prompt(made[0].frame, 1, points=[DISC])
    session.prompt(made[0].frame, 2, points=[SQUARE])
    assert made[0].frame not in frames_of(session.suggest_frames(9))
    session.undo()
    session.undo()
    assert session.suggest_frames(3) == made


def test_live_frames_that_are_gone_are_not_suggested(tiny: Sam2):
    live = VideoSession(None, tiny)
    for t, frame in enumerate(clip(20)):
        live.step(frame)
        if t == 0:
            live.prompt(0, 1, points=[DISC])
    (made,) = live.suggest_frames()
    assert made.frame >= 12
    assert "unlike prompted frames" not in made.reasons  # nobody knows
    live.prompt(made.frame, 1, points=[DISC])


def test_errors(tiny: Sam2, frames: list[np.ndarray]):
    session = VideoSession(frames, tiny, options=SessionOptions(keep_results=False))
    session.prompt(0, 1, points=[DISC])
    list(session.propagate(stop=2))
    with pytest.raises(ValueError, match=r"must keep its results: SessionOptions\(keep_results=True\)"):
        session.suggest_frames()
    with pytest.raises(ValueError, match="got k = 0, expected the number of frames"):
        session.suggest_frames(0)
    with pytest.raises(KeyError, match="unknown object 7: known are"):
        session.suggest_frames(1, object_id=7)
