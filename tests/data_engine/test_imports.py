from __future__ import annotations

import io
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from exchange_engine import FRAMES, SIZE, ExchangeEngine, instances, zipped
from masklet.data_engine.database import Database
from masklet.data_engine.imports import ImportFormat, ImportLimits, import_masklets

pytestmark = pytest.mark.usefixtures("as_user")
NAMES = ["v0", "v1"]


@pytest.fixture
def engine(sqlite: Database, tmp_path: Path) -> ExchangeEngine:
    return ExchangeEngine(sqlite, tmp_path / "workspace", 2)


def refused(engine: ExchangeEngine, source: Path, format: ImportFormat = "youtube_vis", **limits: int) -> str:
    """What the error says; nothing is stored, nothing is left, and no path is told."""
    beside = sorted(source.parent.iterdir())
    with pytest.raises(ValueError, match=r".") as caught:
        import_masklets(
            engine.database, engine.project, source, format, name="clips.zip", limits=ImportLimits(**limits)
        )
    assert engine.objects() == [0, 0]
    assert sorted(source.parent.iterdir()) == beside
    assert str(source.parent) not in str(caught.value)
    return str(caught.value)


def pictures(damage: int) -> dict[str, bytes]:
    """DAVIS of one video; the annotation of its last frame ends so many bytes early."""
    png = cv2.imencode(".png", np.eye(*SIZE, dtype=np.uint8))[1].tobytes()
    jpeg = cv2.imencode(".jpg", np.zeros((*SIZE, 3), np.uint8))[1].tobytes()
    files = {f"JPEGImages__480p__v0__{t:05d}.jpg": jpeg for t in range(FRAMES)}
    files |= {f"Annotations__480p__v0__{t:05d}.png": png for t in range(FRAMES)}
    files[f"Annotations__480p__v0__{FRAMES - 1:05d}.png"] = png[:-damage]
    return {**files, "ImageSets__2017__val.txt": b"v0\n"}


def test_pictures_that_are_cut_off(engine: ExchangeEngine, tmp_path: Path):
    said = refused(engine, zipped(tmp_path / "z", **pictures(30)), "davis")
    assert "clips.zip/Annotations/480p/v0/00002.png" in said


@pytest.mark.parametrize("name", ["..__..__outside.json", "__tmp__outside.json", "C:__outside.json"])
def test_names_that_lead_out(engine: ExchangeEngine, tmp_path: Path, name: str):
    source = zipped(tmp_path / "z", instances=instances(NAMES), **{name: b"{}"})
    assert "expected files in folders of its own" in refused(engine, source)
    assert not [*tmp_path.rglob("outside*")]


def test_bombs(engine: ExchangeEngine, tmp_path: Path):
    bomb = zipped(tmp_path / "z", **{f"{i}.txt": bytes(10**7) for i in range(5)})
    assert bomb.stat().st_size < 10**5
    assert "unpacks to more than 20,000,000 bytes" in refused(engine, bomb, unpacked=20_000_000)
    assert "holds 5 files, expected at most 4" in refused(engine, bomb, files=4)


def test_what_takes_all_memory(engine: ExchangeEngine, tmp_path: Path):
    """A list of 30 million numbers; its archive is small."""
    text = io.BytesIO()
    text.write(b'{"videos": [{"file_names": []},' + b"0," * 30_000_000 + b"0]}")
    hog = zipped(tmp_path / "z", **{"instances.json": text.getvalue()})
    assert hog.stat().st_size < 10**6
    assert "memory than is allowed" in refused(engine, hog, memory=512 * 2**20)


def test_what_never_ends_and_what_takes_all_room(engine: ExchangeEngine, tmp_path: Path):
    nested = zipped(tmp_path / "z", **{"instances.json": b'{"file_names": ' + b"[" * 10**6})
    assert "clips.zip/instances.json: it cannot be parsed as JSON" in refused(engine, nested)
    full = zipped(tmp_path / "z", **{"instances.json": instances(NAMES)})
    assert "more room than is allowed" in refused(engine, full, staged=200)


def test_one_video_that_does_not_fit_and_none_is_changed(engine: ExchangeEngine, tmp_path: Path):
    source = zipped(tmp_path / "z", **{"instances.json": instances(NAMES, size=(10, 10))})
    assert "v1 has masks of 10x10 pixels up to frame 2" in refused(engine, source)


def test_a_name_that_no_object_may_have(engine: ExchangeEngine, tmp_path: Path):
    wrong = instances(NAMES)
    wrong["categories"][0]["name"] = "x" * 300
    assert "300 characters" in refused(engine, zipped(tmp_path / "z", **{"instances.json": wrong}))


def test_an_annotation_file_is_known_by_its_name(engine: ExchangeEngine, tmp_path: Path):
    source = tmp_path / "0123abcd"
    source.write_text(json.dumps(instances([*NAMES, "elsewhere"])))
    imported = import_masklets(engine.database, engine.project, source, "youtube_vis", name="instances.json")
    assert (imported.videos, imported.objects, imported.masks) == (2, 2, 2 * FRAMES)
    assert imported.without_video == ("elsewhere",)
    assert engine.objects() == [1, 1]
