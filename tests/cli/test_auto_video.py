from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from masklet.cli.main import main
from masklet.data.sa_v import open_sa_v
from masklet.inference.automatic import AutomaticOptions
from masklet.inference.automatic_masklets import AutomaticMasklets
from masklet.inference.masklet_options import MaskletOptions
from masklet.inference.masklets import Masklets
from masklet.inference.options import SessionOptions
from masklet.model.sam2 import Sam2
from masklet.video.frames import open_source

ALL = ["--least-iou", "0", "--least-stability", "0", "--grid", "2", "--every", "3", "--small-area", "5"]


def test_what_is_written(folder: Path, model_file: str, tiny: Sam2, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out, name = tmp_path / "out", folder.name
    shown = ["--format", "overlay", "--format", "objects"]
    assert main(["auto", str(folder), "--model", model_file, "-o", str(out), *ALL, "--most-objects", "4", *shown]) == 0
    assert sorted(path.name for path in out.iterdir()) == [f"{name}_auto", f"{name}_auto.json", f"{name}_auto.mp4"]
    masks = AutomaticOptions(grids=(2,), least_iou=0.0, least_stability=0.0)
    session = SessionOptions(scene_cuts=True)
    options = MaskletOptions(masks, later_grid=2, every=3, most_objects=4, small_area=5, session=session)
    with AutomaticMasklets(tiny, options).generate(folder) as masklets:
        assert len(masklets.ids) >= 3
        video = open_sa_v(out / f"{name}_auto.json")[0]
        for t in (0, 4):
            read = {i: mask for i, mask in video.masks(t).items() if mask.any()}
            wanted = {i: mask for i, mask in masklets.frame(t).masks.items() if mask.any()}
            assert read.keys() == wanted.keys()
            assert all(np.array_equal(read[i], wanted[i]) for i in read)
        for t in (0, 5):
            for i, mask in masklets.frame(t).masks.items():
                written = cv2.imread(str(out / f"{name}_auto" / f"{i:03d}" / f"{t:05d}.png"), cv2.IMREAD_UNCHANGED)
                assert written is not None
                assert np.array_equal(written.reshape(mask.shape[0], mask.shape[1], -1).any(-1), mask)
    with open_source(out / f"{name}_auto.mp4") as movie:
        assert (movie.length, movie.size) == (6, (48, 72))
    assert "masklets in" in capsys.readouterr().err


def test_a_stopped_run_goes_on(
    folder: Path, model_file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    name, command = folder.name, ["auto", str(folder), "--model", model_file, *ALL, "--most-objects", "1"]
    assert main([*command, "-o", str(tmp_path / "whole")]) == 0

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    stopped = [*command, "-o", str(tmp_path / "stopped")]
    with monkeypatch.context() as patch:
        patch.setattr(Masklets, "write_sa_v", stop)
        assert main(stopped) == 130
    left = sorted(path.name for path in (tmp_path / "stopped").iterdir())
    assert left == [f"{name}_auto.part", f"{name}_auto.preview.jpg"]
    preview = cv2.imread(str(tmp_path / "stopped" / left[1]))
    assert preview is not None
    assert preview.shape == (48, 72, 3)
    assert main([*stopped, "--every", "2"]) == 2
    assert "results with other options (every 3, not 2)" in capsys.readouterr().err
    assert main(stopped) == 0
    assert "going on with" in capsys.readouterr().err
    results = [json.loads((tmp_path / run / f"{name}_auto.json").read_text()) for run in ("whole", "stopped")]
    assert results[0] == results[1]
    with monkeypatch.context() as patch:
        patch.setattr(Masklets, "write_sa_v", stop)
        assert main(stopped) == 130
    assert main([*stopped, "--every", "2", "--no-resume"]) == 0
    assert sorted(path.name for path in (tmp_path / "stopped").iterdir()) == [f"{name}_auto.json"]


def test_what_other_options_have_left_is_gone(folder: Path, model_file: str, tmp_path: Path):
    name, command = folder.name, ["auto", str(folder), "--model", model_file, *ALL, "-o", str(tmp_path / "out")]
    assert main([*command, "--most-objects", "2", "--format", "overlay", "--format", "objects"]) == 0
    assert main([*command, "--most-objects", "1", "--no-resume"]) == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == [f"{name}_auto.json"]


def test_the_folder_of_the_frames_is_refused(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "link").symlink_to(folder)
    before = sorted(folder.iterdir())
    for out in (folder, tmp_path / "link"):
        assert main(["auto", str(folder), "--model", "no such model", "-o", str(out)]) == 2
        assert "is the folder of the frames" in capsys.readouterr().err
    assert sorted(folder.iterdir()) == before


def test_a_folder_without_frames(tmp_path: Path, model_file: str, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "empty").mkdir()
    assert main(["auto", str(tmp_path / "empty"), "--model", model_file, "-o", str(tmp_path / "out")]) == 2
    assert "empty" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
