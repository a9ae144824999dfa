"""A session that was saved goes on as if nothing had been."""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from masklet.checkpoints.load import save
from masklet.inference import saving
from masklet.inference.options import SessionOptions
from masklet.inference.session import VideoSession
from masklet.model.sam2 import Sam2
from masklet.video.frames import open_source
from session_scripts import ACTIONS, ALONE, FRAMES, Action, seen, state
from tiny_model import DISC, SMALL_HIERA, SQUARE, clip, disc, tiny_model

pytestmark = pytest.mark.usefixtures("as_user")


def results(session: VideoSession, **where: Any) -> dict[tuple[int, int], bytes]:
    return {(r.frame, i): seen(one) for r in session.propagate(**where) for i, one in r.items()}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ACTIONS, st.integers(0, FRAMES - 1))
def test_it_goes_on_as_if_nothing_had_been(
    tiny: Sam2, frames: list[np.ndarray], tmp_path: Path, actions: list[Action], start: int
):
    path = tmp_path / "session"
    session = VideoSession(frames[:FRAMES], tiny, options=ALONE)
    for action in actions:
        action(session)
    session.save(path)
    other = VideoSession.load(path, frames[:FRAMES], tiny)
    assert state(other) == state(session)
    for one in (session, other):
        one.prompt(start, 1, points=[DISC])
    assert state(other) == state(session)
    assert results(other, start=start) == results(session, start=start)
    assert state(other) == state(session)


@pytest.fixture
def folder(frames: list[np.ndarray], tmp_path: Path) -> Path:
    """The frames as files."""
    (tmp_path / "frames").mkdir()
    for t, frame in enumerate(frames):
        cv2.imwrite(str(tmp_path / "frames" / f"{t}.png"), frame[..., ::-1])
    return tmp_path / "frames"


def test_addresses_need_not_be_given_again(tiny: Sam2, folder: Path, tmp_path: Path):
    weights = save(tiny, tmp_path / "weights.safetensors")
    with VideoSession(folder, weights, options=SessionOptions(fill_holes=3)) as session:
        session.prompt(2, 5, mask=disc(2))
        session.prompt(2, 6, box=(46, 24, 62, 40), points=[SQUARE], labels=[1])
        list(session.propagate(stop=5))
        session.prompt(4, 5, points=[DISC])
        session.save(tmp_path / "a" / "session")
        known = state(session)
    with VideoSession(open_source(folder), weights, options=SessionOptions(fill_holes=3)) as opened:
        assert saving.header_of(opened._parts)["source"]["address"] == str(folder)
    with VideoSession(open_source([*folder.iterdir()]), weights) as listed:
        assert saving.header_of(listed._parts)["source"]["address"] is None
    again = VideoSession.load(tmp_path / "a" / "session")
    assert state(again) == known
    assert again.options == session.options
    assert again.objects == [5, 6]
    assert np.array_equal(again.tracks[5].prompts[2].mask, disc(2))
    assert not again.history
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["session"]


def test_every_action_is_on_disk_when_it_returns(tiny: Sam2, frames: list[np.ndarray], tmp_path: Path):
    path, copy = tmp_path / "auto", tmp_path / "copy"

    def on_disk() -> Any:
        """What another process would find now."""
        for suffix in ("", "-wal"):
            if Path(f"{path}{suffix}").exists():
                shutil.copy(f"{path}{suffix}", f"{copy}{suffix}")
        return state(VideoSession.load(copy, frames, tiny))

    session = VideoSession(frames, tiny, autosave=path, options=ALONE)
    assert on_disk() == ()
    actions = [
        lambda: session.prompt(0, 1, points=[DISC]),
        lambda: session.prompt(3, 2, points=[SQUARE]),
        lambda: list(session.propagate(stop=6)),
        lambda: session.clear(3, 2),
        lambda: session.undo(),
        lambda: session.remove(1),
        lambda: session.undo(),
        lambda: session.redo(),
        lambda: session.reset(),
        lambda: session.undo(),
        lambda: list(session.propagate(start=8, stop=2, direction="backward")),
        lambda: session.prompt(3, 1, points=[DISC]),
        lambda: list(session.propagate(start=3, stop=7)),
        lambda: session.edit.swap_ids(1, 2, 2, 5),
        lambda: session.edit.split_at(1, 4, 3),
        lambda: session.edit.merge(2, 3),
        lambda: session.undo(),
        lambda: session.undo(),
        lambda: session.redo(),
        lambda: session.edit.trim(2, 3, 5),
        lambda: session.edit.lock(2),
    ]
    for number, action in enumerate(actions):
        action()
        assert on_disk() == state(session), number
    known = state(session)
    session.close()
    assert not Path(f"{path}-wal").exists()
    again = VideoSession.load(path, frames, tiny, autosave=True)
    assert state(again) == known
    again.prompt(9, 3, points=[DISC])
    assert on_disk() == state(again)
    again.tag = {"note": 1}
    again.save(path)
    again.tag = {"note": 2}
    with pytest.raises(ValueError, match="unlock"):  # nothing is done, nothing is written
        again.prompt(3, 2, points=[DISC])
    assert VideoSession.load(path, frames, tiny).tag == {"note": 1}
    again.prompt(9, 4, points=[DISC])
    assert on_disk() == state(again)
    assert VideoSession.load(path, frames, tiny).tag == {"note": 2}


def test_a_frame_that_is_looked_at_stays_encoded_whatever_is_tracked(
    tiny: Sam2, frames: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
):
    session = VideoSession(frames, tiny)
    session.prompt(0, 1, points=[DISC])
    features = session.look(8)
    list(session.propagate(stop=6))
    assert session.look(8) is features
    monkeypatch.setattr(session._engine, "encoder", None)
    session.prompt(8, 2, points=[DISC])
    monkeypatch.undo()
    for t in range(4):
        session.look(t)
    session.look(5)
    assert list(session._engine.features) == [8, 1, 2, 3, 5]  # of 8 the memory is to be encoded


def test_tracking_is_saved_on_the_way(
    tiny: Sam2, frames: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(saving, "PERIOD", 0.0)
    session = VideoSession(frames, tiny, autosave=tmp_path / "auto")
    session.prompt(0, 1, points=[DISC])
    going = session.propagate()
    for _ in range(4):
        next(going)
    shutil.copytree(tmp_path, tmp_path / "killed", ignore=lambda *_: ["killed"])
    again = VideoSession.load(tmp_path / "killed" / "auto", frames, tiny)
    assert state(again) == state(session)
    assert sorted(again.tracks[1].shown) == [0, 1, 2, 3]
    assert results(again, start=4) == {(r.frame, 1): r[1].logits.tobytes() for r in going}


def test_live_video_goes_on_with_the_next_frame(tiny: Sam2, frames: list[np.ndarray], tmp_path: Path):
    live = VideoSession(None, tiny, autosave=tmp_path / "live")
    live.step(frames[0])
    live.prompt(0, 1, points=[DISC])
    for frame in frames[1:5]:
        live.step(frame)
    live.save(tmp_path / "copy")
    expected = [live.step(frame)[1].logits for frame in frames[5:]]
    again = VideoSession.load(tmp_path / "copy", model=tiny)
    assert [again.step(frame)[1].frame for frame in frames[5:6]] == [5]
    got = [again.step(frame)[1].logits for frame in frames[6:]]
    assert all(np.array_equal(a, b) for a, b in zip(expected[1:], got, strict=True))
    live.close()
    assert VideoSession.load(tmp_path / "live", model=tiny).source.length == len(frames)


def test_a_saved_file_is_replaced_or_kept(session: VideoSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "session"
    session.prompt(0, 1, points=[DISC])
    session.save(path)
    first = path.read_bytes()
    session.prompt(1, 1, points=[DISC])

    def full(*_: Any) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("masklet.inference.session_file.SessionFile._write_table", full)
    with pytest.raises(OSError, match=r"cannot write the session .*disk is full"):
        session.save(path)
    assert path.read_bytes() == first
    assert [p.name for p in tmp_path.iterdir()] == ["session"]
    monkeypatch.undo()
    session.save(path)
    assert path.read_bytes() != first


@pytest.fixture
def session(tiny: Sam2, frames: list[np.ndarray]) -> VideoSession:
    return VideoSession(frames, tiny)


@pytest.fixture
def saved(session: VideoSession, tmp_path: Path) -> Path:
    session.prompt(0, 1, points=[DISC])
    list(session.propagate(stop=3))
    session.save(tmp_path / "session")
    return tmp_path / "session"


def test_another_video_or_model_is_named(tiny: Sam2, frames: list[np.ndarray], saved: Path):
    with pytest.raises(ValueError, match="made from frames in memory: pass them as source"):
        VideoSession.load(saved, model=tiny)
    with pytest.raises(ValueError, match="made with a model in memory: pass it as model"):
        VideoSession.load(saved, frames)
    with pytest.raises(ValueError, match="another video: expected 10 frames of 72x48, got 9 frames of 72x48: pass"):
        VideoSession.load(saved, frames[:9], tiny)
    with pytest.raises(ValueError, match="got 10 frames of 144x96"):
        VideoSession.load(saved, clip(10, 96, 144), tiny)
    with pytest.raises(ValueError, match="got 10 frames of 72x48 with other pixels"):
        VideoSession.load(saved, [frame[::-1] for frame in frames], tiny)
    with pytest.raises(ValueError, match="made with another model"):
        VideoSession.load(saved, frames, tiny_model(SMALL_HIERA, seed=9))
    larger = tiny_model(replace(SMALL_HIERA, image_size=96))
    with pytest.raises(ValueError, match=r"input size or type: its memory means nothing to this one \(input 96\)"):
        VideoSession.load(saved, frames, larger)


def test_what_is_no_session_is_named(tiny: Sam2, frames: list[np.ndarray], saved: Path, tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="there is no session"):
        VideoSession.load(tmp_path / "nothing", frames, tiny)
    (tmp_path / "text").write_text("not a session " * 100)
    with pytest.raises(ValueError, match="text is no saved session"):
        VideoSession.load(tmp_path / "text", frames, tiny)
    sqlite3.connect(tmp_path / "other.db").execute("CREATE TABLE x (y)")
    with pytest.raises(ValueError, match=r"other.db is no saved session \(no such table"):
        VideoSession.load(tmp_path / "other.db", frames, tiny)
    later = shutil.copy(saved, tmp_path / "later")
    with sqlite3.connect(later) as connection:
        connection.execute("UPDATE header SET value = '7' WHERE name = 'version'")
    with pytest.raises(ValueError, match="version 7, expected 'masklet session', version 3"):
        VideoSession.load(later, frames, tiny)
    with pytest.raises(FileExistsError, match="exists: load it to go on with it"):
        VideoSession(frames, tiny, autosave=saved)


def test_damage_is_named(tiny: Sam2, frames: list[np.ndarray], saved: Path, tmp_path: Path):
    broken = shutil.copy(saved, tmp_path / "broken")
    with sqlite3.connect(broken) as connection:
        connection.execute("UPDATE entries SET value = substr(value, 1, 40) WHERE kind = 'recent' AND frame = 2")
    with pytest.raises(ValueError, match=r"broken, object 1, frame 2: an entry of recent is damaged"):
        VideoSession.load(broken, frames, tiny)
    data = saved.read_bytes()
    for size in (100, len(data) // 2):
        (tmp_path / "cut").write_bytes(data[:size])
        with pytest.raises(ValueError, match="cut"):
            VideoSession.load(tmp_path / "cut", frames, tiny)


def test_half_precision_is_another_model(tiny: Sam2, frames: list[np.ndarray], saved: Path):
    half = tiny_model(SMALL_HIERA).to(torch.bfloat16)
    with pytest.raises(ValueError, match="input size or type"):
        VideoSession.load(saved, frames, half)
