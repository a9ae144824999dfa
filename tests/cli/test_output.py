from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from masklet.cli.output import check_output, leftovers, named, shown, write_results
from masklet.inference.results import FrameResult, ObjectResult
from masklet.masks.label_png import encode_label_png, read_label_png
from masklet.video.atomic import write_bytes
from masklet.video.frames import open_source
from masklet.video.mask_files import write_mask_file
from masklet.video.writer import MaskPngWriter
from tiny_model import clip

SIZE = (48, 72)


def result(t: int) -> FrameResult:
    """Object 1 above, object 2 surer and over the middle."""
    objects = {}
    for i, (rows, value) in enumerate(((slice(0, 30), 1.0), (slice(20, 40), 3.0)), start=1):
        logits = torch.full(SIZE, -2.0)
        logits[rows] = value
        objects[i] = ObjectResult(t, i, logits, 0.12345678, 4.5678, SIZE)
    return FrameResult(t, SIZE, objects)


def test_a_shared_pixel_goes_to_the_surer_object():
    masks = shown(result(0))
    assert masks[1].sum() == 20 * 72
    assert masks[2].sum() == 20 * 72
    assert not (masks[1] & masks[2]).any()


def test_scores_are_rounded_and_by_object(tmp_path: Path):
    with open_source(clip(2)) as source:
        frames = [r.frame for r in write_results(iter([result(0), result(1)]), source, tmp_path, ["png"], True)]
    assert frames == [0, 1]
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["2"]["1"] == {"iou": 0.1235, "presence": 4.568, "area": 20 * 72}


def test_frames_are_written_as_they_come(tmp_path: Path):
    with open_source(clip(3)) as source:
        walk = write_results((result(t) for t in range(3)), source, tmp_path, ["png"], True)
        next(walk)
        assert np.array_equal(np.unique(read_label_png(tmp_path / "masks" / "00000.png")), [0, 1, 2])
        assert not (tmp_path / "masks" / "00001.png").exists()
        walk.close()
    assert json.loads((tmp_path / "scores.json").read_text())["1"].keys() == {"0"}


@pytest.mark.parametrize("how", ["error", "stopped"])
@pytest.mark.parametrize("rising", [True, False])
def test_an_interrupted_run_tells_of_the_finished_frames(tmp_path: Path, how: str, rising: bool):
    def results() -> Iterator[FrameResult]:
        yield result(0)
        yield result(1)
        if how == "error":
            raise OSError("gone")
        yield result(2)

    with open_source(clip(3)) as source:
        walk = write_results(results(), source, tmp_path, ["coco", "sa-v", "overlay", "png", "prores"], rising)
        next(walk)
        next(walk)
        if how == "error":
            with pytest.raises(OSError, match="gone"):
                next(walk)
        else:
            walk.close()
    left = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file())
    assert left == ["masks.coco.json", "masks/00000.png", "masks/00001.png", "scores.json"]
    assert json.loads((tmp_path / "scores.json").read_text())["1"].keys() == {"0", "1"}
    assert [f["frame"] for f in json.loads((tmp_path / "masks.coco.json").read_text())["frames"]] == [0, 1]


def test_a_run_that_fails_before_its_first_frame_touches_nothing(tmp_path: Path):
    def results() -> Iterator[FrameResult]:
        raise ValueError("nothing to see")
        yield result(0)

    out = tmp_path / "out"
    with open_source(clip(2)) as source:
        list(write_results(iter([result(0)]), source, out, ["png", "coco"], True))
        before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
        with pytest.raises(ValueError, match="nothing to see"):
            list(write_results(results(), source, out, ["coco"], True))
        assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before
        assert list(write_results(iter([]), source, tmp_path / "none", ["png"], True)) == []
    assert not (tmp_path / "none").exists()


def test_a_frame_that_was_not_written_is_not_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    add = MaskPngWriter.add

    def full(self: MaskPngWriter, index: int, masks: object, **rest: object) -> None:
        if index == 1:
            raise OSError("the disk is full")
        add(self, index, masks, **rest)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(MaskPngWriter, "add", full)
    with open_source(clip(2)) as source, pytest.raises(OSError, match="the disk is full"):
        list(write_results(iter([result(0), result(1)]), source, tmp_path, ["png"], True))
    assert json.loads((tmp_path / "scores.json").read_text())["2"].keys() == {"0"}


def test_sa_v_needs_a_length(tmp_path: Path):
    with open_source(iter(clip(2))) as source, pytest.raises(ValueError, match="sa-v needs a source of known length"):
        check_output(tmp_path, ["sa-v"], source, [], [1])


def test_only_files_of_earlier_runs_are_leftovers(tmp_path: Path):
    names = [
        "masks/00000.png", "masks/100000.png", "objects/001/00000.png", "objects/1000/00007.png", "masks.coco.json",
        "masks.sav.json", "overlay.mp4", "scores.json", "rgba/001/00000.png", "matte/001/00000.png", "prores/001.mov",
        "vp9/012.webm",
    ]  # fmt: skip
    others = [
        "masks/0.png", "masks/00000.jpg", "masks/a00000.png", "masks/deeper/00000.png", "objects/00000.png",
        "objects/a/00000.png", "00000.png", "masks.json", "masks/001/00000.png", "rgba/00000.png", "prores/a.mov",
        "prores/001.webm", "vp9/001.mov",
    ]  # fmt: skip
    for name in names + others:
        if name.endswith(".png"):
            write_mask_file(tmp_path / name, np.ones((2, 2), np.uint8))
        else:
            write_bytes(tmp_path / name, b"")
    mine = tmp_path / "masks" / "00001.png"  # a name of ours, but not our file
    mine.write_bytes(encode_label_png(np.ones((2, 2), np.uint8)))
    assert leftovers(tmp_path) == sorted(tmp_path / name for name in names)
    (tmp_path / "scores.json").unlink()  # then nothing says that there was a run, but the PNG files do
    assert leftovers(tmp_path) == sorted(tmp_path / name for name in names if name.endswith(".png"))
    assert leftovers(tmp_path / "nowhere") == []
    assert mine in named(tmp_path, ["png"])
