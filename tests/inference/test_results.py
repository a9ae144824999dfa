from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from masklet.inference.results import FrameResult, ObjectResult, Shown, frame_result, without_overlap
from masklet.masks.rle import decode
from masklet.structures import Prediction
from masklet.video.fitting import Fit

SIZE = (8, 12)
FIT = Fit(SIZE, (32, 64), (24, 64))


def result(object_id: int, rows: slice, value: float, *, presence: float = 5.0) -> ObjectResult:
    logits = torch.full(SIZE, -3.0)
    logits[rows] = value
    return ObjectResult(4, object_id, logits, iou=0.8, presence=presence, size=SIZE)


def frame(*results: ObjectResult) -> FrameResult:
    return FrameResult(4, SIZE, {r.object_id: r for r in results})


def test_a_mask_is_where_logits_are_above_0():
    one = result(1, slice(2, 5), 2.0)
    assert one.mask.sum() == one.area == 36
    assert one.box == (0, 2, 12, 5)
    assert one.present
    assert np.array_equal(decode(one.rle()), one.mask)  # pyright: ignore[reportArgumentType]
    assert one.logits.dtype == np.float32


def test_logits_are_brought_to_the_video():
    small = ObjectResult(0, 1, torch.tensor([[4.0, -4.0]]), 0.5, 1.0, size=(2, 8))
    assert small.logits.shape == (2, 8)
    assert small.mask[0].tolist() == [True] * 4 + [False] * 4


def test_an_absent_object_has_no_mask():
    gone = result(1, slice(2, 5), 2.0, presence=0.0)
    assert not gone.present
    assert gone.area == 0
    assert gone.box is None


@pytest.mark.parametrize(("presence", "factor"), [(0.0, 0.5), (2.0, 0.880797), (-1e9, 0.0), (1e9, 1.0)])
def test_confidence_is_iou_times_probability(presence: float, factor: float):
    assert result(1, slice(1), 1.0, presence=presence).confidence == pytest.approx(0.8 * factor, abs=1e-6)


def test_stability_is_the_overlap_of_masks_at_shifted_thresholds():
    logits = torch.full((1, 1, *FIT.low), -3.0)
    logits[..., :2, :] = 3.0
    logits[..., 2, :] = 0.5
    logits[..., 3, :] = -0.5
    logits[..., FIT.low_content[0] :, :] = 0.5  # shown nowhere
    row = torch.ones(1)
    answer = Prediction(logits, row, row, row[None], logits, row[None])
    made = frame_result(4, FIT, {1: answer})[1]
    assert made.stability == 0.5
    assert Shown.of(made).result(1, None).stability == 0.5
    absent = replace(answer, logits=torch.full_like(logits, -1024.0), presence=-row)
    assert frame_result(4, FIT, {1: absent})[1].stability == 1


@pytest.mark.parametrize(("presence", "doubt"), [(50.0, 0.2), (1e-6, 0.6), (0.0, 0.5), (-2.0, 0.119203), (-50.0, 0.0)])
def test_doubt(presence: float, doubt: float):
    assert Shown.of(result(1, slice(3), 2.0, presence=presence)).doubt == pytest.approx(doubt, abs=1e-5)


def test_two_objects_together_are_as_sure_as_the_less_sure_one():
    one = Shown.of(replace(result(1, slice(0, 2), 2.0), stability=0.9))
    both = one.union(Shown.of(replace(result(2, slice(4, 6), 2.0, presence=7.0), iou=0.6, stability=0.95)))
    assert (both.iou, both.presence, both.stability) == (0.6, 7.0, 0.9)
    assert decode(both.rle).any(1).nonzero()[0].tolist() == [0, 1, 4, 5]


def test_a_frame_is_a_mapping_by_id():
    both = frame(result(7, slice(0, 4), 2.0), result(3, slice(2, 6), 1.0))
    assert list(both) == [7, 3]
    assert len(both) == 2
    assert both[3].object_id == 3
    assert 5 not in both
    assert {i: m.sum() for i, m in both.masks.items()} == {7: 48, 3: 48}


def test_a_label_map_gives_a_pixel_to_the_surer_object():
    labels = frame(result(7, slice(0, 4), 2.0), result(3, slice(2, 6), 1.0)).label_map()
    assert labels[:, 0].tolist() == [7, 7, 7, 7, 3, 3, 0, 0]
    labels = frame(result(7, slice(0, 4), 1.0), result(3, slice(2, 6), 2.0)).label_map()
    assert labels[:, 0].tolist() == [7, 7, 3, 3, 3, 3, 0, 0]
    absent = frame(result(7, slice(0, 4), 1.0), result(300, slice(2, 6), 2.0, presence=-1.0)).label_map()
    assert absent[:, 0].tolist() == [7, 7, 7, 7, 0, 0, 0, 0]
    assert not frame().label_map().any()


def test_without_overlap():
    apart = without_overlap({7: result(7, slice(0, 4), 2.0), 3: result(3, slice(2, 6), 1.0)})
    assert list(apart) == [7, 3]
    assert np.flatnonzero(apart[7].mask[:, 0]).tolist() == [0, 1, 2, 3]
    assert np.flatnonzero(apart[3].mask[:, 0]).tolist() == [4, 5]
    alone = {7: result(7, slice(0, 4), 2.0)}
    assert without_overlap(alone) is alone
