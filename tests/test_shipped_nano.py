"""The shipped model does its job: two plain objects in a synthetic clip, which broken weights would not find."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from golden_clip import HEIGHT, WIDTH, clip
from masklet.checkpoints.load import load
from masklet.inference.image import ImagePredictor
from masklet.inference.session import VideoSession
from masklet.model.sam2 import Sam2

YY, XX = np.mgrid[0:HEIGHT, 0:WIDTH].astype(float)
DISC, SQUARE = 1, 2


@pytest.fixture(scope="module")
def nano() -> Sam2:
    return load("nano")


def truth(object_id: int, t: int) -> np.ndarray:
    if object_id == DISC:
        return np.hypot(XX - WIDTH * (0.3 + 0.03 * t), YY - HEIGHT * (0.4 + 0.01 * t)) < 0.15 * HEIGHT
    return (abs(XX - WIDTH * (0.7 - 0.02 * t)) < 0.1 * HEIGHT) & (abs(YY - 0.65 * HEIGHT) < 0.1 * HEIGHT)


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.count_nonzero(a & b) / np.count_nonzero(a | b))


PROMPTS: dict[str, dict[int, dict[str, Any]]] = {
    "click": {DISC: {"points": [(144, 108)]}, SQUARE: {"points": [(336, 175)]}},
    "box": {DISC: {"box": (103, 67, 185, 149)}, SQUARE: {"box": (308, 148, 364, 203)}},
    "mask": {i: {"mask": truth(i, 0)} for i in (DISC, SQUARE)},
}


@pytest.mark.parametrize("kind", PROMPTS)
def test_objects_are_found_and_followed(nano: Sam2, kind: str):
    session = VideoSession(clip(), nano)
    for object_id, prompt in PROMPTS[kind].items():
        session.prompt(0, object_id, **prompt)
    for result in session.propagate():
        for object_id in (DISC, SQUARE):
            assert iou(result[object_id].mask, truth(object_id, result.frame)) > 0.7
            assert result[object_id].present


def test_clicks_segment_an_image(nano: Sam2):
    predictor = ImagePredictor(nano)
    predictor.set_image(clip()[0])
    for object_id, prompt in PROMPTS["click"].items():
        assert iou(predictor.predict(**prompt).mask, truth(object_id, 0)) > 0.7
    off = predictor.predict(points=[(144, 108), (336, 175)], labels=[1, 0], multimask=False)
    assert iou(off.mask, truth(DISC, 0)) > 0.7
