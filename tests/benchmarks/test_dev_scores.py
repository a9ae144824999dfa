"""The script of the development scores, run on a little data with stand-ins for a model."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="needs the shared data")


class Disks:
    """Segments a disk around the last point, or the inside of the box; tracks it without moving it."""

    def set_image(self, image):
        self.shape = image.shape[:2]

    def predict(self, *, points=None, labels=None, box=None, mask_logits=None, multimask=True):
        y, x = np.mgrid[: self.shape[0], : self.shape[1]]
        if box is not None:
            masks = [(x >= box[0]) & (x <= box[2]) & (y >= box[1]) & (y <= box[3])]
        else:
            radii = (10, 30, 60) if multimask else (30,)
            masks = [np.hypot(x - points[0][0], y - points[0][1]) <= r for r in radii]
        self.logits = np.zeros((len(masks), 8, 8), np.float32)
        return np.stack(masks), np.linspace(1, 0, len(masks))


def fake_load(script):
    def load(name, image_size):
        segmenter = Disks()

        class Still(script.CopyFirst):
            def open(self, source):
                super().open(source)
                segmenter.set_image(source[0])

            def prompt(self, frame, object_id, *, points=None, labels=None, box=None, mask=None):
                if mask is None:
                    mask = segmenter.predict(points=points, labels=labels, box=box, multimask=False)[0][0]
                return super().prompt(frame, object_id, mask=mask)

        return Still(), segmenter, lambda: segmenter.logits

    return load


def test_two_sequences_and_two_images_of_each_set(script, tmp_path, capsys):
    out = tmp_path / "scores.json"
    arguments = ["--data", str(DATA), "--videos", "2", "--images", "2", "--out", str(out)]
    script.main(arguments, fake_load(script))
    table = capsys.readouterr().out
    scores = json.loads(out.read_text())
    assert scores["videos"]["mask"] == scores["videos"]["copy-first"]  # the stand-in copies, too
    assert 0 < scores["videos"]["click"]["j"] != scores["videos"]["mask"]["j"]
    assert f"{scores['videos']['click']['j']:.3f}" in table
    assert set(scores["images"]) == {"DAVIS-2016 first frames", "all first frames", "BSDS500", "CCP"}
    assert all(0 < s["box"] <= 1 and set(s["clicks"]) == {"1", "3"} for s in scores["images"].values())
    for kind in ("copy-first", "mask", "click", "3-clicks"):
        sheet = cv2.imread(str(tmp_path / f"scores.{kind}.png"))
        assert sheet.shape == (2 * (144 + 4), 5 * 256, 3)
        assert sheet[:144].std() > 10
