from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from masklet.cli.main import main
from masklet.data.sa_1b import open_sa_1b
from masklet.inference.automatic import AutomaticMask, AutomaticMasks, AutomaticOptions, AutomaticProgress
from masklet.masks.label_png import read_label_png
from masklet.masks.nesting import label_map
from masklet.masks.rle import encode
from masklet.model.sam2 import Sam2
from masklet.video.images import read_image
from tiny_model import clip

ALL = ["--least-iou", "0", "--least-stability", "0", "--grid", "3"]


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "photos" / f"sa_{k}.jpg" for k in (1, 2)]
    paths[0].parent.mkdir()
    for path, frame in zip(paths, clip(2), strict=True):
        cv2.imwrite(str(path), np.ascontiguousarray(frame[..., ::-1]))
    return paths


def test_what_is_written_is_read_as_sa_1b(
    photos: list[Path], model_file: str, tiny: Sam2, capsys: pytest.CaptureFixture[str]
):
    out = photos[0].parent
    assert main(["auto", *map(str, photos), "--model", model_file, "-o", str(out), *ALL]) == 0
    names = ["sa_1.jpg", "sa_1.json", "sa_1.overlay.png", "sa_2.jpg", "sa_2.json", "sa_2.overlay.png"]
    assert sorted(path.name for path in out.iterdir()) == names
    options = AutomaticOptions(grids=(3,), least_iou=0.0, least_stability=0.0)
    masks = AutomaticMasks(tiny, options).generate(read_image(photos[1]))
    assert masks
    content = json.loads((out / "sa_2.json").read_text())
    assert content["image"] == {"file_name": "sa_2.jpg", "width": 72, "height": 48}
    assert content["annotations"] == [one.annotation(k) for k, one in enumerate(masks, 1)]
    truth = open_sa_1b(out)[1]
    read = truth.masks(0)
    for k, one in enumerate(masks, 1):
        if one.area <= 0.9 * 48 * 72:
            assert np.array_equal(read[k], one.mask)
    drawn = cv2.imread(str(out / "sa_1.overlay.png"))
    assert drawn is not None
    assert drawn.shape == (48, 72, 3)
    assert f"{len(masks)} masks, wrote" in capsys.readouterr().err


def test_how_masks_are_nested(photos: list[Path], model_file: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    masks = [np.zeros((48, 72), bool) for _ in range(3)]
    masks[0][10:20, 10:20] = masks[1][5:40, 5:40] = True
    masks[2][:, 42:] = True
    rest = (0, 0, 1, 1), 0.9, 1.0, (0.0, 0.0), (0, 0, 72, 48)
    found = tuple(AutomaticMask(encode(mask), int(mask.sum()), *rest) for mask in masks)
    monkeypatch.setattr(AutomaticMasks, "stream", lambda *_: iter([AutomaticProgress(1, 1, found)]))
    out = tmp_path / "out"
    words = ["auto", str(photos[0]), "--model", model_file, "-o", str(out), "--quiet"]
    assert main([*words, "--hierarchy"]) == 0
    annotations = json.loads((out / "sa_1.json").read_text())["annotations"]
    assert [one["part_of"] for one in annotations] == [2, None, None]
    assert [one["inside"] for one in annotations] == [None] * 3
    labels = read_label_png(out / "sa_1.labels.png")
    assert labels.dtype == np.uint16
    assert np.array_equal(labels, label_map([one.rle for one in found], (48, 72)))
    assert main(words) == 0
    assert sorted(path.name for path in out.iterdir()) == ["sa_1.json", "sa_1.overlay.png"]


def test_a_damaged_image_stops_no_other(
    photos: list[Path], model_file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    out = tmp_path / "out"
    words = ["auto", str(broken), str(photos[0]), "--model", model_file, "-o", str(out), "--grid", "1", "--quiet"]
    assert main(words) == 1
    assert capsys.readouterr().err.startswith(f"{broken} cannot be decoded as an image")
    assert sorted(path.name for path in out.iterdir()) == ["sa_1.json", "sa_1.overlay.png"]


def test_options_reach_the_generator(photos: list[Path], model_file: str, tmp_path: Path):
    out = tmp_path / "out"
    wanted = ["--grid", "2,1", "--coarse", "1", "--fit", "native", "--refine", "--small-area", "3", "--quiet"]
    arguments = ["auto", str(photos[0]), "--model", model_file, "-o", str(out), *wanted, "--least-iou", "1.0"]
    assert main(arguments) == 0
    assert json.loads((out / "sa_1.json").read_text())["annotations"] == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["video.mp4", "photo.png"], "is a video: give one video"),
        (["video.mp4", "--hierarchy"], "--hierarchy, which is for images"),
        (["video.mp4", "--every", "0"], "every must be at least 1"),
        (["photo.png", "--most-objects", "3"], "--most-objects, which is for videos"),
        (["photo.png", "--no-resume"], "--no-resume, which is for videos"),
        (["photo.png", "--format", "overlay"], "--format, which is for videos"),
        (["missing.png"], "there is no image"),
        (["photo.png", "photo.jpg"], "several images are named photo"),
        (["photo.png", "--grid", "many"], "expected clicks a side"),
        (["photo.png", "--grid", "0"], "at least 1 point a side"),
        (["photo.overlay.png", "photo.png", "-o", "."], "overwrite the input"),
    ],
)
def test_mistakes_are_told_before_a_model_is_loaded(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    as_user: None,
    arguments: list[str],
    said: str,
):
    monkeypatch.chdir(tmp_path)
    for name in ("video.mp4", "photo.png", "photo.jpg", "photo.overlay.png"):
        Path(name).touch()
    assert main(["auto", *arguments, "--model", "no such model"]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
