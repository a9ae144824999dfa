"""Objects on their own clocks: locked, trimmed, swapped, merged and split."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from masklet.inference.options import SessionOptions
from masklet.inference.session import VideoSession
from masklet.interchange.sessions import saved_masks, session_masks
from masklet.model.sam2 import Sam2
from session_scripts import state
from tiny_model import DISC, SQUARE, disc

pytestmark = pytest.mark.usefixtures("as_user")


@pytest.fixture
def session(tiny: Sam2, frames: list[np.ndarray]) -> VideoSession:
    """Two objects, tracked through all ten frames."""
    session = VideoSession(frames, tiny, options=SessionOptions(object_batch=1))
    session.prompt(0, 1, points=[DISC])
    session.prompt(0, 2, points=[SQUARE])
    list(session.propagate())
    return session


def masks(session: VideoSession, object_id: int) -> list[np.ndarray | None]:
    """What is shown of an object, frame by frame."""
    results = [session.frame_result(t) for t in range(10)]
    return [r[object_id].mask if object_id in r else None for r in results]


def same(one: list[np.ndarray | None], other: list[np.ndarray | None]) -> bool:
    return all((a is None and b is None) or np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_locked_frames_never_change(session: VideoSession):
    before = masks(session, 1)
    session.edit.lock(1, 3, 5)
    session.prompt(1, 1, mask=~disc(1))
    after = {r.frame: r[1].mask for r in session.propagate()}
    assert all(np.array_equal(after[t], before[t]) for t in (3, 4, 5))
    assert any(not np.array_equal(after[t], before[t]) for t in (1, 2, 6, 7, 8, 9))
    assert same(masks(session, 1)[3:6], before[3:6])
    with pytest.raises(ValueError, match="locked on frame 4: unlock it to prompt it there"):
        session.prompt(4, 1, points=[DISC])
    session.edit.unlock(1)
    list(session.propagate())
    assert not same(masks(session, 1)[3:6], before[3:6])


def test_frames_are_unlocked_by_stretches(session: VideoSession):
    session.edit.lock(1, 2, 4)
    session.edit.lock(1, 2, 8)
    session.edit.lock(1, 2, 3)  # of a longer one
    assert session.tracks[1].locks == {2: 8}
    session.edit.unlock(1, 4, 5)
    assert session.tracks[1].locks == {2: 3, 6: 8}
    session.edit.lock(1)
    session.edit.unlock(1, 7)
    assert [session.tracks[1].locked(t) for t in range(10)] == [t < 7 for t in range(10)]
    session.undo()
    session.undo()
    assert session.tracks[1].locks == {2: 3, 6: 8}
    session.edit.unlock(1, 0, 6)
    assert session.tracks[1].locks == {7: 8}


def test_locked_masks_keep_their_pixels(tiny: Sam2, frames: list[np.ndarray]):
    session = VideoSession(frames, tiny, options=SessionOptions(non_overlap=True, object_batch=1))
    session.prompt(0, 1, mask=disc(0))
    list(session.propagate())
    session.edit.lock(1)
    locked = masks(session, 1)
    everything = np.ones((48, 72), bool)
    answer = session.prompt(2, 2, mask=everything)
    shown = [answer.mask, *(r[2].mask for r in session.propagate(start=2))]
    for t, mask in zip([2, *range(2, 10)], shown, strict=True):
        assert mask.any()
        assert not (mask & locked[t]).any()
    assert same(masks(session, 1), locked)
    assert not (session.frame_result(5)[2].mask & locked[5]).any()


def test_locking_leaves_other_objects_alone(session: VideoSession):
    session.edit.lock(1)
    before = masks(session, 2)
    results = list(session.propagate())
    assert [list(r) for r in results] == [[1, 2]] * 10
    assert same(masks(session, 2), before)


def test_a_trimmed_object_lives_on_some_frames(session: VideoSession):
    before = masks(session, 1), masks(session, 2)
    session.edit.trim(2, 3, 6)
    shown = masks(session, 2)
    assert [mask is not None for mask in shown] == [3 <= t <= 6 for t in range(10)]
    assert same(shown[3:7], before[1][3:7])
    assert list(session.tracks[2].prompts) == [3]  # its only prompt was on a frame that went
    assert [sorted(r) for r in session.propagate()] == [[1, 2] if 3 <= t <= 6 else [1] for t in range(10)]
    assert same(masks(session, 1), before[0])
    with pytest.raises(ValueError, match="lives on frames 3 to 6, got 8"):
        session.prompt(8, 2, points=[DISC])


def test_swapped_objects(session: VideoSession):
    one, two = masks(session, 1), masks(session, 2)
    session.edit.swap_ids(1, 2, 6)
    assert same(masks(session, 1), one[:6] + two[6:])
    assert same(masks(session, 2), two[:6] + one[6:])
    assert sorted(session.tracks[1].notes) == list(range(10))
    session.edit.swap_ids(1, 2)
    session.edit.swap_ids(1, 2)
    assert same(masks(session, 1), one[:6] + two[6:])
    assert [sorted(r) for r in session.propagate(start=8)] == [[1, 2]] * 2


def test_swapping_back_changes_nothing(session: VideoSession):
    before = [(i, {k: dict(t) for k, t in track.everything().items()}) for i, track in session.tracks.items()]
    session.edit.swap_ids(1, 2, 2, 5)
    session.edit.swap_ids(2, 1, 2, 5)
    after = [(i, {k: dict(t) for k, t in track.everything().items()}) for i, track in session.tracks.items()]
    assert before == after


def test_merged_objects(session: VideoSession):
    one, two = masks(session, 1), masks(session, 2)
    session.edit.merge(1, 2)
    assert session.objects == [1]
    union = [a | b for a, b in zip(one, two, strict=True) if a is not None and b is not None]
    assert same(masks(session, 1), union)
    assert np.array_equal(session.tracks[1].prompts[0].mask, union[0])
    assert [list(r) for r in session.propagate()] == [[1]] * 10
    assert np.array_equal(session.frame_result(0)[1].mask, session.frame_result(0)[1].mask)


def test_split_objects(session: VideoSession):
    one, two = masks(session, 1), masks(session, 2)
    session.edit.split_at(1, 6, 9)
    assert session.objects == [1, 2, 9]
    assert same(masks(session, 1), one[:6] + [None] * 4)
    assert same(masks(session, 9), [None] * 6 + one[6:])
    new = session.tracks[9]
    assert list(new.prompts) == [6] if one[6].any() else new.prompts
    assert [sorted(r) for r in session.propagate()] == [[1, 2]] * 6 + [[2, 9]] * 4
    assert same(masks(session, 2), two)
    with pytest.raises(ValueError, match="object 2 exists"):
        session.edit.split_at(1, 3, 2)


EDITS: list[Callable[[VideoSession], None]] = [
    lambda s: s.edit.lock(1, 2, 4),
    lambda s: s.edit.absent(1, 2, 4),
    lambda s: s.edit.trim(2, 3, 6),
    lambda s: s.edit.swap_ids(1, 2, 5),
    lambda s: s.edit.merge(1, 2),
    lambda s: s.edit.split_at(1, 4, 3),
]


@pytest.mark.parametrize("edit", EDITS, ids=["lock", "absent", "trim", "swap", "merge", "split"])
def test_edits_are_undone_redone_and_saved(
    session: VideoSession, tiny: Sam2, frames: list[np.ndarray], tmp_path: Path, edit: Callable[[VideoSession], None]
):
    before = state(session)
    edit(session)
    after = state(session)
    assert after != before
    assert session.history[-1].kind in ("lock", "absent", "trim", "swap", "merge", "split")
    session.undo()
    assert state(session) == before
    session.redo()
    assert state(session) == after
    session.save(tmp_path / "session")
    again = VideoSession.load(tmp_path / "session", frames, tiny)
    assert state(again) == after
    for one in (session, again):
        list(one.propagate())
    assert state(again) == state(session)


def test_what_cannot_be_edited_is_named(session: VideoSession, tiny: Sam2, frames: list[np.ndarray]):
    with pytest.raises(KeyError, match=r"unknown object 7: known are \[1, 2\]"):
        session.edit.lock(7)
    with pytest.raises(ValueError, match="got frames 5 to 2"):
        session.edit.trim(1, 5, 2)
    with pytest.raises(ValueError, match="two objects are swapped, got 1 twice"):
        session.edit.swap_ids(1, 1)
    with pytest.raises(ValueError, match="two objects are merged, got 1 twice"):
        session.edit.merge(1, 1)
    with pytest.raises(IndexError, match="frame 12 is outside"):
        session.edit.split_at(1, 12, 3)
    assert len(session.history) == 3
    plain = VideoSession(frames, tiny, options=SessionOptions(keep_results=False))
    plain.prompt(0, 1, points=[DISC])
    with pytest.raises(ValueError, match=r"must keep its results: SessionOptions\(keep_results=True\)"):
        plain.edit.lock(1)


def test_an_object_that_ends_keeps_its_masks_and_nothing_else(session: VideoSession, tmp_path: Path):
    before = masks(session, 1), masks(session, 2)
    session.edit.end(1, 4)
    after = masks(session, 1)
    assert same(after[:5], before[0][:5])
    assert after[5:] == [None] * 5
    assert same(masks(session, 2), before[1])
    track = session.tracks[1]
    assert not any((track.prompts, track.pending, track.answers, track.notes, track.bank.prompted, track.bank.recent))
    assert session_masks(session).unknown == {t: frozenset([1]) for t in range(5, 10)}
    list(session.propagate())
    assert same(masks(session, 1), after)
    session.save(tmp_path / "saved")
    assert saved_masks(tmp_path / "saved").unknown == {t: frozenset([1]) for t in range(5, 10)}
    session.undo()
    session.undo()
    assert same(masks(session, 1), before[0])
    assert track.prompts
    with pytest.raises(ValueError, match="expected a first one of at least 0 and a last one not before it"):
        session.edit.end(1, -1)


def test_an_object_that_is_said_to_be_absent_stays_so(session: VideoSession):
    before = masks(session, 1)
    session.edit.absent(1, 3, 5)
    assert [t for t, mask in enumerate(masks(session, 1)) if mask is not None and not mask.any()] == [3, 4, 5]
    assert session.suggest_frames(9, 1) == [one for one in session.suggest_frames(9, 1) if one.frame not in (3, 4, 5)]
    session.prompt(1, 1, mask=~disc(1))
    tracked = {r.frame: r for r in session.propagate()}
    assert not any(tracked[t][1].mask.any() or tracked[t][1].present for t in (3, 4, 5))
    assert all(tracked[t][1].mask.any() for t in (0, 1, 2))
    assert session_masks(session).unknown == {}  # they are empty, not unknown
    session.prompt(4, 1, points=[DISC])  # it is there after all
    assert masks(session, 1)[4].any()  # pyright: ignore[reportOptionalMemberAccess]
    list(session.propagate(start=4))
    assert [session.tracks[1].absent(t) for t in range(10)] == [t in (3, 5) for t in range(10)]
    session.edit.present(1, 0, 9)
    assert [t for t in range(10) if 1 not in session.frame_result(t)] == [3, 5]
    assert masks(session, 1)[4] is not None
    for _ in range(6):
        session.undo()
    assert same(masks(session, 1), before)


def test_what_follows_an_absence_reads_that_nothing_was_there(session: VideoSession):
    track = session.tracks[1]
    wrong = track.bank.recent[4]
    session.edit.absent(1, 4)
    assert 4 not in track.bank.recent
    list(session.propagate(start=5, stop=5))
    assert {4, 5} <= track.bank.recent.keys()
    assert not np.array_equal(track.bank.recent[4].pointer.numpy(), wrong.pointer.numpy())
    session.edit.present(1, 4)
    assert 4 not in track.bank.recent


def test_an_object_may_begin_absent_and_its_only_prompt_may_go(tiny: Sam2, frames: list[np.ndarray]):
    session = VideoSession(frames, tiny)
    session.edit.absent(1, 0, 2)
    with pytest.raises(ValueError, match="there is nothing to track"):
        session.propagate()
    session.prompt(3, 1, points=[DISC])
    list(session.propagate(start=0))
    assert [int(session.frame_result(t)[1].mask.any()) for t in (0, 1, 2, 3)] == [0, 0, 0, 1]
    session.clear(3, 1)  # with the last prompt all goes that was tracked
    assert [t for t in range(10) if 1 in session.frame_result(t)] == [0, 1, 2]
    session.undo()
    session.edit.absent(1, 3)  # then what was tracked holds on to another frame
    (anchor,) = session.tracks[1].prompts
    assert anchor > 3
    session.undo()
    session.edit.lock(1, 6, 7)
    for frame, last, error in (
        (5, 6, "locked on frame 6"),
        (5, 4, "got frames 5 to 4"),
        (8, 10, "frame 10 is outside"),
    ):
        with pytest.raises((ValueError, IndexError), match=error):
            session.edit.absent(1, frame, last)
