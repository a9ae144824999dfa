from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from masklet.inference.image import ImagePredictor
from masklet.masks.rle import decode
from masklet.model import many_prompts
from masklet.model.sam2 import Sam2
from masklet.video.fitting import Fitting
from tiny_model import DISC, SQUARE, clip, disc

BOX = (46, 24, 62, 40)
SIZE = (48, 72)


@pytest.fixture
def predictor(tiny: Sam2, frames: list[np.ndarray]) -> ImagePredictor:
    predictor = ImagePredictor(tiny)
    predictor.set_image(frames[0])
    return predictor


@pytest.mark.parametrize(
    "prompt",
    [
        {"points": [DISC]},
        {"points": [DISC, (5, 5)], "labels": [1, 0]},
        {"box": BOX},
        {"box": BOX, "points": [SQUARE]},
        {"mask": disc(0)},
        {"mask": disc(0), "points": [DISC]},
        {"logits": np.zeros((16, 16))},
        {"logits": np.zeros((1, 16, 16)), "box": BOX},
    ],
)
@pytest.mark.parametrize("multimask", [True, False])
def test_candidates_of_any_prompt(predictor: ImagePredictor, prompt: dict[str, Any], multimask: bool):
    result = predictor.predict(**prompt, multimask=multimask)
    count = 3 if multimask else 1
    assert result.masks.shape == result.logits.shape == (count, *SIZE)
    assert result.low_logits.shape == (count, 16, 16)
    assert result.iou.shape == (count,)
    assert np.abs(result.low_logits).max() <= 32
    assert result.iou[result.best] == result.iou.max()
    assert np.array_equal(result.mask, result.masks[result.best])
    assert np.array_equal(decode(result.rle()), result.mask)  # pyright: ignore[reportArgumentType]


def test_every_part_of_a_prompt_counts(predictor: ImagePredictor):
    base = predictor.predict(points=[DISC])
    others = [
        predictor.predict(points=[SQUARE]),
        predictor.predict(points=[DISC], labels=[0]),
        predictor.predict(points=[DISC], mask=disc(0)),
        predictor.predict(points=[DISC], logits=base.low_logits[base.best]),
        predictor.predict(points=[DISC], box=BOX),
    ]
    for other in others:
        assert np.abs(other.low_logits - base.low_logits).max() > 1e-2


def test_a_batch_is_as_one_by_one(predictor: ImagePredictor):
    requests: list[dict[str, Any]] = [
        {"points": [DISC]},
        {"box": BOX},
        {"points": [SQUARE], "labels": [0]},
        {"points": [DISC, SQUARE], "labels": [1, 0]},
        {"mask": disc(0)},
        {"box": (0, 0, 20, 20)},
    ]
    together = predictor.predict_batch(requests)
    assert len(together) == len(requests)
    for request, result in zip(requests, together, strict=True):
        alone = predictor.predict(**request)
        assert np.abs(alone.low_logits - result.low_logits).max() < 1e-4
        assert np.abs(alone.iou - result.iou).max() < 1e-5
    assert predictor.predict_batch([]) == []


def test_images_of_many_sizes_at_once(tiny: Sam2):
    predictor = ImagePredictor(tiny)
    images = [clip(1)[0], clip(1, 64, 64)[0], clip(1, 200, 30)[0]]
    embeddings = predictor.encode(images)
    assert [e.size for e in embeddings] == [(48, 72), (64, 64), (200, 30)]
    for image, embedding in zip(images, embeddings, strict=True):
        together = predictor.predict(points=[(5, 5)], embedding=embedding)
        predictor.set_image(image)
        assert together.mask.shape == image.shape[:2]
        assert np.abs(together.low_logits - predictor.predict(points=[(5, 5)]).low_logits).max() < 1e-4
    assert predictor.encode([]) == []


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (300, 7)])
def test_images_of_odd_sizes(tiny: Sam2, size: tuple[int, int]):
    predictor = ImagePredictor(tiny)
    predictor.set_image(np.full((*size, 3), 90, np.uint8))
    assert predictor.predict(points=[(0, 0)]).masks.shape == (3, *size)


def test_kinds_of_images(tiny: Sam2, frames: list[np.ndarray]):
    predictor = ImagePredictor(tiny)
    grey = frames[0][..., 0]
    answers = []
    for image in (grey, np.stack([grey] * 3, -1), grey.astype(np.uint16) << 8, np.dstack([grey] * 4), grey / 255.0):
        predictor.set_image(image)
        answers.append(predictor.predict(points=[DISC]).low_logits)
    assert all(np.abs(a - answers[0]).max() < 1e-4 for a in answers)


def test_clean_up_fills_holes_and_removes_specks(tiny: Sam2, frames: list[np.ndarray]):
    def shown(**options: int) -> torch.Tensor:
        predictor = ImagePredictor(tiny, **options)
        predictor.set_image(frames[0])
        result = predictor.predict(points=[DISC, SQUARE], labels=[1, 0])
        return result.shown

    plain = shown() > 0
    assert torch.equal(shown(max_hole_area=256) > 0, torch.ones_like(plain))
    assert torch.equal(shown(max_speck_area=256) > 0, torch.zeros_like(plain))
    assert plain.any()
    assert not plain.all()
    assert torch.equal(shown(max_hole_area=1) > 0, plain | (shown(max_hole_area=1) > 0))


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ({}, "nothing to prompt with"),
        ({"points": [(72, 0)]}, r"point \(72, 0\) is outside the frame of 72 x 48 pixels"),
        ({"points": [DISC], "labels": [3]}, r"labels must be .* got \[3.0\]"),
        ({"box": (5, 5, 1, 1)}, "corners swapped"),
        ({"mask": np.ones((3, 3))}, r"\(48, 72\), got shape \(3, 3\)"),
        ({"mask": np.zeros(SIZE)}, "mask is empty"),
        ({"mask": disc(0), "logits": np.zeros((16, 16))}, "either a mask or logits to refine, not both"),
        ({"mask": disc(0), "labels": [1]}, "labels were given without points"),
        ({"logits": np.zeros((3, 16, 16))}, r"one map of 16 x 16 \(low_logits .*got shape \(3, 16, 16\)"),
        ({"logits": np.zeros(256)}, r"one map of 16 x 16 .*got shape \(256,\)"),
        ({"logits": np.full((16, 16), np.nan)}, "logits must be finite numbers, got"),
        ({"logits": "earlier"}, "logits must be one map of 16 x 16, got 'earlier'"),
    ],
)
def test_a_mistake_is_explained_and_the_image_stays(
    predictor: ImagePredictor, as_user: None, prompt: dict[str, Any], message: str
):
    before = predictor.predict(points=[DISC]).low_logits
    with pytest.raises(ValueError, match=message):
        predictor.predict(**prompt)
    assert np.array_equal(predictor.predict(points=[DISC]).low_logits, before)


@pytest.mark.parametrize("smallest", [1, 1000], ids=["shared", "reference"])
def test_many_prompts_are_as_one_by_one(monkeypatch, predictor: ImagePredictor, smallest: int):
    monkeypatch.setattr(many_prompts, "SMALLEST", smallest)
    generator = np.random.default_rng(0)
    points = generator.uniform((0, 0), SIZE[::-1], (19, 2))
    boxes = np.concatenate((points / 2, points / 2 + 20), 1)
    pairs, labels = np.stack((points, points[::-1]), 1), np.tile([1, 0], (19, 1))
    for many, alone in (
        ({"points": points}, [{"points": [p]} for p in points]),
        ({"boxes": boxes}, [{"box": b} for b in boxes]),
        (
            {"points": pairs, "labels": labels, "boxes": boxes},
            [{"points": p, "labels": [1, 0], "box": b} for p, b in zip(pairs, boxes, strict=True)],
        ),
    ):
        batches = list(predictor.predict_many(**many))
        assert all(0 < len(logits) < len(points) for logits, _ in batches)
        logits, iou = (torch.cat(each).numpy() for each in zip(*batches, strict=True))
        assert logits.shape == (19, 3, 16, 16)
        for i, request in enumerate(alone):
            result = predictor.predict(**request)
            assert np.abs(result.low_logits - logits[i]).max() < 1e-4
            assert np.abs(result.iou - iou[i]).max() < 1e-4
    ((logits, iou),) = predictor.predict_many(points=points[:4], multimask=False)
    assert logits.shape == (4, 1, 16, 16)
    assert iou.shape == (4, 1)


def test_many_masks_are_refined_as_one_by_one(predictor: ImagePredictor):
    points = np.random.default_rng(0).uniform((0, 0), SIZE[::-1], (5, 2))
    earlier = np.concatenate([predictor.predict(points=[p]).low_logits[:1] for p in points])
    ((logits, iou),) = predictor.predict_many(points=points, logits=earlier, multimask=False, least_iou=1.0)
    for i, point in enumerate(points):
        result = predictor.predict(points=[point], logits=earlier[i], multimask=False)
        assert np.abs(result.low_logits - logits[i].numpy()).max() < 1e-4
        assert np.abs(result.iou - iou[i].numpy()).max() < 1e-4


def test_many_prompts_on_an_image_that_is_not_the_current_one(predictor: ImagePredictor, frames: list[np.ndarray]):
    other = predictor.encode([frames[-1]])[0]
    ((logits, _),) = predictor.predict_many(points=[DISC, SQUARE, DISC], embedding=other)
    ((current, _),) = predictor.predict_many(points=[DISC, SQUARE, DISC])
    expected = predictor.predict(points=[DISC], embedding=other).low_logits
    assert np.abs(logits[0].numpy() - expected).max() < 1e-4
    assert (logits - current).abs().max() > 1e-2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "got none"),
        ({"points": np.zeros((0, 2))}, r"got \[0\]"),
        ({"points": [DISC, SQUARE], "boxes": [BOX]}, r"equally many objects, got \[1, 2\]"),
        ({"points": [DISC, (100, 3)]}, "outside the frame"),
    ],
)
def test_many_prompts_that_do_not_fit(predictor: ImagePredictor, given: Any, said: str):
    with pytest.raises(ValueError, match=said):
        predictor.predict_many(**given)


def test_an_unknown_part_of_a_request(predictor: ImagePredictor):
    with pytest.raises(ValueError, match=r"unknown prompt \['point'\]: use points, labels, box, mask and logits"):
        predictor.predict_batch([{"point": DISC}])


@pytest.mark.parametrize(
    "bad", [np.zeros((4, 4, 2)), np.zeros((0, 4, 3)), np.full((4, 4, 3), np.nan), "photo.jpg", None]
)
def test_what_is_no_image_is_refused_and_the_last_one_stays(predictor: ImagePredictor, as_user: None, bad: Any):
    before = predictor.predict(points=[DISC]).low_logits
    with pytest.raises(ValueError, match="image"):
        predictor.set_image(bad)
    assert np.array_equal(predictor.predict(points=[DISC]).low_logits, before)


def test_an_image_must_be_set_first(tiny: Sam2):
    with pytest.raises(RuntimeError, match=r"no image is set: call set_image\(image\) before predict\(\)"):
        ImagePredictor(tiny).predict(points=[DISC])


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    points=st.lists(st.tuples(st.floats(-9, 80), st.floats(-9, 60)), min_size=1, max_size=4),
    labels=st.lists(st.integers(-1, 2), min_size=1, max_size=4),
)
def test_any_clicks_are_answered_or_explained(predictor: ImagePredictor, points: Any, labels: Any):
    try:
        result = predictor.predict(points=points, labels=labels)
    except ValueError as error:
        sensible = str(error).startswith(("point (", "labels must be"))
    else:
        sensible = np.isfinite(result.logits).all() and (result.iou > 0).all() and (result.iou < 1).all()
    assert sensible


@pytest.mark.parametrize(
    ("fit", "low", "shown"),
    [("letterbox", (16, 16), (11, 16)), ("native", (16, 24), (16, 24)), ((32, 128), (8, 32), (8, 32))],
)
def test_other_inputs_than_the_square(tiny: Sam2, frames: list[np.ndarray], fit: Fitting, low: tuple, shown: tuple):
    predictor = ImagePredictor(tiny, fit=fit)
    tall = frames[0].transpose(1, 0, 2)
    both = predictor.encode([frames[0], tall, frames[1]])
    assert [e.size for e in both] == [SIZE, SIZE[::-1], SIZE]
    alone = [predictor.encode([image])[0] for image in (frames[0], tall, frames[1])]
    for one, other in zip(both, alone, strict=True):
        assert torch.allclose(one.features.embedding, other.features.embedding, atol=1e-4)
    first = predictor.predict(points=[DISC], embedding=both[0])
    assert first.low_logits.shape == (3, *low)
    assert tuple(first.shown.shape) == (3, *shown)
    assert first.masks.shape == (3, *SIZE)
    for more in ({"logits": first.low_logits[first.best]}, {"mask": disc(0)}):
        refined = predictor.predict(points=[DISC], embedding=both[0], **more)
        assert not np.array_equal(refined.logits, first.logits)
    with pytest.raises(ValueError, match=f"logits must be one map of {low[0]} x {low[1]}"):
        predictor.predict(logits=np.zeros((5, 5)), embedding=both[0])
