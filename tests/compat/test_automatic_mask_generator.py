from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from masklet.compat.sam2.automatic_mask_generator import SAM2AutomaticMaskGenerator
from masklet.compat.sam2.build_sam import SAM2Base
from masklet.compat.sam2.settings import Settings
from masklet.inference.automatic import AutomaticMasks, AutomaticOptions
from masklet.masks.rle import decode, encode, run_lengths
from masklet.model.sam2 import Sam2

ALL = {"pred_iou_thresh": 0.0, "stability_score_thresh": 0.0, "box_nms_thresh": 0.95}


@pytest.fixture
def base(tiny: Sam2) -> SAM2Base:
    return SAM2Base(tiny, Settings())


@pytest.mark.parametrize("mode", ["binary_mask", "uncompressed_rle", "coco_rle"])
def test_records_tell_of_our_masks(base: SAM2Base, frames: list[np.ndarray], mode: str):
    records = SAM2AutomaticMaskGenerator(base, points_per_side=4, output_mode=mode, **ALL).generate(frames[0])
    options = AutomaticOptions.official(
        grids=(4,), least_iou=0.0, least_stability=0.0, most_overlap=0.95, stability_fallback=False
    )
    masks = AutomaticMasks(base.model, options).generate(frames[0])
    assert len(records) == len(masks) > 0
    for record, one in zip(records, masks, strict=True):
        segmentation = record["segmentation"]
        assert np.array_equal(segmentation if mode == "binary_mask" else decode(segmentation), one.mask)
        x, y, width, height = one.box
        assert record["bbox"] == [x, y, width - 1, height - 1]
        assert record["area"] == one.area
        assert record["predicted_iou"] == one.predicted_iou
        assert record["point_coords"] == [list(one.point)]
        assert record["crop_box"] == [0.0, 0.0, 72.0, 48.0]
    if mode == "uncompressed_rle":
        assert isinstance(records[0]["segmentation"]["counts"][0], int)


def test_attributes_are_read_by_each_call(base: SAM2Base, frames: list[np.ndarray]):
    generator = SAM2AutomaticMaskGenerator(base, points_per_side=3, **ALL)
    assert generator.generate(frames[0])
    generator.pred_iou_thresh = 0.999
    assert generator.generate(frames[0]) == []


def test_grids_shrink_with_the_layers(base: SAM2Base):
    made = SAM2AutomaticMaskGenerator(base, points_per_side=9, crop_n_layers=2, crop_n_points_downscale_factor=2)
    assert [len(grid) for grid in made.point_grids] == [81, 16, 4]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"points_per_side": None}, "either points_per_side or point_grids"),
        ({"point_grids": [np.full((1, 2), 0.5)]}, "either points_per_side or point_grids"),
        ({"points_per_side": None, "point_grids": [np.full((1, 2), 0.5)], "crop_n_layers": 1}, "expected 2"),
        ({"output_mode": "png"}, "output_mode 'png'"),
    ],
)
def test_mistakes(base: SAM2Base, given: dict[str, Any], said: str):
    with pytest.raises(ValueError, match=said):
        SAM2AutomaticMaskGenerator(base, **given)


def test_refinement_needs_an_image(base: SAM2Base, frames: list[np.ndarray]):
    generator = SAM2AutomaticMaskGenerator(base)
    given = torch.tensor([[10.0, 20.0], [40.0, 30.0]]), torch.ones(2, dtype=torch.int), torch.zeros(2, 16, 16), 64
    with pytest.raises(RuntimeError, match="image must be set"):
        generator.refine_with_m2m(*given)
    generator.predictor.set_image(frames[0])
    masks, iou = generator.refine_with_m2m(*given)
    assert masks.shape == (2, 1, 48, 72)
    assert iou.shape == (2, 1)


def test_small_regions_of_a_dictionary():
    block = np.zeros((20, 20), bool)
    block[2:18, 2:18] = True
    pierced, speckled = block.copy(), np.zeros((20, 20), bool)
    pierced[5, 5] = False
    speckled[1:6, 1:6] = speckled[15:19, 10:19] = True
    rles = [{"size": [20, 20], "counts": run_lengths(encode(mask))} for mask in (pierced, block, speckled)]
    boxes = torch.tensor([[2, 2, 17, 17], [2, 2, 17, 17], [1, 1, 18, 18]])
    data = {"rles": rles, "boxes": boxes, "names": np.array(["pierced", "block", "speckled"])}
    kept = SAM2AutomaticMaskGenerator.postprocess_small_regions(data, 30, 0.7)
    assert kept is data
    assert kept["names"].tolist() == ["block", "speckled"]  # repaired, the first is the second
    assert kept["boxes"].tolist() == [[2, 2, 17, 17], [10, 15, 18, 18]]
    assert decode(kept["rles"][1]).sum() == 36
    empty = {"rles": [], "boxes": torch.zeros(0, 4)}
    assert SAM2AutomaticMaskGenerator.postprocess_small_regions(empty, 30, 0.7) is empty
