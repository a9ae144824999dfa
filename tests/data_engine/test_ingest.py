from __future__ import annotations

import os
import time
import zipfile
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from masklet.data_engine.child import ChildError, ChildLimits, run_child
from masklet.data_engine.frame_pack import FramePack
from masklet.data_engine.ingest import IngestError, IngestLimits, ingest
from tiny_model import clip


def png(frame: np.ndarray) -> bytes:
    return cv2.imencode(".png", frame[..., ::-1])[1].tobytes()


def film(path: Path, frames: list[np.ndarray], fps: int = 10) -> Path:
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", fps)
        stream.height, stream.width = frames[0].shape[:2]
        stream.bit_rate = 4_000_000
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return path


def near(pack: FramePack, frames: list[np.ndarray]) -> bool:
    return all(np.abs(pack.read(t).astype(int) - frame).mean() < 12 for t, frame in enumerate(frames))


def refused(tmp_path: Path, source: Path, **limits: float) -> str:
    """What the error says; nothing is left, and no path is told."""
    (tmp_path / "out").mkdir(exist_ok=True)
    with pytest.raises(IngestError) as caught:
        ingest(source, tmp_path / "out" / "pack", IngestLimits(**limits), name="holiday.mp4")  # pyright: ignore
    assert not [*(tmp_path / "out").iterdir()]
    assert str(tmp_path) not in str(caught.value)
    assert "holiday.mp4" in str(caught.value)
    return str(caught.value)


def test_a_film_whatever_its_name(tmp_path: Path):
    frames, told = clip(24), []
    pack = ingest(
        film(tmp_path / "0123abcd", frames), tmp_path / "pack", on_progress=lambda n, of: told.append((n, of))
    )
    assert (pack.length, pack.size, pack.fps) == (24, (48, 72), 10)
    assert near(pack, frames)
    assert told == [(1, 24), (11, 24), (21, 24)]


def test_images_in_a_zip_a_folder_or_alone(tmp_path: Path):
    frames = clip(11)
    files = {f"clip/f{t}.png": png(frame) for t, frame in enumerate(frames)}
    extra = {"clip/": b"", "__MACOSX/clip/f0.png": b"?", "clip/.hidden.png": b"?", "notes.txt": b"hello"}
    pack = ingest(zipped(tmp_path / "z", {**files, **extra}), tmp_path / "pack")
    assert pack.length == 11  # in natural order, 10 last
    assert pack.fps is None
    assert near(pack, frames)
    folder = tmp_path / "folder"
    folder.mkdir()
    for t, frame in enumerate(frames[:3]):
        (folder / f"{t}.png").write_bytes(png(frame))
    assert near(ingest(folder, tmp_path / "pack"), frames[:3])
    alone = ingest(folder / "2.png", tmp_path / "pack")
    assert alone.length == 1
    assert near(alone, frames[2:3])


HLS = b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"
CONCAT = b"ffconcat version 1.0\nfile /etc/passwd\n"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "empty"),
        (b"hello, this is no film" * 100, "no film, image or zip"),
        (HLS, "no film, image or zip"),
        (CONCAT, "no film, image or zip"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "size of 0x0 pixels"),
        (b"PK\x03\x04" + bytes(100), "not a zip"),
        (bytes(range(256)) * 50, "no film, image or zip"),
    ],
)
def test_what_is_no_video_is_refused(tmp_path: Path, data: bytes, why: str):
    (tmp_path / "0123").write_bytes(data)
    assert why in refused(tmp_path, tmp_path / "0123")


def test_what_is_cut_off_is_refused(tmp_path: Path):
    whole = film(tmp_path / "whole", clip(30)).read_bytes()
    (tmp_path / "cut").write_bytes(whole[: len(whole) // 2])
    assert refused(tmp_path, tmp_path / "cut")
    (tmp_path / "cut").write_bytes(png(clip(1)[0])[:-40])
    assert "cut off" in refused(tmp_path, tmp_path / "cut")
    archive = zipped(tmp_path / "z", {"0.png": png(clip(1)[0]), "1.png": png(clip(2)[1])}).read_bytes()
    (tmp_path / "cut").write_bytes(archive[:-30])
    assert refused(tmp_path, tmp_path / "cut")


@pytest.mark.parametrize("name", ["../out.png", "/etc/out.png", "a/../../out.png", "..\\out.png", "C:\\out.png"])
def test_names_that_lead_out_of_a_zip_are_refused(tmp_path: Path, name: str):
    files = {"0.png": png(clip(1)[0]), name: png(clip(1)[0])}
    assert "leads out of it" in refused(tmp_path, zipped(tmp_path / "z", files))


def test_bombs_are_refused(tmp_path: Path):
    image = png(clip(1)[0])
    bomb = zipped(tmp_path / "z", {f"{t}.png": image + bytes(10**7) for t in range(20)})
    assert bomb.stat().st_size < 10**6
    assert "bytes unpacked" in refused(tmp_path, bomb, unpacked=10**8)
    data = zipped(tmp_path / "z", {"0.png": image + bytes(10**7)}).read_bytes()
    size = (len(image) + 10**7).to_bytes(4, "little")
    assert data.count(size) == 2  # beside the data, and in the directory
    (tmp_path / "z").write_bytes(data.replace(size, (1000).to_bytes(4, "little")))  # it lies
    assert refused(tmp_path, tmp_path / "z")
    assert "the limit is 50" in refused(
        tmp_path, zipped(tmp_path / "z", {f"{t}.png": b"" for t in range(60)}), frames=50
    )
    wide = cv2.imencode(".png", np.zeros((6000, 6000), np.uint8))[1].tobytes()
    (tmp_path / "wide").write_bytes(wide)
    assert "36,000,000 pixels" in refused(tmp_path, tmp_path / "wide")
    assert "36,000,000 pixels" in refused(tmp_path, zipped(tmp_path / "z", {"0.png": wide}))


def test_limits_bind(tmp_path: Path):
    source = film(tmp_path / "film", clip(30))
    assert "30 frames, the limit is 29" in refused(tmp_path, source, frames=29)
    assert "the limit is 3,455" in refused(tmp_path, source, pixels=48 * 72 - 1)
    assert "more room" in refused(tmp_path, source, pack=2000)
    began = time.monotonic()
    os.mkfifo(tmp_path / "endless")  # reading never ends
    assert "more than 2 seconds" in refused(tmp_path, tmp_path / "endless", seconds=2.0)
    assert time.monotonic() - began < 10
    assert refused(tmp_path, source, memory=60 * 2**20)


def test_an_error_of_who_watches_ends_the_work(tmp_path: Path):
    def cancelled(*_: int) -> None:
        raise KeyboardInterrupt

    (tmp_path / "out").mkdir()
    with pytest.raises(KeyboardInterrupt):
        ingest(film(tmp_path / "film", clip(30)), tmp_path / "out" / "pack", on_progress=cancelled)
    assert not [*(tmp_path / "out").iterdir()]


def test_a_child_that_breaks_its_limits_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "greedy.py").write_text(
        "from masklet.data_engine.child import requested, say\n"
        "import os\n"
        "what = requested()['what']\n"
        "say(token=os.environ.get('MASKLET_WORKER_TOKEN'))\n"
        "print('a library says something')\n"
        "if what == 'memory': bytearray(2**31)\n"
        "if what == 'file': open('big', 'wb').write(bytes(10**6))\n"
        "if what == 'time':\n"
        "    while True: pass\n"
        "say(done=what)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.setenv("MASKLET_WORKER_TOKEN", "secret")
    limits, told = ChildLimits(seconds=30.0, cpu_seconds=2, memory=2**30, file_size=10**5), []
    assert run_child("greedy", {"what": "nothing"}, limits, told.append) == "nothing"
    assert told == [{"token": None}, {}]
    for what in ("memory", "file", "time"):
        with pytest.raises(ChildError, match=r"time or memory|memory than is allowed"):
            run_child("greedy", {"what": what}, limits, told.append)
    assert (tmp_path / "big").stat().st_size <= 10**5


def test_a_zip_that_is_locked_is_refused(tmp_path: Path):
    data = bytearray(zipped(tmp_path / "z", {"0.png": png(clip(1)[0])}).read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + offset] |= 1
    (tmp_path / "z").write_bytes(data)
    assert "encrypted" in refused(tmp_path, tmp_path / "z")
