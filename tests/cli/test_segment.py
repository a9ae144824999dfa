from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from masklet.cli.main import main
from masklet.inference.image import ImagePredictor
from masklet.masks.label_png import read_label_png
from masklet.masks.rle import decode
from masklet.model.sam2 import Sam2
from masklet.video.mask_files import write_mask_file
from tiny_model import DISC, clip, disc

CLICK = f"{DISC[0]},{DISC[1]}"


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.v2.png"
    cv2.imwrite(str(path), np.ascontiguousarray(clip(1)[0][..., ::-1]))
    return path


@pytest.fixture
def segment(photo: Path, model_file: str, tmp_path: Path):
    def run(*arguments: str) -> tuple[int, Path]:
        out = tmp_path / "out"
        return main(["segment", str(photo), "--model", model_file, "-o", str(out), *arguments]), out

    return run


def predictor(tiny: Sam2) -> ImagePredictor:
    predictor = ImagePredictor(tiny)
    predictor.set_image(clip(1)[0])
    return predictor


def test_one_click_gives_three_candidates(segment, tiny: Sam2, capsys: pytest.CaptureFixture[str]):
    code, out = segment("--point", CLICK)
    assert code == 0
    assert sorted(p.name for p in out.iterdir()) == sorted(
        ["photo.v2.png", "photo.v2.overlay.png", "photo.v2.json", *(f"photo.v2.candidates.{k}.png" for k in range(3))]
    )
    answer = predictor(tiny).predict(points=[DISC], labels=[1])
    assert np.array_equal(read_label_png(out / "photo.v2.png"), answer.mask)
    for k in range(3):
        assert np.array_equal(read_label_png(out / f"photo.v2.candidates.{k}.png"), answer.masks[k])
    (facts,) = json.loads((out / "photo.v2.json").read_text())["objects"]
    assert np.array_equal(decode(facts["segmentation"]), answer.mask)
    assert facts["best"] == answer.best
    assert facts["area"] == answer.mask.sum()
    assert facts["predicted_iou"] == pytest.approx(answer.iou.tolist())
    overlay = cv2.imread(str(out / "photo.v2.overlay.png"))
    assert overlay is not None
    assert overlay.shape == (48, 72, 3)
    assert not np.array_equal(overlay[..., ::-1], clip(1)[0])
    assert capsys.readouterr().err.count("wrote ") == 6


@pytest.mark.parametrize(
    ("arguments", "prompt"),
    [
        (["--point", CLICK, "--single"], {"points": [DISC], "labels": [1]}),
        (["--point", CLICK, "--negative", "5,5"], {"points": [DISC, (5, 5)], "labels": [1, 0]}),
        (["--box", "5,5,40,40"], {"box": (5, 5, 40, 40)}),
        (["--box", "5,5,40,40", "--point", CLICK], {"box": (5, 5, 40, 40), "points": [DISC], "labels": [1]}),
    ],
)
def test_a_clear_prompt_gives_one_mask(segment, tiny: Sam2, arguments: list[str], prompt: dict):
    code, out = segment(*arguments, "--quiet")
    assert code == 0
    assert sorted(p.name for p in out.iterdir()) == ["photo.v2.json", "photo.v2.overlay.png", "photo.v2.png"]
    answer = predictor(tiny).predict(**prompt, multimask=False)
    assert np.array_equal(read_label_png(out / "photo.v2.png"), answer.mask)


def test_several_boxes_are_several_objects(segment, tiny: Sam2):
    code, out = segment("--box", "5,5,40,40", "--box", "46,24,62,40")
    assert code == 0
    labels = read_label_png(out / "photo.v2.png")
    first, second = (predictor(tiny).predict(box=b, multimask=False).mask for b in ((5, 5, 40, 40), (46, 24, 62, 40)))
    assert np.array_equal(labels, np.where(first, 1, np.where(second, 2, 0)))
    objects = json.loads((out / "photo.v2.json").read_text())["objects"]
    assert [o["area"] for o in objects] == [first.sum(), second.sum()]


def test_a_rough_mask_is_refined(segment, tmp_path: Path, tiny: Sam2):
    write_mask_file(tmp_path / "rough.png", disc(0).astype(np.uint8))
    code, out = segment("--mask", str(tmp_path / "rough.png"))
    assert code == 0
    answer = predictor(tiny).predict(mask=disc(0), multimask=False)
    assert np.array_equal(read_label_png(out / "photo.v2.png"), answer.mask)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "there is nothing to segment: give --point, --box or --mask"),
        (["--point", "1"], "cannot read '1': expected 2 numbers"),
        (["--point", "72,1"], "point (72, 1) is outside the frame of 72 x 48 pixels"),
        (["--box", "1,2,3"], "cannot read '1,2,3': expected 4 numbers"),
        (["--box", "9,9,3,3"], "corners swapped"),
        (["--box", "1,1,5,5", "--box", "2,2,9,9", "--point", "3,3"], "got 2 boxes and clicks or a mask"),
        (["--mask", "nowhere.png"], "nowhere.png"),
        (["--point", "3,3", "--max-pixels", "100"], "the limit is 100: pass a larger max_pixels (--max-pixels)"),
        (["--point=-5,10"], "got '-5,10', which is outside the image"),
        (["--point", "3,3", "--point=-0,10"], "for a click off the object use --negative 0,10"),
        (["--point", "3,3", "--negative=-5,10"], "got '-5,10', which is outside the image"),
        (["--point", "3,3", "--device", "foo"], "got --device foo, but torch can use only cpu"),
        (["--point", "3,3", "--image-size", "3200000"], "expected at most 4096"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(
    segment, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
):
    code, out = segment(*arguments)
    assert code == 2
    said = capsys.readouterr().err
    assert said.startswith("masklet: ")
    assert said.count("\n") == 1
    assert message in said
    assert not out.exists()


def test_a_mask_of_another_size(segment, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    write_mask_file(tmp_path / "small.png", np.ones((4, 4), np.uint8))
    code, out = segment("--mask", str(tmp_path / "small.png"))
    assert code == 2
    assert f"the mask file {tmp_path / 'small.png'} has 4 x 4 pixels, expected 72 x 48" in capsys.readouterr().err
    assert not out.exists()


def test_the_limit_of_pixels_holds_for_the_mask(segment, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    write_mask_file(tmp_path / "m.png", np.ones((100, 100), np.uint8))
    assert segment("--mask", str(tmp_path / "m.png"), "--max-pixels", "9999")[0] == 2
    assert "m.png has 100x100 pixels, the limit is 9,999" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["photo.v2.png", "photo.v2.overlay.png", "photo.v2.candidates.1.png"])
def test_an_input_is_never_overwritten(segment, photo: Path, capsys: pytest.CaptureFixture[str], name: str):
    there, arguments = photo, []
    if name != photo.name:
        there = photo.parent / "elsewhere" / name
        write_mask_file(there, disc(0).astype(np.uint8))
        arguments = ["--mask", str(there)]
    before = there.read_bytes()
    code, _ = segment("--point", CLICK, "-o", str(there.parent), "--model", "not even looked for", *arguments)
    assert code == 2
    assert f"this would overwrite the input {there}; choose another -o" in capsys.readouterr().err
    assert there.read_bytes() == before
    assert not (there.parent / "photo.v2.json").exists()


def test_candidates_of_an_earlier_run_are_removed(segment):
    _, out = segment("--point", CLICK, "--quiet")
    others = [out / "photo.v2.candidates.7.png", out / "photo_v2.candidates.0.png", out / "photo.v2.candidates.x.png"]
    cv2.imwrite(str(others[0]), np.zeros((4, 4), np.uint8))  # a name of ours, but not our file
    for path in others[1:]:
        write_mask_file(path, np.ones((4, 4), np.uint8))
    assert segment("--point", "500,500", "--quiet")[0] == 2
    assert (out / "photo.v2.candidates.0.png").exists()
    assert segment("--box", "5,5,40,40", "--quiet")[0] == 0
    names = ["photo.v2.json", "photo.v2.overlay.png", "photo.v2.png", *(path.name for path in others)]
    assert sorted(path.name for path in out.iterdir()) == sorted(names)


def test_paths_are_printed_as_they_are(segment, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    out = tmp_path / "o[red]y [/x] :smile: and a name that is much longer than the terminal is wide"
    assert segment("--point", CLICK, "-o", str(out))[0] == 0
    assert f"wrote {out / 'photo.v2.json'}\n" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written(segment, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "out").write_text("a file")
    code, out = segment("--point", CLICK, "--model", "not even looked for")
    assert code == 2
    assert capsys.readouterr().err == f"masklet: {out}: Cannot write into a file: choose another -o\n"


def test_an_input_of_the_images_own_aspect(segment, tiny: Sam2):
    code, out = segment("--point", CLICK, "--fit", "32x96")
    assert code == 0
    wide = ImagePredictor(tiny, fit=(32, 96))
    wide.set_image(clip(1)[0])
    assert np.array_equal(read_label_png(out / "photo.v2.png"), wide.predict(points=[DISC], labels=[1]).mask)
