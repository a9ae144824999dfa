from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import masklet
from masklet.inference import automatic
from masklet.inference.automatic import AutomaticMask, AutomaticMasks, AutomaticOptions
from masklet.inference.image import ImagePredictor
from masklet.masks.polygons import fill_polygons
from masklet.masks.rle import area, box
from masklet.model.sam2 import Sam2
from masklet.structures import Prompts

HEIGHT, WIDTH = 48, 72
LOW = 16  # logits of a 64-pixel input
DISCS = {(3.0, 4.0): 3.0, (11.0, 5.0): 2.2, (8.0, 12.0): 1.6}  # centres and radii at stride 4


def answer(points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The disc under each click, half of it and a fuzzy one; a click beside the discs gets an unsure mask."""
    yy, xx = torch.meshgrid(torch.arange(LOW), torch.arange(LOW), indexing="ij")
    logits, iou = torch.full((len(points), 3, LOW, LOW), -9.0), torch.full((len(points), 3), 0.1)
    for k, (x, y) in enumerate((points / 4 - 0.5).tolist()):
        for (cx, cy), radius in DISCS.items():
            if (x - cx) ** 2 + (y - cy) ** 2 <= radius**2:
                edge = 9 * (radius - ((xx - cx) ** 2 + (yy - cy) ** 2).sqrt())
                logits[k] = torch.stack([edge, torch.where(xx > cx, edge, -9.0), edge / 30])
                iou[k] = torch.tensor([0.95, 0.85, 0.9]) - 0.001 * abs(x - cx)
    return logits, iou


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let the model see discs; how many clicks it was asked each time."""
    counts: list[int] = []

    def decode(_: Any, image: Any, prompts: list[Prompts], multimask: bool, least_iou: float | None = None):
        logits, iou = answer(torch.cat([one.points for one in prompts if one.points is not None])[:, 0])
        for start in range(0, len(iou), 8):
            counts.append(len(iou[start : start + 8]))
            yield logits[start : start + 8], iou[start : start + 8]

    monkeypatch.setattr(ImagePredictor, "_decode", decode)
    return counts


@pytest.fixture
def image(frames: list[np.ndarray]) -> np.ndarray:
    return frames[0]


def sharp(**changes: Any) -> AutomaticOptions:
    return AutomaticOptions(**{"grids": (8,), "least_stability": 0.5, **changes})


def test_each_disc_is_found_once(tiny: Sam2, image: np.ndarray, asked: list[int]):
    masks = AutomaticMasks(tiny, sharp()).generate(image)
    assert sum(asked) == 64
    assert len(masks) == 6  # of each disc the whole and the half; not the fuzzy one
    scores = [one.predicted_iou for one in masks]
    assert scores == sorted(scores, reverse=True)
    wholes = [one for one in masks if one.predicted_iou > 0.9]
    assert len(wholes) == 3
    for one in masks:
        mask = one.mask
        assert mask.shape == (HEIGHT, WIDTH)
        assert one.area == area(one.rle) == mask.sum()
        assert list(one.box) == box(one.rle)
        assert mask[int(one.point[1]), int(one.point[0])] or one.predicted_iou < 0.9
        assert one.crop_box == (0, 0, WIDTH, HEIGHT)
        assert 0.5 <= one.stability <= 1
        assert np.array_equal(fill_polygons(one.polygons, (HEIGHT, WIDTH)), mask)


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        ({"least_iou": 0.9}, 3),
        ({"least_iou": 0.0, "least_stability": 0.0, "grids": (1,)}, 3),
        ({"least_stability": 0.0}, 6),  # the fuzzy ones are duplicates
        ({"least_stability": 1.0}, 0),
        ({"most_overlap": 0.2}, 4),
        ({"stability_offset": 5.0}, 0),
    ],
)
def test_filters(tiny: Sam2, image: np.ndarray, asked: list[int], changes: dict[str, Any], count: int):
    assert len(AutomaticMasks(tiny, sharp(**changes)).generate(image)) == count


def test_a_threshold_makes_masks_smaller(tiny: Sam2, image: np.ndarray, asked: list[int]):
    plain, strict = (
        AutomaticMasks(tiny, sharp(mask_threshold=threshold, least_iou=0.9)).generate(image) for threshold in (0.0, 6.0)
    )
    assert len(plain) == len(strict)
    assert all(b.area < a.area for a, b in zip(plain, strict, strict=True))


def test_after_a_coarse_grid_only_what_no_mask_covers_is_asked(tiny: Sam2, image: np.ndarray, asked: list[int]):
    full = AutomaticMasks(tiny, sharp()).generate(image)
    clicks = sum(asked)
    asked.clear()
    steps = list(AutomaticMasks(tiny, sharp(coarse=2)).stream(image))
    assert steps[-1].total == clicks + 4
    assert sum(asked) < clicks - 2
    assert {one.box for one in steps[-1].masks or ()} == {one.box for one in full}


def test_an_image_can_be_asked_other_grids(tiny: Sam2, image: np.ndarray):
    everything = {"least_iou": 0.0, "least_stability": 0.0}
    grids = (np.array([[0.2, 0.3], [0.7, 0.6]]), 2)
    wanted = AutomaticMasks(tiny, sharp(grids=grids, **everything)).generate(image)
    assert wanted
    assert AutomaticMasks(tiny, sharp(coarse=2, **everything)).generate(image, grids) == wanted


def test_the_smallest_crop_is_preferred_and_what_it_cuts_is_left_out(tiny: Sam2, asked: list[int]):
    image = np.zeros((480, 720, 3), np.uint8)
    one, crops = (AutomaticMasks(tiny, sharp(grids=grids)).generate(image) for grids in ((8,), (8, 8)))
    sizes = [mask.crop_box[2] * mask.crop_box[3] for mask in crops]
    assert sizes == sorted(sizes)
    assert {720 * 480} < set(sizes)
    assert len(crops) > len(one)
    for mask in crops:
        x, y, width, height = mask.box
        cx, cy, cw, ch = mask.crop_box
        edges = [(x, cx, 0), (y, cy, 0), (x + width - 1, cx + cw, 720), (y + height - 1, cy + ch, 480)]
        assert all(abs(a - b) > 20 or abs(a - c) <= 20 for a, b, c in edges)
        assert mask.mask[:, cx : cx + cw][cy : cy + ch].sum() == mask.area


def test_refinement_gives_every_candidate_back(tiny: Sam2, image: np.ndarray, monkeypatch: pytest.MonkeyPatch):
    given: list[dict[str, Any]] = []
    predict = ImagePredictor.predict_many
    monkeypatch.setattr(ImagePredictor, "predict_many", lambda self, **k: given.append(k) or predict(self, **k))
    options = sharp(grids=(3,), refine=True, least_iou=0.0, least_stability=0.0, most_overlap=2.0)
    masks = AutomaticMasks(tiny, options).generate(image)
    assert len(masks) == 27
    first, *again = given
    assert first["multimask"]
    assert first["least_iou"] is None
    assert sum(len(one["points"]) for one in again) == 27
    assert not any(one["multimask"] for one in again)
    predictor = ImagePredictor(tiny)
    predictor.set_image(image)
    point = [first["points"][4]]
    candidate = predictor.predict(points=point).low_logits[2]
    wanted = predictor.predict(points=point, logits=candidate, multimask=False)
    nearest = min(masks, key=lambda one: abs(one.predicted_iou - float(wanted.iou[0])))
    assert nearest.predicted_iou == pytest.approx(float(wanted.iou[0]), abs=1e-5)
    assert np.count_nonzero(nearest.mask != wanted.mask) <= 2


def test_masks_are_those_of_the_predictor(tiny: Sam2, image: np.ndarray):
    """Without any trick: a real model, of which everything is kept."""
    options = sharp(grids=(3,), least_iou=0.0, least_stability=0.0, most_overlap=2.0, fit="letterbox")
    predictor = ImagePredictor(tiny, fit="letterbox")
    predictor.set_image(image)
    masks = AutomaticMasks(tiny, options).generate(image)
    assert len(masks) == 27
    for point in {one.point for one in masks}:
        wanted = predictor.predict(points=[point])
        found = [one for one in masks if one.point == point]
        order = np.argsort(-wanted.iou, kind="stable")
        for one, k in zip(found, order, strict=True):
            assert one.predicted_iou == pytest.approx(float(wanted.iou[k]), abs=1e-5)
            assert np.count_nonzero(one.mask != wanted.masks[k]) <= 2


def test_progress_and_stopping(tiny: Sam2, image: np.ndarray, asked: list[int]):
    generator = AutomaticMasks(tiny, sharp(grids=(4, 2)))
    steps = list(generator.stream(image))
    assert [one.done for one in steps] == sorted(one.done for one in steps)
    assert {one.total for one in steps} == {steps[-1].done} == {16 + 4 * 4}
    assert all(one.masks is None for one in steps[:-1])
    asked.clear()
    next(iter(generator.stream(image)))
    assert asked == [8]


def test_images_one_after_another(tiny: Sam2, frames: list[np.ndarray], asked: list[int]):
    generator = AutomaticMasks(tiny, sharp(grids=(4,)))
    made = generator.generate_each(iter(frames[:3]))
    assert next(made) == generator.generate(frames[0])
    assert len(list(made)) == 2


def test_small_areas_are_repaired(tiny: Sam2, image: np.ndarray, monkeypatch: pytest.MonkeyPatch, asked: list[int]):
    seen: list[tuple[int, int]] = []
    clean = automatic.clean_small
    monkeypatch.setattr(automatic, "clean_small", lambda x, a, b, v: seen.append((a, b)) or clean(x, a, b, v))
    everything = AutomaticMasks(tiny, sharp(small_area=LOW * LOW, least_stability=0.0)).generate(image)
    assert set(seen) == {(LOW * LOW, LOW * LOW)}
    assert {one.area for one in everything} != {one.area for one in AutomaticMasks(tiny, sharp()).generate(image)}


def test_as_a_file_of_sa_1b_holds_it():
    one = AutomaticMask({"size": [4, 5], "counts": "d0"}, 0, (0, 0, 0, 0), 0.5, float("nan"), (1.5, 2.5), (0, 0, 5, 4))
    assert one.annotation(3) == {
        "id": 3,
        "segmentation": {"size": [4, 5], "counts": "d0"},
        "area": 0,
        "bbox": [0, 0, 0, 0],
        "predicted_iou": 0.5,
        "stability_score": 0.0,
        "point_coords": [[1.5, 2.5]],
        "crop_box": [0, 0, 5, 4],
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"grids": ()},
        {"grids": (0,)},
        {"coarse": 0},
        {"fit": "squeeze"},
        *({"crop_overlap": share} for share in (1.0, -0.1, float("nan"))),
    ],
)
def test_options_that_make_no_sense(as_user: None, changes: dict[str, Any]):
    with pytest.raises(ValueError, match=r"grid|fit|crop_overlap"):
        AutomaticOptions(**changes)


def test_public_names():
    assert masklet.AutomaticMasks is AutomaticMasks
    assert masklet.AutomaticOptions is AutomaticOptions
