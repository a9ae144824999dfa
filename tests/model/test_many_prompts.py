from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

import masklet
from masklet.model import many_prompts, shared_upscaling
from masklet.model.many_prompts import FEWEST, TOGETHER, ManyPrompts, decode_many
from masklet.model.sam2 import Sam2
from masklet.structures import FrameFeatures, Prompts, Selection
from tiny_model import SMALL_HIERA, SMALL_NANO, lively

HEIGHT, WIDTH = 96, 64  # not square, several tiles
TOLERANCE = {torch.float32: 2e-5, torch.float64: 1e-12}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(many_prompts, "SMALLEST", 1)
    monkeypatch.setattr(shared_upscaling, "TILE", 7)


def scene(model: Sam2) -> tuple[torch.Tensor, FrameFeatures]:
    image = torch.randn(1, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        features = model.encode_image(image)
        return model.condition(features, Selection()), features


def prompts(count: int, labels: tuple[int, ...] = (1,), dtype: torch.dtype = torch.float32) -> Prompts:
    generator = torch.Generator().manual_seed(3)
    points = torch.rand(count, len(labels), 2, generator=generator) * torch.tensor([WIDTH, HEIGHT])
    return Prompts(points=points.to(dtype), labels=torch.tensor(labels).expand(count, -1))


def one_by_one(model: Sam2, conditioned, features, given: Prompts, **options: bool):
    assert given.points is not None
    assert given.labels is not None
    with torch.inference_mode():
        for points, labels in zip(given.points, given.labels, strict=True):
            alone = replace(given, points=points[None], labels=labels[None])
            answer = model.decode(conditioned, features, alone, **options)
            yield answer.candidates[0], answer.candidate_iou[0]


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("config", [SMALL_HIERA, SMALL_NANO], ids=["official", "nano"])
@pytest.mark.parametrize("labels", [(1,), (2, 3), (2, 3, 1, 0)], ids=["click", "box", "box and clicks"])
@pytest.mark.parametrize(
    ("ambiguous", "stability_fallback"), [(True, True), (False, True), (False, False)], ids=["three", "stable", "one"]
)
def test_shared_is_as_one_by_one(dtype, config, labels, ambiguous, stability_fallback):
    model = lively(config, dtype)
    conditioned, features = scene(model)
    given = prompts(TOGETHER + 3, labels, dtype)
    options = {"ambiguous": ambiguous, "stability_fallback": stability_fallback}
    batches = list(decode_many(model, conditioned, features, given, **options))
    assert [len(masks) for masks, _ in batches] == [TOGETHER, 3]
    masks, iou = (torch.cat(each) for each in zip(*batches, strict=True))
    expected = list(one_by_one(model, conditioned, features, given, **options))
    expected_masks, expected_iou = (torch.stack(each) for each in zip(*expected, strict=True))
    assert masks.shape == expected_masks.shape == (len(masks), 3 if ambiguous else 1, HEIGHT // 4, WIDTH // 4)
    assert expected_masks.std() > 0.3
    assert (expected_masks[0] - expected_masks[1]).abs().max() > 0.1  # prompts matter
    assert (masks - expected_masks).abs().max() < TOLERANCE[dtype]
    assert (iou - expected_iou).abs().max() < TOLERANCE[dtype]


def test_trained_weights_are_as_exact(monkeypatch):
    """The norms take deviations from inner products, which cancel where factors nearly undo the image."""
    monkeypatch.setattr(shared_upscaling, "TILE", 100)
    model = masklet.load("nano")
    conditioned, features = scene(model)
    given = prompts(TOGETHER)
    ((masks, iou),) = decode_many(model, conditioned, features, given, ambiguous=True)
    expected, expected_iou = zip(*one_by_one(model, conditioned, features, given, ambiguous=True), strict=True)
    assert torch.stack(expected).std() > 1
    assert (masks - torch.stack(expected)).abs().max() < 5e-4
    assert (iou - torch.stack(expected_iou)).abs().max() < 1e-5


@pytest.mark.parametrize("few", [True, False])
def test_unstable_masks_give_way_on_both_paths(few: bool):
    model = lively(SMALL_HIERA, torch.float64)
    conditioned, features = scene(model)
    given = prompts(FEWEST - 1 if few else 2 * TOGETHER)  # the reference, or shared

    def masks(stability_fallback: bool) -> torch.Tensor:
        options = {"ambiguous": False, "stability_fallback": stability_fallback}
        return torch.cat([m for m, _ in decode_many(model, conditioned, features, given, **options)])

    assert (masks(True) != masks(False)).any()


def test_earlier_logits_and_few_prompts_go_to_the_reference(monkeypatch):
    def never(*_: Any) -> None:
        raise AssertionError("shared")

    model = lively(SMALL_HIERA, torch.float32)
    conditioned, features = scene(model)
    monkeypatch.setattr(many_prompts, "ManyPrompts", never)
    refined = replace(prompts(TOGETHER + 1), previous_logits=torch.randn(TOGETHER + 1, 1, HEIGHT // 4, WIDTH // 4))
    alone = replace(refined, points=None, labels=None)
    for given, sizes in ((refined, [TOGETHER, 1]), (alone, [TOGETHER, 1]), (prompts(FEWEST - 1), [FEWEST - 1])):
        answers = decode_many(model, conditioned, features, given, ambiguous=True)
        assert [len(masks) for masks, _ in answers] == sizes
    monkeypatch.setattr(many_prompts, "SMALLEST", HEIGHT * WIDTH // 256 + 1)
    assert list(decode_many(model, conditioned, features, prompts(FEWEST), ambiguous=True))
    monkeypatch.setattr(many_prompts, "SMALLEST", HEIGHT * WIDTH // 256)
    with pytest.raises(AssertionError, match="shared"):
        list(decode_many(model, conditioned, features, prompts(FEWEST), ambiguous=True))


def test_answers_of_a_batch_stay_when_the_next_is_made():
    model = lively(SMALL_HIERA, torch.float32)
    many = ManyPrompts(model, *scene(model))
    with torch.inference_mode():
        first, _ = many.decode(prompts(4), ambiguous=True, stability_fallback=True)
        kept = first.clone()
        many.decode(prompts(4, (0,)), ambiguous=True, stability_fallback=True)
    assert torch.equal(first, kept)


@pytest.mark.parametrize("ambiguous", [True, False])
@pytest.mark.parametrize("stability_fallback", [True, False])
def test_masks_that_nobody_wants_are_not_made(monkeypatch, ambiguous: bool, stability_fallback: bool):
    model, count = lively(SMALL_HIERA, torch.float32), 3 * TOGETHER
    conditioned, features = scene(model)
    options = {"ambiguous": ambiguous, "stability_fallback": stability_fallback}
    every, sure = (
        torch.cat(x) for x in zip(*decode_many(model, conditioned, features, prompts(count), **options), strict=True)
    )
    least = float(sure.amax(1).quantile(0.6))
    made: list[int] = []
    upscale = ManyPrompts._upscale
    monkeypatch.setattr(ManyPrompts, "_upscale", lambda *given: made.append(given[-1]) or upscale(*given))
    some, again = (
        torch.cat(x)
        for x in zip(
            *decode_many(model, conditioned, features, prompts(count), **options, least_iou=least), strict=True
        )
    )
    wanted = sure > least
    assert torch.equal(again > least, wanted)
    assert torch.equal(some[wanted], every[wanted])
    assert torch.equal(again[wanted], sure[wanted])
    assert 0 < made.count(False) <= (~wanted.any(1)).sum()


def test_the_models_own_precision_counts_and_not_an_outer_autocast():
    model = lively(SMALL_HIERA, torch.float32)
    conditioned, features = scene(model)
    given = prompts(TOGETHER + 1)
    (wanted, _), *_ = decode_many(model, conditioned, features, given, ambiguous=True)
    model.precision = torch.float32
    with torch.autocast("cpu", dtype=torch.bfloat16):
        answers = decode_many(model, conditioned, features, given, ambiguous=True)
        masks, _ = next(answers)
        assert torch.is_autocast_enabled("cpu")  # between the answers the caller's surroundings are its own
        assert len(list(answers)) == 1
    assert torch.equal(masks, wanted)
