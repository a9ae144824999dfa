"""Undo and redo go on from the file as if the process had never ended."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from masklet.inference import saving
from masklet.inference.history import History
from masklet.inference.options import SessionOptions
from masklet.inference.saved_history import SavedHistory
from masklet.inference.session import VideoSession
from masklet.inference.session_file import SessionFile
from masklet.model.sam2 import Sam2
from session_scripts import ACTIONS, ALONE, FRAMES, Action, state
from tiny_model import DISC, SQUARE

pytestmark = pytest.mark.usefixtures("as_user")

Again = Callable[[VideoSession], VideoSession]


@pytest.fixture
def again(tiny: Sam2, frames: list[np.ndarray], tmp_path: Path) -> Again:
    """What another process goes on with when this one is killed."""
    number = iter(range(1000))

    def killed(session: VideoSession) -> VideoSession:
        assert session._autosaved is not None
        before, after = session._autosaved.file.path, tmp_path / f"killed {next(number)}"
        for suffix in ("", "-wal"):
            if Path(f"{before}{suffix}").exists():
                shutil.copy(f"{before}{suffix}", f"{after}{suffix}")
        return VideoSession.load(after, frames, tiny, autosave=True)

    return killed


@pytest.fixture
def session(tiny: Sam2, frames: list[np.ndarray], tmp_path: Path) -> VideoSession:
    return VideoSession(frames, tiny, options=ALONE, autosave=tmp_path / "session")


def sizes_are_sums(session: VideoSession) -> bool:
    """Whether each event of a file takes what its rows take."""
    assert session._autosaved is not None
    with closing(sqlite3.connect(session._autosaved.file.path)) as file:
        rows = file.execute(
            """SELECT bytes, length(objects) + coalesce(
                (SELECT sum(40 + coalesce(length(value), 0)) FROM replaced WHERE event = number), 0
            ) FROM events"""
        ).fetchall()
    return all(kept == summed for kept, summed in rows)


STEPS = st.lists(st.sampled_from(["undo", "undo", "redo", "kill"]), max_size=8)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ACTIONS, st.lists(st.booleans(), min_size=8, max_size=8), STEPS, st.integers(0, FRAMES - 1), st.booleans())
def test_it_is_as_if_nothing_had_been(
    tiny: Sam2,
    frames: list[np.ndarray],
    tmp_path_factory: pytest.TempPathFactory,
    again: Again,
    actions: list[Action],
    kills: list[bool],
    steps: list[str],
    last: int,
    often: bool,
):
    plain = VideoSession(frames, tiny, options=ALONE)
    kept = VideoSession(frames, tiny, options=ALONE, autosave=tmp_path_factory.mktemp("kept") / "session")

    def same() -> None:
        assert sizes_are_sums(kept)
        assert state(kept) == state(plain)
        assert [(e.kind, e.object_id, e.frame, e.last) for e in kept.history] == [
            (e.kind, e.object_id, e.frame, e.last) for e in plain.history
        ]
        assert [e.kind for e in kept.undone] == [e.kind for e in plain.undone]

    def step(what: str) -> None:
        nonlocal kept
        if what == "kill":
            kept = again(kept)
        elif plain.history if what == "undo" else plain.undone:
            for one in (plain, kept):
                getattr(one, what)()
        same()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(saving, "PERIOD", 0.0 if often else 1000.0)
        for action, kill in zip(actions, kills, strict=False):
            for one in (plain, kept):
                action(one)
            if kill:
                step("kill")
        for what in steps:
            step(what)
        for one in (plain, kept):
            one.prompt(last, 1, points=[DISC])
        same()
        step("kill")
        while plain.history:
            step("undo")
        step("kill")
        while plain.undone:
            step("redo")


def test_tracked_frames_are_undone_apart_from_what_was_done_between(session: VideoSession, again: Again):
    session.prompt(0, 1, points=[DISC])
    before = state(session)
    for result in session.propagate(stop=6):
        if result.frame == 3:
            tracked = state(session)
            session.prompt(3, 2, points=[SQUARE])
    other = again(session)
    assert [(e.kind, e.frame, e.last) for e in other.history] == [
        ("prompt", 0, None),
        ("propagate", 0, 3),
        ("prompt", 3, None),
        ("propagate", 4, 6),
    ]
    other.undo()
    other.undo()
    assert state(other) == tracked
    other.undo()
    assert state(other) == before


def test_a_propagation_that_goes_on_is_one_action(session: VideoSession, again: Again, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(saving, "PERIOD", 0.0)
    session.prompt(0, 1, points=[DISC])
    before = state(session)
    going = session.propagate()
    for _ in range(4):
        next(going)
    other = again(session)
    other.rejoin()
    list(other.propagate(start=4))
    assert [(e.kind, e.frame, e.last) for e in other.history][1:] == [("propagate", 0, 9)]
    list(going)
    assert state(other) == state(session)
    third = again(other)
    for one in (other, third):
        one.undo()
        assert state(one) == before
    third.rejoin()  # nothing to go on with
    list(third.propagate(stop=2))
    assert [e.kind for e in third.history] == ["prompt", "propagate"]
    fourth = again(third)
    list(fourth.propagate(start=3, stop=4))
    assert [(e.frame, e.last) for e in fourth.history][1:] == [(0, 2), (3, 4)]


def test_the_tag_goes_with_its_action(session: VideoSession, again: Again, monkeypatch: pytest.MonkeyPatch):
    session.tag = {"of": "click"}
    session.prompt(0, 1, points=[DISC])
    going = session.propagate()
    for _ in range(3):
        next(going)
    session.tag = {"of": "undo"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session._history, "_swap", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            session.undo()
    other = again(session)  # the frames were saved, the undo was not
    assert other.tag == {"of": "click"}
    assert [e.last for e in other.history] == [None, 2]
    other.tag = {"of": "undo"}
    other.undo()
    assert again(other).tag == {"of": "undo"}


def test_what_cannot_be_saved_is_not_undone(session: VideoSession, again: Again, monkeypatch: pytest.MonkeyPatch):
    session.prompt(0, 1, points=[DISC])
    session.prompt(3, 1, points=[SQUARE], labels=[0])
    other = again(session)
    before = state(other)

    def full(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("masklet.inference.saved_history.SavedHistory.exchange", full)
        with pytest.raises(OSError, match="disk is full"):
            other.undo()
    assert state(other) == before == state(again(other))
    assert len(other.history) == 2
    other.undo()
    assert len(again(other).history) == len(other.history) == 1


def test_after_errors_no_wrong_state_comes_back(session: VideoSession, again: Again):
    """Two actions of which nobody knows what each changed in the file are not undone from there."""

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    session.prompt(0, 1, points=[DISC])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SessionFile, "_write_table", full)
        for t in (3, 5):
            with pytest.raises(OSError, match="disk is full"):
                session.prompt(t, 1, points=[DISC])
    session.prompt(6, 1, points=[DISC])
    assert not again(session).history
    session.undo()  # this process still knows
    session.undo()
    known = state(session)
    session.redo()
    other = again(session)
    assert state(other) == state(session)
    assert len(other.history) == 1
    other.undo()
    assert state(other) == known


@pytest.mark.parametrize("options", [SessionOptions(undo_levels=3), SessionOptions(undo_mb=0.0)])
def test_it_is_bounded(tiny: Sam2, frames: list[np.ndarray], tmp_path: Path, again: Again, options: SessionOptions):
    session = VideoSession(frames, tiny, options=options, autosave=tmp_path / "bounded")
    session.prompt(0, 1, points=[DISC])
    for _ in range(4):
        list(session.propagate())
    other = again(session)
    assert len(other.history) == (3 if options.undo_levels == 3 else 1)
    (rows,) = sqlite3.connect(tmp_path / "bounded").execute("SELECT count(DISTINCT event) FROM replaced").fetchone()
    assert rows == len(other.history)
    while other.history:
        other.undo()
    assert len(again(other).undone) == len(other.undone)
    while other.undone:
        other.redo()
    assert state(other) == state(session)


def test_a_save_costs_the_same_however_long_a_propagation_has_become():
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute(
        """CREATE TABLE entries (
            object INTEGER, kind TEXT, frame INTEGER, value BLOB NOT NULL, PRIMARY KEY (object, kind, frame)
        ) WITHOUT ROWID"""
    )
    past, history = SavedHistory(connection, 3, 10**9), History({}, 3, 10**9)
    run, steps = history.start(), 0
    history.moves.append("done")

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    def cost(t: int) -> int:
        """Instructions of SQLite for a frame more."""
        before = steps
        history.tracked(run, t, reverse=False)
        past.begin(history, [])
        past.replace_frames((1, "shown"), [t])
        assert past.end() == (1, 0)
        history.saved(1, 0)
        return steps - before

    connection.set_progress_handler(count, 1)
    costs = [cost(t) for t in range(300)]
    assert costs[299] < 1.2 * costs[10]
    assert [(e.frame, e.last) for e in past.events()[0]] == [(0, 299)]


def test_none_is_kept_where_none_is_wanted(tiny: Sam2, frames: list[np.ndarray], tmp_path: Path, again: Again):
    session = VideoSession(frames, tiny, options=SessionOptions(undo_levels=0), autosave=tmp_path / "none")
    session.prompt(0, 1, points=[DISC])
    list(session.propagate(stop=3))
    assert not again(session).history
    assert sqlite3.connect(tmp_path / "none").execute("SELECT count(*) FROM replaced").fetchone() == (0,)


def test_a_file_of_an_earlier_version_gets_a_history(session: VideoSession, again: Again, tmp_path: Path):
    session.prompt(0, 1, points=[DISC])
    before = state(session)
    session.close()
    with sqlite3.connect(tmp_path / "session") as old:
        old.execute("DROP TABLE events")
        old.execute("DROP TABLE replaced")
        old.execute("UPDATE header SET value = 2 WHERE name = 'version'")
    other = VideoSession.load(tmp_path / "session", session._parts.given[0], session.model, autosave=True)
    assert not other.history
    other.prompt(3, 1, points=[SQUARE])
    third = again(other)
    third.undo()
    assert state(third) == before
    stored = sqlite3.connect(tmp_path / "session").execute("SELECT value FROM header WHERE name = 'version'")
    assert stored.fetchone() == ("3",)
