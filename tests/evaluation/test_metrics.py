"""J and F against a literal, slow reading of their definitions."""

from __future__ import annotations

import math
from pathlib import Path

import jaxtyping
import numpy as np
import pytest

from masklet.evaluation.metrics import boundary_f, contour, jaccard
from masklet.masks.label_png import read_label_png

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"


def contour_slow(mask):
    height, width = mask.shape
    line = np.zeros(mask.shape, bool)
    for y in range(height):
        for x in range(width):
            others = [(y, x + 1), (y + 1, x), (y + 1, x + 1)]
            if y == height - 1:
                others = [(y, x + 1)]
            if x == width - 1:
                others = [(y + 1, x)] if y < height - 1 else []
            line[y, x] = any(mask[y, x] != mask[other] for other in others)
    return line


def boundary_f_slow(prediction, gt, reach=None):
    reach = math.ceil(0.008 * math.sqrt(gt.shape[0] ** 2 + gt.shape[1] ** 2)) if reach is None else reach
    mine, true = np.argwhere(contour_slow(prediction)), np.argwhere(contour_slow(gt))
    if len(mine) == 0 and len(true) == 0:
        return 1.0
    if len(mine) == 0 or len(true) == 0:
        return 0.0
    near = ((mine[:, None] - true[None]) ** 2).sum(-1) <= reach**2
    precision, recall = near.any(1).mean(), near.any(0).mean()
    return 0.0 if precision + recall == 0 else 2 * precision * recall / (precision + recall)


def ellipse(height, width, cy, cx, ry, rx):
    y, x = np.mgrid[:height, :width]
    return ((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 <= 1


def pairs():
    rng = np.random.default_rng(0)
    for height, width in ((1, 1), (1, 9), (7, 1), (12, 17), (60, 90)):
        for share in (0.0, 0.02, 0.5, 1.0):
            yield rng.random((height, width)) < share, rng.random((height, width)) < 0.3
    for _ in range(6):
        shape = rng.integers(90, 150, 2)
        yield tuple(ellipse(*shape, *(rng.random(2) * shape), *(rng.random(2) * shape / 2 + 1)) for _ in range(2))


def test_boundary_f_equals_the_slow_one():
    values = []
    for prediction, gt in pairs():
        assert (contour(gt) == contour_slow(gt)).all()
        assert boundary_f(prediction, gt) == pytest.approx(boundary_f_slow(prediction, gt), abs=1e-12)
        values.append(boundary_f(prediction, gt))
    assert 0.0 in values
    assert len({round(v, 3) for v in values}) > 8


def test_tolerance_is_a_euclidean_disk_of_the_rounded_up_radius():
    gt = np.zeros((400, 300), bool)  # diagonal 500: exactly 4 px
    gt[100:300, 100] = True
    for shift, value in ((4, 1.0), (5, None), (6, None)):
        got = boundary_f(np.roll(gt, shift, axis=1), gt)
        assert (got == 1.0) == (value == 1.0)
    diagonal = np.roll(gt, (3, 3), axis=(0, 1))
    assert boundary_f(diagonal, gt) == pytest.approx(boundary_f_slow(diagonal, gt, reach=4))


def test_jaccard_of_a_batch():
    rng = np.random.default_rng(1)
    a, b = rng.random((2, 3, 4, 8, 9)) < 0.4
    got = jaccard(a, b)
    assert got.shape == (3, 4)
    for i in np.ndindex(3, 4):
        both = set(map(tuple, np.argwhere(a[i]))) & set(map(tuple, np.argwhere(b[i])))
        either = set(map(tuple, np.argwhere(a[i]))) | set(map(tuple, np.argwhere(b[i])))
        assert got[i] == len(both) / len(either)


def test_empty_masks():
    empty, some = np.zeros((50, 50), bool), np.zeros((50, 50), bool)
    some[10:20, 10:20] = True
    assert jaccard(empty, empty) == 1
    assert boundary_f(empty, empty) == 1
    for a, b in ((empty, some), (some, empty)):
        assert jaccard(a, b) == 0
        assert boundary_f(a, b) == 0


def test_mistakes_are_named(monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # what a user meets: no checks by shape
    mask = np.zeros((4, 5), bool)
    with pytest.raises(ValueError, match=r"\(4, 5\) and \(5, 4\)"):
        jaccard(mask, mask.T)
    with pytest.raises(ValueError, match="uint8"):
        boundary_f(mask, mask.astype(np.uint8))


@pytest.mark.skipif(not DATA.is_dir(), reason="needs the shared data")
def test_frames_of_a_real_sequence_equal_the_public_evaluator():
    evaluator = pytest.importorskip("vos_benchmark.evaluator")
    files = sorted((DATA / "videos" / "dev" / "davis17_schoolgirls" / "masks").iterdir())
    labels = np.stack([read_label_png(file) for file in files[:40:4]])
    judge = evaluator.Evaluator()
    for frame in labels:
        judge.feed_frame(labels[0], frame)
    for object_id in range(1, 8):
        gt = labels == object_id
        copied = np.broadcast_to(gt[:1], gt.shape)
        assert jaccard(copied, gt) == pytest.approx(judge.object_iou[object_id])
        f = [boundary_f(a, b) for a, b in zip(copied, gt, strict=True)]
        assert f == pytest.approx(judge.boundary_f[object_id])
