"""J and F against a literal, slow reading of their definitions."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from masklet.evaluation.metrics import boundary_f, contour, frame_scores, jaccard, reach
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


def boundary_f_slow(prediction, gt, far=None):
    far = math.ceil(0.008 * math.sqrt(gt.shape[0] ** 2 + gt.shape[1] ** 2)) if far is None else far
    mine, true = np.argwhere(contour_slow(prediction)), np.argwhere(contour_slow(gt))
    if len(mine) == 0 and len(true) == 0:
        return 1.0
    if len(mine) == 0 or len(true) == 0:
        return 0.0
    near = ((mine[:, None] - true[None]) ** 2).sum(-1) <= far**2
    precision, recall = near.any(1).mean(), near.any(0).mean()
    return 0.0 if precision + recall == 0 else 2 * precision * recall / (precision + recall)


def jaccard_slow(prediction, gt):
    both, either = (prediction & gt).sum(), (prediction | gt).sum()
    return both / either if either else 1.0


def fast(prediction, gt, void=None):
    j, f = frame_scores(prediction[None], gt[None], void)
    return float(j[0]), float(f[0])


def ellipse(height, width, cy, cx, ry, rx):
    y, x = np.mgrid[:height, :width]
    return ((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 <= 1


def pairs():
    rng = np.random.default_rng(0)
    for height, width in ((1, 1), (1, 9), (7, 1), (12, 17), (40, 60)):
        for share in (0.0, 0.02, 0.5, 1.0):
            yield rng.random((height, width)) < share, rng.random((height, width)) < 0.3
    for _ in range(6):
        shape = rng.integers(63, 100, 2)
        yield tuple(ellipse(*shape, *(rng.random(2) * shape), *(rng.random(2) * shape / 2 + 1)) for _ in range(2))


@st.composite
def drawn(draw, count):
    """Masks of one size, some wider than a word, of long runs more often than of noise."""
    size = draw(array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12))
    grown = draw(st.tuples(st.integers(1, 3), st.integers(1, 8)))
    masks = [draw(arrays(bool, size)) for _ in range(count)]
    masks = [mask.repeat(grown[0], 0).repeat(grown[1], 1) for mask in masks]
    rows, columns = draw(st.integers(0, grown[0] - 1)), draw(st.integers(0, grown[1] - 1))
    return [mask[rows:, columns:] for mask in masks]


def test_boundary_f_equals_the_slow_one():
    values = []
    for prediction, gt in pairs():
        assert (contour(gt) == contour_slow(gt)).all()
        assert boundary_f(prediction, gt) == pytest.approx(boundary_f_slow(prediction, gt), abs=1e-12)
        values.append(boundary_f(prediction, gt))
    assert 0.0 in values
    assert len({round(v, 3) for v in values}) > 6


@settings(max_examples=50)
@given(drawn(count=2))
def test_drawn_masks_equal_the_definitions(masks):
    prediction, gt = masks
    j, f = jaccard_slow(prediction, gt), boundary_f_slow(prediction, gt)
    assert jaccard(prediction, gt) == pytest.approx(j, abs=1e-12)
    assert boundary_f(prediction, gt) == pytest.approx(f, abs=1e-12)
    assert fast(prediction, gt) == pytest.approx((j, f), abs=1e-12)


@settings(max_examples=30)
@given(drawn(count=3))
def test_void_pixels_are_outside_of_both_masks(masks):
    prediction, gt, void = masks
    j, f = jaccard_slow(prediction & ~void, gt & ~void), boundary_f_slow(prediction & ~void, gt & ~void)
    assert jaccard(prediction, gt, void) == pytest.approx(j, abs=1e-12)
    assert boundary_f(prediction, gt, void) == pytest.approx(f, abs=1e-12)
    assert fast(prediction, gt, void) == pytest.approx((j, f), abs=1e-12)


def test_void_as_davis_means_it():
    gt, prediction, void = np.zeros((3, 200, 200), bool)
    gt[100:150, 100:150] = prediction[50:150, 100:150] = void[50:100, 100:150] = True
    assert fast(prediction, gt, void) == (1, 1)
    assert max(fast(prediction, gt)) < 1
    assert list(jaccard(np.stack([prediction, gt]), np.stack([gt, gt]), void)) == [1, 1]


@pytest.mark.parametrize("size", [(5, 63), (40, 64), (40, 65), (130, 127), (60, 128), (200, 385)])
def test_the_fast_path_is_exact_at_ends_of_words_and_of_the_image(size):
    rng = np.random.default_rng(2)
    height, width = size
    values = set()
    for x in sorted({0, 1, 62, 63, 64, 65, width // 2, width - 2, width - 1} & set(range(width))):
        for wide, high in ((1, 1), (9, 3), (width, 2), (3, height)):
            gt, prediction = np.zeros((2, height, width), bool)
            y = int(rng.integers(height))
            gt[y : y + high, x : x + wide] = True
            prediction[max(y - 1, 0) : y + high, max(x - rng.integers(12), 0) : x + wide] = True
            begins_too = gt.copy()  # its contour is one pixel before the first of either mask
            begins_too[y, x:] = True
            for a, b in ((prediction, gt), (begins_too, gt), (~prediction, gt), (~gt, ~prediction)):
                assert fast(a, b) == (float(jaccard(a, b)), boundary_f(a, b))
                values.add(fast(a, b))
    assert len(values) > 10


def test_the_fast_path_reaches_farther_than_a_word():
    prediction, gt = np.zeros((2, 3, 8400), bool)
    assert reach(3, 8400) == 68
    for shift in (63, 64, 67, 68, 69, 200):
        gt[:], prediction[:] = False, False
        gt[1, 4000:5000] = prediction[1, 4000 + shift : 5000 + shift] = True
        assert fast(prediction, gt) == (float(jaccard(prediction, gt)), boundary_f(prediction, gt))
    prediction, gt = np.zeros((2, 3, 132 * 64), bool)
    gt[0, -1] = prediction[1, 0] = True  # neighbours in the string, an image apart
    assert fast(prediction, gt) == (0, 0)


def test_objects_of_a_frame_are_scored_each_for_itself():
    labels, shifted = np.zeros((2, 90, 120), np.uint16)
    for index, object_id in enumerate((3, 700, 1)):
        labels[10 + 20 * index : 25 + 20 * index, 20:60] = object_id
    shifted[:, 5:] = labels[:, :-5]
    ids = np.array([1, 3, 700, 9])
    j, f = frame_scores(shifted == ids[:, None, None], labels == ids[:, None, None])
    for index, object_id in enumerate(ids):
        mine, true = shifted == object_id, labels == object_id
        assert (j[index], f[index]) == (jaccard(mine, true), boundary_f(mine, true))
    assert (j[3], f[3]) == (1, 1)
    nothing = np.zeros((0, 90, 120), bool)
    assert [len(each) for each in frame_scores(nothing, nothing)] == [0, 0]


def test_tolerance_is_a_euclidean_disk_of_the_rounded_up_radius():
    gt = np.zeros((400, 300), bool)  # diagonal 500: exactly 4 px
    gt[100:300, 100] = True
    for shift, value in ((4, 1.0), (5, None), (6, None)):
        got = boundary_f(np.roll(gt, shift, axis=1), gt)
        assert (got == 1.0) == (value == 1.0)
    diagonal = np.roll(gt, (3, 3), axis=(0, 1))
    assert boundary_f(diagonal, gt) == pytest.approx(boundary_f_slow(diagonal, gt, far=4))


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
        assert fast(a, b) == (0, 0)


def test_a_mask_that_fills_the_image_has_no_contour():
    full, empty, some = np.ones((50, 50), bool), np.zeros((50, 50), bool), np.zeros((50, 50), bool)
    some[10:20, 10:20] = True
    for judge in (lambda a, b: (float(jaccard(a, b)), boundary_f(a, b)), fast):
        assert judge(full, full) == (1, 1)
        assert judge(full, empty) == judge(empty, full) == (0, 1)
        assert judge(full, some) == judge(some, full) == (0.04, 0)


def test_the_tolerance_is_that_of_the_exact_diagonal():
    assert [reach(*size) for size in ((1, 1), (300, 400), (301, 400), (480, 854), (1080, 1920))] == [1, 4, 5, 8, 18]


@pytest.mark.usefixtures("as_user")
def test_mistakes_are_named():
    mask = np.zeros((4, 5), bool)
    with pytest.raises(ValueError, match=r"\(4, 5\) and \(5, 4\)"):
        jaccard(mask, mask.T)
    with pytest.raises(ValueError, match="uint8"):
        boundary_f(mask, mask.astype(np.uint8))
    with pytest.raises(ValueError, match=r"\(1, 4, 5\) and \(1, 5, 4\)"):
        frame_scores(mask[None], mask.T[None])
    with pytest.raises(ValueError, match=r"\(4, 5\), got bool of shape \(5, 4\)"):
        boundary_f(mask, mask, mask.T)


def judged(evaluator, prediction, gt):
    judge = evaluator.Evaluator()
    judge.objects_in_gt = {1}  # scores pairs of empty masks too
    judge.feed_frame(prediction.view(np.uint8), gt.view(np.uint8))
    return judge.object_iou[1][0], judge.boundary_f[1][0]


def test_masks_of_all_kinds_equal_the_public_evaluator():
    evaluator = pytest.importorskip("vos_benchmark.evaluator")
    rng = np.random.default_rng(3)
    masks = [mask for pair in pairs() if pair[0].shape == (40, 60) for mask in pair]
    lines = np.zeros((4, 40, 60), np.uint8)
    for line in lines:
        cv2.line(line, *(tuple(map(int, rng.integers(0, 60, 2))) for _ in range(2)), 1)
    for prediction in (*masks, *(lines > 0)):
        for gt in (*masks, *(lines > 0)):
            assert fast(prediction, gt) == pytest.approx(judged(evaluator, prediction, gt), abs=1e-12)


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
        assert [fast(a, b)[1] for a, b in zip(copied, gt, strict=True)] == f
