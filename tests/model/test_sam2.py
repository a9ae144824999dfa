from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from masklet.model.config import ModelConfig
from masklet.model.memory_bank import MemoryBank
from masklet.model.position import unit_points
from masklet.model.presence import ABSENT_LOGIT, CERTAIN
from masklet.model.sam2 import Sam2, no_prompt
from masklet.structures import MemoryEntry, Prompts, Selection
from tiny_model import SMALL_HIERA, SMALL_NANO, tiny_model


@pytest.fixture(autouse=True)
def inference() -> Iterator[None]:
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module", params=["nano", "2.1", "2.0"])
def model(request: pytest.FixtureRequest) -> Sam2:
    configs = {"nano": SMALL_NANO, "2.1": SMALL_HIERA, "2.0": replace(SMALL_HIERA, version="2.0")}
    return tiny_model(configs[request.param], seed=2)


def images(count: int, size: int = 64) -> torch.Tensor:
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(3))


def clicks(count: int, points: int = 1, size: int = 64) -> Prompts:
    g = torch.Generator().manual_seed(4)
    return Prompts(torch.rand(count, points, 2, generator=g) * size, torch.ones(count, points, dtype=torch.long))


def row(prompts: Prompts, i: int) -> Prompts:
    one = slice(i, i + 1)
    previous = prompts.previous_logits
    assert prompts.points is not None
    assert prompts.labels is not None
    return Prompts(prompts.points[one], prompts.labels[one], None, None if previous is None else previous[one])


@pytest.mark.parametrize("size", [64, 96])
@pytest.mark.parametrize("batch", [1, 3])
def test_the_four_calls(model: Sam2, batch: int, size: int):
    width, narrow, side = model.config.width, model.config.memory_width, size // 16
    features = model.encode_image(images(batch, size))
    assert features.embedding.shape == (batch, width, side, side)
    assert features.skip8.shape == (batch, model.config.decoder_skips[0], size // 8, size // 8)
    assert features.skip4.shape == (batch, model.config.decoder_skips[1], size // 4, size // 4)
    bank = MemoryBank(model.limits)
    for t in range(3):
        selection = bank.read(t)
        assert len(selection.maps) == t
        conditioned = model.condition(features, selection)
        assert conditioned.shape == features.embedding.shape
        answer = model.predict(features, selection, clicks(batch, size=size) if t == 0 else None)
        assert answer.logits.shape == (batch, 1, size // 4, size // 4)
        assert answer.candidates.shape == (batch, 3, size // 4, size // 4)
        assert answer.candidate_iou.shape == (batch, 3)
        assert answer.iou.shape == answer.presence.shape == (batch,)
        assert answer.pointer.shape == (batch, width)
        assert answer.from_prompt is (t == 0)
        assert ((answer.iou > 0) & (answer.iou < 1)).all()
        entry = model.encode_memory(features, answer)
        assert entry.features is not None
        assert entry.features.shape == (batch, narrow, side, side)
        assert torch.equal(entry.pointer, answer.pointer)
        bank.write(t, entry, prompted=t == 0)


def test_without_memory_the_embedding_gets_the_no_memory_code(model: Sam2):
    features = model.encode_image(images(1))
    conditioned = model.condition(features, Selection())
    assert torch.allclose(conditioned - features.embedding, model.no_memory[:, :, None, None], atol=1e-5)


@pytest.mark.parametrize("points", [1, 3])
@pytest.mark.parametrize("refine", [False, True])
def test_one_image_serves_many_prompts(model: Sam2, points: int, refine: bool):
    features = model.encode_image(images(1))
    conditioned = model.condition(features, Selection())
    prompts = clicks(4, points)
    if refine:
        g = torch.Generator().manual_seed(5)
        prompts = replace(prompts, previous_logits=4 * torch.randn(4, 1, 16, 16, generator=g))
    together = model.decode(conditioned, features, prompts)
    for i in range(4):
        alone = model.decode(conditioned, features, row(prompts, i))
        assert torch.allclose(together.candidates[i], alone.candidates[0], atol=1e-4)
        assert torch.allclose(together.logits[i], alone.logits[0], atol=1e-4)
        assert torch.allclose(together.pointer[i], alone.pointer[0], atol=1e-4)
        assert torch.allclose(together.presence[i], alone.presence[0], atol=1e-4)
    assert (together.candidates[0] - together.candidates[1]).abs().max() > 1e-2  # else the test would say nothing


def test_logits_of_another_size_are_resized_to_the_input(model: Sam2):
    features = model.encode_image(images(1))
    conditioned = model.condition(features, Selection())
    prompts = replace(clicks(1), previous_logits=torch.full((1, 1, 64, 64), 3.0))
    same = replace(prompts, previous_logits=torch.full((1, 1, 16, 16), 3.0))
    first, second = (model.decode(conditioned, features, p) for p in (prompts, same))
    assert torch.allclose(first.candidates, second.candidates, atol=1e-4)


def test_objects_tracked_together_are_as_objects_alone(model: Sam2):
    features = model.encode_image(images(1))
    first = model.predict(features, Selection(), clicks(3))
    entry = model.encode_memory(features.take(torch.zeros(3, dtype=torch.long)), first)
    later = model.encode_image(images(2)[1:])
    together = model.predict(later, Selection(((-1, entry),), ((2, entry),)))
    assert entry.features is not None
    for i in range(3):
        one = MemoryEntry(entry.features[i : i + 1], entry.pointer[i : i + 1])
        alone = model.predict(later, Selection(((-1, one),), ((2, one),)))
        assert torch.allclose(together.logits[i], alone.logits[0], atol=1e-4)
    assert (together.logits[0] - together.logits[1]).abs().max() > 1e-3


def test_memory_changes_the_answer_by_slot_map_and_pointer(model: Sam2):
    features = model.encode_image(images(1))
    entry = model.encode_memory(features, model.predict(features, Selection(), clicks(1)))
    off = Prompts(torch.tensor([[[5.0, 60.0]]]), torch.tensor([[0]]))
    other = model.encode_memory(features, model.predict(features, Selection(), off))
    base = model.condition(features, Selection(((0, entry),), ((1, entry),)))
    assert not torch.allclose(base, model.condition(features, Selection(((3, entry),), ((1, entry),))), atol=1e-4)
    assert not torch.allclose(base, model.condition(features, Selection(((0, other),), ((1, entry),))), atol=1e-4)
    assert not torch.allclose(base, model.condition(features, Selection(((0, entry),), ((1, other),))), atol=1e-6)
    later = model.condition(features, Selection(((0, entry),), ((9, entry),)))
    assert torch.equal(base, later) is (model.config.version == "2.0")  # 2.0 does not code the time of pointers


def test_memory_of_an_absent_object_is_marked_in_2_1_only(model: Sam2):
    features = model.encode_image(images(1))
    answer = model.predict(features, Selection(), clicks(1))
    present, absent = (replace(answer, presence=torch.tensor([p])) for p in (1.0, -1.0))
    first, second = (model.encode_memory(features, a).features for a in (present, absent))
    assert first is not None
    assert second is not None
    if model.no_object_memory is None:
        assert torch.equal(first, second)
    else:
        assert torch.allclose(second - first, model.no_object_memory[:, :, None, None].expand_as(first), atol=1e-5)


def test_sharp_memories_are_for_prompted_frames(model: Sam2):
    features = model.encode_image(images(1))
    answer = model.predict(features, Selection(), clicks(1))
    soft, sharp = (model.encode_memory(features, answer, binarize=b).features for b in (False, True))
    assert soft is not None
    assert sharp is not None
    assert not torch.allclose(soft, sharp, atol=1e-3)
    tracked = model.encode_memory(features, replace(answer, from_prompt=False), binarize=True).features
    assert tracked is not None
    assert torch.equal(soft, tracked)


def test_a_given_mask_is_the_answer(model: Sam2):
    features = model.encode_image(images(1))
    mask = torch.zeros(2, 1, 64, 64)
    mask[0, :, 16:48, 8:40] = 1
    answer = model.predict(features.take(torch.zeros(2, dtype=torch.long)), Selection(), Prompts(mask=mask))
    assert torch.equal(answer.logits[0] > 0, mask[0, :, ::4, ::4] > 0)
    assert answer.logits[0].max() == pytest.approx(10, abs=1e-4)
    assert answer.logits[0].min() == pytest.approx(-10, abs=1e-4)
    assert answer.iou.tolist() == [1, 1]
    assert answer.presence.tolist() == [CERTAIN, -CERTAIN]
    assert torch.equal(answer.pointer[1], model.no_object_pointer[0])
    assert not torch.equal(answer.pointer[0], model.no_object_pointer[0])
    assert answer.from_prompt


def test_the_pointer_of_a_given_mask_does_not_read_memory(model: Sam2):
    features = model.encode_image(images(1))
    entry = model.encode_memory(features, model.predict(features, Selection(), clicks(1)))
    mask = torch.zeros(1, 1, 64, 64)
    mask[:, :, 16:48, 8:40] = 1
    first = model.predict(features, Selection(), Prompts(mask=mask))
    second = model.predict(features, Selection(((0, entry),), ((1, entry),)), Prompts(mask=mask))
    assert torch.equal(first.pointer, second.pointer)


def test_a_given_mask_of_another_size_is_refused(model: Sam2):
    features = model.encode_image(images(1))
    with pytest.raises(ValueError, match=r"must be 64 x 64 \(the model's input\), got \(32, 32\)"):
        model.adopt_mask(features, torch.ones(1, 1, 32, 32))


def test_an_absent_object_has_no_mask():
    model = tiny_model(seed=2)
    model.mask_decoder.presence_head.layers[-1].bias.fill_(-50.0)
    answer = model.predict(model.encode_image(images(1)), Selection(), clicks(1))
    assert answer.presence.item() < -10
    assert (answer.logits == ABSENT_LOGIT).all()
    assert (answer.candidates > ABSENT_LOGIT).all()  # candidates are not gated
    assert torch.equal(answer.pointer, model.no_object_pointer)


def test_how_many_candidates_there_are(model: Sam2):
    features = model.encode_image(images(1))
    conditioned = model.condition(features, Selection())

    def count(prompts: Prompts, ambiguous: bool | None = None) -> int:
        return model.decode(conditioned, features, prompts, ambiguous=ambiguous).candidates.shape[1]

    box = Prompts(torch.tensor([[[4.0, 4.0], [40.0, 40.0]]]), torch.tensor([[2, 3]]))
    assert [count(clicks(1)), count(clicks(1, 2)), count(box), count(no_prompt(1, model.device))] == [3, 1, 1, 3]
    assert [count(clicks(1), False), count(box, True)] == [1, 3]


def test_the_fallback_is_off_while_training():
    """An unstable mask 0 gives way in inference only."""
    model = tiny_model(seed=2)
    features = model.encode_image(images(1))
    conditioned = model.condition(features, Selection())
    answer = model.decode(conditioned, features, clicks(1, 2))
    assert answer.masks is not None
    assert not torch.equal(answer.logits, answer.masks[:, :1])  # unstable with these weights
    kept = model.decode(conditioned, features, clicks(1, 2), stability_fallback=False)
    assert torch.equal(kept.logits, answer.masks[:, :1])
    trained = model.train().decode(conditioned, features, clicks(1, 2))
    assert trained.masks is not None
    assert torch.equal(trained.logits, trained.masks[:, :1])


def test_a_padding_point_is_added_to_any_points(model: Sam2):
    prompts = clicks(1, 2)
    sparse, dense = model.prompt_encoder(prompts, (64, 64))
    assert sparse is not None
    assert sparse.shape == (1, 3, 32)
    assert torch.equal(sparse[0, 2], model.prompt_encoder.padding_embedding[0])
    assert dense.shape == (1, 32, 1, 1)
    empty, _ = model.prompt_encoder(Prompts(), (64, 64))
    assert empty is None


def test_padding_alone_draws_no_maps_and_changes_nothing(model: Sam2):
    features = model.encode_image(images(1))
    padding = no_prompt(2, model.device)
    alone = model.decode(features.embedding, features, padding)
    with torch.inference_mode(False), torch.no_grad():
        whole = model.decode(features.embedding, features, padding)
    assert alone.masks is not None
    assert whole.masks is not None
    assert torch.equal(alone.masks, whole.masks)
    assert torch.equal(alone.pointer, whole.pointer)
    mixed = Prompts(torch.tensor([[[9.0, 9.0]], [[0.0, 0.0]]]), torch.tensor([[1], [-1]]))
    beside = model.decode(features.embedding, features, mixed).masks
    assert beside is not None
    assert torch.allclose(beside[1], alone.masks[1], atol=1e-4)


def test_an_input_that_is_not_square(model: Sam2):
    features = model.encode_image(torch.randn(1, 3, 32, 96, generator=torch.Generator().manual_seed(0)))
    assert features.embedding.shape[-2:] == (2, 6)
    code = model.prompt_encoder.position
    x, y = 16 * 4 + 8.0, 16 * 1 + 8.0  # the centre of row 1, column 4; whole numbers are centres of pixels
    assert torch.allclose(
        code(unit_points(torch.tensor([x - 0.5, y - 0.5]), (32, 96))), code.map(2, 6)[0, :, 1, 4], atol=1e-5
    )
    mask = torch.zeros(1, 1, 32, 96)
    mask[..., 8:24, 60:90] = 1
    given = model.predict(features, Selection(), Prompts(mask=mask))
    assert torch.equal(given.logits[0, 0] > 0, mask[0, 0, 2::4, 2::4] > 0)
    entry = model.encode_memory(features, given)
    assert entry.features is not None
    assert entry.features.shape[-2:] == (2, 6)
    tracked = model.predict(features, Selection(((0, entry),), ((1, entry),)))
    refined = model.predict(features, Selection(), replace(clicks(1), previous_logits=tracked.logits))
    assert tracked.logits.shape == refined.logits.shape == (1, 1, 8, 24)
    assert refined.logits.isfinite().all()


def test_the_model_keeps_nothing_between_calls(model: Sam2):
    features = model.encode_image(images(1))
    first = model.predict(features, Selection(), clicks(1))
    model.predict(model.encode_image(images(2)[1:]), Selection(), clicks(2, 3))
    again = model.predict(features, Selection(), clicks(1))
    assert torch.equal(first.logits, again.logits)


@pytest.mark.parametrize("config", [SMALL_HIERA, SMALL_NANO], ids=["hiera", "nano"])
def test_every_weight_that_is_read_learns(config: ModelConfig):
    """A clip of two frames with a click, a correction and a given mask reaches each parameter."""
    with torch.inference_mode(False):
        model = tiny_model(config, seed=2).train()
        features = model.encode_image(images(1).clone())
        bank = MemoryBank(model.limits)
        total = torch.zeros(())
        for t, prompts in enumerate([clicks_and_box(), None, Prompts(mask=square())]):
            answer = model.predict(features, bank.read(t), prompts)
            entry = model.encode_memory(features, answer)
            assert entry.features is not None
            total = total + answer.candidates.square().sum() + answer.presence.sum() + answer.candidate_iou.sum()
            total = total + answer.pointer.square().sum() + entry.features.square().sum()
            absent = model.encode_memory(features, replace(answer, presence=-torch.ones(1)))
            assert absent.features is not None
            total = total + absent.features.square().sum() + answer.logits.clamp(-10, 10).square().sum()
            if answer.masks is not None:
                total = total + answer.masks.square().sum()
            bank.write(t, entry, prompted=t == 0)
        total.backward()
    still = {n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()}
    assert still <= {"no_memory_position", "no_object_pointer"}


def clicks_and_box() -> Prompts:
    points = torch.tensor([[[8.0, 8.0], [50.0, 40.0], [20.0, 20.0], [60.0, 60.0]]])
    return Prompts(points, torch.tensor([[2, 3, 1, 0]]))


def square() -> torch.Tensor:
    mask = torch.zeros(1, 1, 64, 64)
    mask[:, :, 16:48, 8:40] = 1
    return mask


@pytest.mark.parametrize(("dtype", "atol"), [(torch.float64, 2e-4), (torch.bfloat16, 1.5)])
def test_weights_of_another_type_give_the_same_answer(dtype: torch.dtype, atol: float):
    for config in (SMALL_NANO, SMALL_HIERA):
        answers = []
        for kind in (torch.float32, dtype):
            model = tiny_model(config, seed=2).to(kind)
            features = model.encode_image(images(1))
            bank = MemoryBank(model.limits)
            first = model.predict(features, bank.read(0), clicks(1, 2))
            bank.write(0, model.encode_memory(features, first), prompted=True)
            answers.append((first, model.predict(features, bank.read(1))))
            assert first.logits.dtype == first.pointer.dtype == kind
            refined = replace(clicks(1, 3), previous_logits=first.logits.float())
            assert model.predict(features, bank.read(1), refined).logits.dtype == kind
            mask = torch.zeros(1, 1, 64, 64)
            mask[..., 8:40, 8:40] = 1
            assert model.adopt_mask(features, mask).pointer.dtype == kind
        for one, other in zip(*answers, strict=True):
            assert torch.allclose(one.logits, other.logits.float(), atol=atol)
            assert torch.allclose(one.iou, other.iou.float(), atol=0.05)
