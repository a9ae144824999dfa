from __future__ import annotations

import errno
import gc
import threading
from dataclasses import dataclass

import numpy as np
import pytest

from masklet.inference.options import SessionOptions
from masklet.inference.session import VideoSession
from masklet.inference.spool import Kept, Spool
from masklet.model.sam2 import Sam2
from tiny_model import DISC


@dataclass(frozen=True)
class Text:
    text: str

    @property
    def nbytes(self) -> int:
        return len(self.text)

    def packed(self) -> bytes:
        return self.text.encode()

    @classmethod
    def unpacked(cls, data: bytes) -> Text:
        return cls(data.decode())


def in_memory(kept: list[Kept[Text]]) -> list[bool]:
    return [one.value is one.value for one in kept]


def test_the_newest_are_in_memory_and_all_can_be_read():
    spool = Spool(25)
    texts = [Text(f"{k:010d}") for k in range(5)]
    kept = [spool.keep(one) for one in texts]
    assert [one.value for one in kept] == texts
    assert [one.packed() for one in kept] == [one.packed() for one in texts]
    assert in_memory(kept) == [False, False, False, True, True]
    spool.close()


def test_without_a_bound_nothing_is_written(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: pytest.fail("a file was made"))
    spool = Spool()
    kept = [spool.keep(Text("x" * 1000)) for _ in range(100)]
    assert all(in_memory(kept))


def test_what_nobody_refers_to_is_not_written():
    spool = Spool(10)
    for k in range(100):
        spool.keep(Text(f"{k:010d}"))
    gc.collect()
    kept = spool.keep(Text("last"))
    assert kept.value == Text("last")
    assert spool._file is None


def test_a_full_disk_keeps_them_in_memory(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    def full(self: Spool, data: bytes) -> tuple[int, int]:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Spool, "append", full)
    spool = Spool(0)
    kept = [spool.keep(Text(str(k))) for k in range(3)]
    assert [one.value.text for one in kept] == ["0", "1", "2"]
    assert "No space left on device" in caplog.text
    assert "TMPDIR" in caplog.text


def test_it_says_that_it_is_closed():
    spool = Spool(0)
    kept = spool.keep(Text("gone"))
    spool.close()
    spool.close()
    with pytest.raises(ValueError, match="session is closed"):
        _ = kept.value


def test_threads_may_read_while_values_move():
    spool = Spool(100)
    kept = [spool.keep(Text(f"{k:010d}")) for k in range(10)]
    wrong: list[str] = []

    def read() -> None:
        for _ in range(200):
            wrong.extend(one.value.text for k, one in enumerate(kept[:10]) if one.value.text != f"{k:010d}")

    readers = [threading.Thread(target=read) for _ in range(4)]
    for one in readers:
        one.start()
    more = [spool.keep(Text(f"{k:010d}")) for k in range(10, 500)]
    for one in readers:
        one.join()
    assert wrong == []
    assert [one.value.text for one in more] == [f"{k:010d}" for k in range(10, 500)]
    spool.close()


@pytest.mark.usefixtures("as_user")
def test_a_session_shows_the_same_from_memory_and_from_the_file(tiny: Sam2, frames: list[np.ndarray]):
    sessions = [VideoSession(frames, tiny, options=SessionOptions(max_ram_mb=room)) for room in (None, 0.0)]
    for one in sessions:
        one.prompt(0, 1, points=[DISC])
        list(one.propagate())
    free, bound = sessions
    assert (free._engine.spool._file is None, bound._engine.spool._file is None) == (True, False)
    for t in range(len(frames)):
        one, other = free.frame_result(t)[1], bound.frame_result(t)[1]
        assert (one.rle(), one.iou, one.presence, one.prompted) == (
            other.rle(),
            other.iou,
            other.presence,
            other.prompted,
        )
        np.testing.assert_array_equal(one.mask, other.mask)
    bound.close()
    with pytest.raises(ValueError, match="max_ram_mb must be at least 0, or None for no bound, got -1"):
        SessionOptions(max_ram_mb=-1.0)
