from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from masklet.data.regions import ImageRegions
from masklet.evaluation.recall import AT, iter_recall, recall_scores
from masklet.masks.rle import encode

SIZE = 24, 32


def blobs(rng: np.random.Generator, count: int) -> list[np.ndarray]:
    """Rectangles, many of which are alike."""
    masks = []
    for _ in range(count):
        x, y = rng.integers(0, 3, 2) * 8
        mask = np.zeros(SIZE, bool)
        mask[y : y + rng.integers(4, 8), x : x + rng.integers(4, 10)] = True
        masks.append(mask)
    return masks


def coco_recall(images: list[tuple[list[np.ndarray], list[np.ndarray]]]) -> list[float]:
    """AR at each number of proposals, by pycocotools."""
    truth, found, number = [], [], 0
    for image, (masks, proposals) in enumerate(images):
        for mask in masks:
            number += 1
            rle = encode(mask)
            shared = {"id": number, "image_id": image, "category_id": 1, "iscrowd": 0, "area": int(mask.sum())}
            truth.append({**shared, "segmentation": rle, "bbox": [0, 0, 1, 1]})
        for rank, mask in enumerate(proposals):
            one = {"image_id": image, "category_id": 1, "score": 1 - rank / 2000, "segmentation": encode(mask)}
            found.append(one)
    data = COCO()
    pictures = [{"id": k, "height": SIZE[0], "width": SIZE[1]} for k in range(len(images))]
    data.dataset = {"images": pictures, "annotations": truth, "categories": [{"id": 1, "name": "thing"}], "info": {}}
    data.createIndex()
    evaluation = COCOeval(data, data.loadRes(found), "segm")
    evaluation.params.maxDets = list(AT)
    evaluation.evaluate()
    evaluation.accumulate()
    return [float(evaluation.eval["recall"][:, 0, 0, m].mean()) for m in range(len(AT))]


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_the_recall_of_coco(seed: int):
    rng = np.random.default_rng(seed)
    images = [(blobs(rng, int(rng.integers(1, 8))), blobs(rng, int(rng.integers(1, 40)))) for _ in range(4)]
    scores = [
        one
        for k, (masks, proposals) in enumerate(images)
        for one in recall_scores(str(k), [encode(m) for m in masks], [encode(m) for m in proposals])
    ]
    for n, expected in zip(AT, coco_recall(images), strict=True):
        assert np.mean([one.found[n] for one in scores]) == pytest.approx(expected, abs=1e-12)


def test_a_proposal_covers_all_that_it_fits_and_finds_one():
    mask = np.zeros(SIZE, bool)
    mask[4:12, 4:12] = True
    first, second = recall_scores("two annotators", [encode(mask), encode(mask)], [encode(mask)])
    assert first.covered[10] == second.covered[10] == 1
    assert sorted([first.found[10], second.found[10]]) == [0, 1]
    assert first.best_iou == 1


def test_only_the_first_count():
    mask, other = np.zeros(SIZE, bool), np.zeros(SIZE, bool)
    mask[4:12, 4:12], other[20:, 20:] = True, True
    (late,) = recall_scores("late", [encode(mask)], [encode(other)] * 10 + [encode(mask)])
    assert (late.found[10], late.found[100]) == (0, 1)
    assert (late.covered[10], late.covered[100]) == (0, 1)


def test_no_proposals_find_nothing():
    class Nothing:
        def propose(self, image: np.ndarray) -> list:
            return []

    mask = np.zeros((1, *SIZE), bool)
    mask[0, 4:12, 4:12] = True
    picture = np.zeros((*SIZE, 3), np.uint8)
    empty = ImageRegions("empty", picture, mask[:0])
    (score,) = iter_recall(Nothing(), [empty, ImageRegions("one", picture, mask)])
    assert (score.name, score.found[1000], score.best_iou) == ("one", 0, 0)
