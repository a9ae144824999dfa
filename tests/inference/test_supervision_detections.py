from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

from masklet.inference.results import FrameResult, ObjectResult
from masklet.inference.session import VideoSession
from masklet.inference.supervision_detections import prompts_of
from masklet.model.sam2 import Sam2
from tiny_model import SQUARE, disc

sv = pytest.importorskip("supervision")
pytestmark = pytest.mark.usefixtures("as_user")
SIZE = (48, 72)


def result() -> FrameResult:
    """Objects 3 and 9 overlap, object 5 is not seen."""
    objects = {}
    for i, rows, iou, presence in (
        (3, slice(4, 30), 0.9, 5.0),
        (5, slice(0, 48), 0.2, -1.0),
        (9, slice(20, 40), 0.7, 2.0),
    ):
        logits = torch.full(SIZE, -2.0)
        logits[rows, 10:20] = 1.0
        objects[i] = ObjectResult(7, i, logits, iou, presence, SIZE)
    return FrameResult(7, SIZE, objects)


def test_fields():
    frame = result()
    found = frame.to_supervision()
    assert isinstance(found, sv.Detections)
    assert found.tracker_id.tolist() == [3, 9]
    assert found.xyxy.tolist() == [[10, 4, 20, 30], [10, 20, 20, 40]]
    assert found.confidence.tolist() == pytest.approx([0.9, 0.7])
    assert found.data["presence"].tolist() == [5, 2]
    assert found.class_id is None
    assert found.mask.dtype == bool
    assert np.array_equal(found.mask, [frame.masks[3], frame.masks[9]])
    assert (found.mask[0] & found.mask[1]).any()
    assert found.box_area.tolist() == found.area.tolist()
    assert found[found.confidence > 0.8].tracker_id.tolist() == [3]


def test_nothing_is_empty():
    assert len(FrameResult(0, SIZE, {}).to_supervision()) == 0
    assert prompts_of(sv.Detections.empty()) == {}


def test_annotators_take_them():
    scene = np.zeros((*SIZE, 3), np.uint8)
    drawn = sv.MaskAnnotator(color_lookup=sv.ColorLookup.TRACK).annotate(scene, result().to_supervision())
    assert drawn[10, 15].any()
    assert not drawn[10, 5].any()


def test_there_and_back(tiny: Sam2, frames: list[np.ndarray]):
    first = VideoSession(frames, tiny)
    first.prompt(0, 4, mask=disc(0))
    first.prompt(0, 2, points=[SQUARE])
    shown = next(first.propagate())
    second = VideoSession(frames, tiny)
    prompts = prompts_of(shown.to_supervision())
    assert list(prompts) == [4, 2]
    for object_id, given in prompts.items():
        assert np.array_equal(given["mask"], shown.masks[object_id])
        second.prompt(0, object_id, **given)
    again = next(second.propagate())
    assert again.to_supervision().tracker_id.tolist() == [4, 2]
    assert np.mean(again.masks[4] != shown.masks[4]) < 0.02  # through the model's grid


def test_boxes_and_numbers():
    found = prompts_of(sv.Detections(xyxy=np.array([[1.0, 2, 30, 40], [5, 6, 7, 8]])))
    assert {i: given["box"].tolist() for i, given in found.items()} == {1: [1, 2, 30, 40], 2: [5, 6, 7, 8]}
    for ids, message in (([-1, 2], "-1"), ([2, 2], "tracker id 2 occurs twice")):
        with pytest.raises(ValueError, match=message):
            prompts_of(sv.Detections(xyxy=np.zeros((2, 4)), tracker_id=np.array(ids)))


def test_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(ImportError, match="pip install supervision"):
        result().to_supervision()
