"""The streamed mask decoder gives what the module gives, for every kind of prompt."""

from __future__ import annotations

from dataclasses import fields

import pytest
import torch
from torch import Tensor

from masklet.model import streamed_mask_decoder
from masklet.model.sam2 import Sam2, no_prompt
from masklet.model.streamed_mask_decoder import StreamedMaskDecoder
from masklet.structures import FrameFeatures, Prediction, Prompts
from tiny_model import SMALL_HIERA, SMALL_NANO, lively

HEIGHT, WIDTH = 96, 64  # not square
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}


@pytest.fixture(autouse=True)
def bands(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(streamed_mask_decoder, "BAND", 9)  # two rows of four and two of the last


def scene(model: Sam2, objects: int) -> tuple[Tensor, FrameFeatures]:
    """What each object's memory makes of one frame, and the frame."""
    generator = torch.Generator().manual_seed(2)

    def features(b: int, channels: int, stride: int) -> Tensor:
        made = torch.randn(b, channels, HEIGHT // stride, WIDTH // stride, generator=generator)
        return made.to(model.dtype).contiguous(memory_format=torch.channels_last)

    width, (skip8, skip4) = model.config.width, model.config.decoder_skips
    return features(objects, width, 16), FrameFeatures(
        features(1, width, 16), features(1, skip8, 8), features(1, skip4, 4)
    )


def prompts(model: Sam2, objects: int, labels: tuple[int, ...], logits: bool) -> Prompts:
    points = torch.rand(objects, len(labels), 2, generator=torch.Generator().manual_seed(3))
    points = (points * torch.tensor([WIDTH, HEIGHT])).to(model.dtype)
    previous = torch.randn(objects, 1, HEIGHT // 4, WIDTH // 4, generator=torch.Generator().manual_seed(4))
    return Prompts(
        points=points, labels=torch.tensor(labels).expand(objects, -1), previous_logits=previous if logits else None
    )


def assert_same(got: Prediction, wanted: Prediction, tolerance: float) -> None:
    for field in fields(Prediction):
        one, other = getattr(got, field.name), getattr(wanted, field.name)
        if isinstance(one, Tensor):
            assert one.shape == other.shape
            assert (one - other).abs().max() <= tolerance * other.abs().max(), field.name


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("config", [SMALL_HIERA, SMALL_NANO], ids=["official", "nano"])
@pytest.mark.parametrize("objects", [1, 3])
@pytest.mark.parametrize("labels", [None, (1,), (2, 3, 0)], ids=["tracked", "click", "box and click"])
@pytest.mark.parametrize("logits", [False, True], ids=["", "refined"])
def test_the_same_prediction(dtype, config, objects: int, labels: tuple[int, ...] | None, logits: bool):
    model = lively(config, dtype)
    conditioned, features = scene(model, objects)
    given = no_prompt(objects, model.device) if labels is None else prompts(model, objects, labels, logits)
    kept = conditioned.clone()
    with torch.inference_mode():
        wanted = model.decode(conditioned, features, given)
        got = model.decode(conditioned, features, given, decoder=StreamedMaskDecoder(model.mask_decoder))
    assert wanted.masks is not None
    assert wanted.masks.std() > 0.3
    assert_same(got, wanted, TOLERANCE[dtype])
    assert torch.equal(conditioned, kept)


def test_one_image_serves_several_prompts_and_a_given_mask_its_pointer():
    model = lively(SMALL_HIERA)
    conditioned, features = scene(model, 1)
    decoder, several = StreamedMaskDecoder(model.mask_decoder), prompts(model, 3, (1, 0), False)
    mask = torch.zeros(2, 1, HEIGHT, WIDTH)
    mask[:, :, 20:50, 10:30] = 1
    with torch.inference_mode():
        assert_same(
            model.decode(conditioned, features, several, decoder=decoder),
            model.decode(conditioned, features, several),
            1e-5,
        )
        assert_same(model.adopt_mask(features, mask, decoder=decoder), model.adopt_mask(features, mask), 1e-5)


def test_sizes_in_turn_have_their_own_codes():
    model = lively(SMALL_HIERA)
    decoder = StreamedMaskDecoder(model.mask_decoder)
    conditioned, features = scene(model, 1)
    turned = FrameFeatures(*(x.mT for x in (features.embedding, features.skip8, features.skip4)))
    with torch.inference_mode():
        for image, frame in ((conditioned, features), (conditioned.mT, turned), (conditioned, features)):
            asked = no_prompt(1, model.device)
            assert_same(model.decode(image, frame, asked, decoder=decoder), model.decode(image, frame, asked), 1e-5)


def test_autocast_around_it_changes_nothing():
    model = lively(SMALL_HIERA)
    conditioned, features = scene(model, 1)
    decoder, code = StreamedMaskDecoder(model.mask_decoder), model.prompt_encoder.position.map(6, 4)
    sparse = torch.randn(1, 2, model.config.width)
    given = conditioned, code, features.skip8, features.skip4, sparse
    alone = decoder(*given)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = decoder(*given)
    assert all(torch.equal(a, b) for a, b in zip(alone, inside, strict=True))
