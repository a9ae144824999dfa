from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from reference_step import FRAMES, MASK_PLAN, PLAN, Reference, the_clip

from masklet.model.memory_bank import PROMPTED_SLOT, MemoryBank
from masklet.model.sam2 import Sam2
from masklet.structures import FrameFeatures, MemoryEntry, Prediction, Prompts, Selection
from masklet.training import rollout
from masklet.training.losses import LossWeights
from masklet.training.recipes.nano import ROLLOUT
from masklet.training.rollout import (
    Outcome,
    RolloutConfig,
    clip_rollout,
    image_rollout,
    only_prompted,
    to_input,
)
from masklet.training.user import Interaction, Plan
from tiny_model import SMALL_GRU, SMALL_HIERA, SMALL_NANO, clip, disc, tiny_model

PAPER = RolloutConfig(Interaction(corrections=(0.0, 0.0, 1.0)))


@pytest.fixture
def model() -> Sam2:
    return tiny_model(SMALL_NANO, seed=1).train()


def square_frames(count: int) -> np.ndarray:
    return np.stack(clip(count, 64, 64))


def square_masks(count: int) -> np.ndarray:
    return np.stack([disc(t, 64, 64) for t in range(count)]).astype(np.uint8)


def clips(labelled: bool = True) -> dict[str, np.ndarray]:
    """Two clips of four frames with two objects, the second of which leaves."""
    masks = np.tile(square_masks(4)[None, :, None], (2, 1, 2, 1, 1))
    masks[:, 2:, 1] = 0
    return {
        "frames": np.stack([square_frames(4)] * 2),
        "masks": masks,
        "labelled": np.full((2, 4), labelled),
    }


def pictures() -> dict[str, np.ndarray]:
    return {"images": square_frames(2), "masks": np.stack([square_masks(3)] * 2)}


def generators(seed: int = 0) -> tuple[np.random.Generator, list[np.random.Generator]]:
    return np.random.default_rng(seed), [np.random.default_rng([seed, i]) for i in range(2)]


def with_user(config: RolloutConfig, **changes: object) -> RolloutConfig:
    return replace(config, interaction=replace(config.interaction, **changes))  # pyright: ignore[reportArgumentType]


def gradients(model: Sam2, outcome: Outcome) -> dict[str, torch.Tensor]:
    model.zero_grad()
    outcome.loss.backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def test_inputs_are_those_of_inference():
    from masklet.video.pixels import to_input as inference_input

    frames = square_frames(2)
    expected = torch.cat([inference_input(f, 64) for f in frames])
    assert torch.allclose(to_input(frames), expected, atol=1e-6)


@pytest.mark.parametrize("config", [PAPER, ROLLOUT], ids=["paper", "nano"])
def test_an_image_rollout_supervises_every_decoding(model: Sam2, config: RolloutConfig):
    for corrections in (0, 2):
        chances = tuple([0.0] * corrections + [1.0])
        outcome = image_rollout(model, pictures(), with_user(config, corrections=chances), *generators())
        assert outcome.decodings == 1 + corrections
        assert torch.isfinite(outcome.loss)
        assert 0 <= outcome.iou_prompted <= 1
        if corrections == 0:
            assert outcome.iou_prompted == outcome.iou
        grads = gradients(model, outcome)
        assert not any(name.startswith("memory_") for name in grads)
        assert any(g.any() for name, g in grads.items() if name.startswith("image_encoder"))


@pytest.mark.parametrize("mask", [0.0, 1.0])
@pytest.mark.parametrize("config", [PAPER, ROLLOUT], ids=["paper", "nano"])
def test_a_clip_rollout_teaches_memory(model: Sam2, config: RolloutConfig, mask: float):
    outcome = clip_rollout(model, clips(), with_user(config, mask=mask, forget=0.0), *generators())
    grads = gradients(model, outcome)
    for part in ("memory_encoder", "memory_attention", "memory_tokens", "image_encoder"):
        assert any(g.any() for name, g in grads.items() if name.startswith(part)), part
    assert 0 <= outcome.iou <= 1
    assert len(outcome.answers) == 4
    assert (outcome.iou_prompted == 0) is (mask == 1)


def test_a_clip_rollout_teaches_recurrent_memory(monkeypatch: pytest.MonkeyPatch):
    model, given = tiny_model(SMALL_GRU, seed=1).train(), []
    encode = Sam2.encode_memory

    def noted(self: Sam2, features: FrameFeatures, answer: Prediction, previous: torch.Tensor | None = None):
        given.append(previous)
        return encode(self, features, answer, previous)

    monkeypatch.setattr(Sam2, "encode_memory", noted)
    config = with_user(PAPER, mask=0.0, prompted=1, correct=0.0, forget=0.0)
    grads = gradients(model, clip_rollout(model, clips(), config, *generators()))
    assert given[0] is None  # the prompted frame
    assert len(given) == 3
    assert all(previous.requires_grad for previous in given[1:])
    narrow = model.config.memory_width
    for part in ("gates", "candidate"):
        assert grads[f"recurrent_memory.{part}.weight"][:, narrow:].any(), part  # what reads the state


def test_decodings_of_a_clip_are_counted(model: Sam2):
    once = {"prompted": 1, "correct": 0.0}
    counts = {}
    for name, changes in {
        "mask": {"mask": 1.0, **once},
        "click": {"mask": 0.0, **once},
        "click, and a later frame": {"mask": 0.0, "prompted": 1, "correct": 1.0},
    }.items():
        counts[name] = clip_rollout(model, clips(), with_user(PAPER, **changes), *generators()).decodings
    assert counts == {"mask": 3, "click": 4 + 2, "click, and a later frame": 4 + 2 + 2}


def test_frames_without_truth_teach_nothing(model: Sam2):
    config = with_user(ROLLOUT, mask=1.0, correct=1.0)
    outcome = clip_rollout(model, clips(labelled=False), config, *generators())
    assert outcome.loss.item() == 0
    assert outcome.decodings == 3  # and none is corrected


@pytest.mark.parametrize("labelled", [True, False])
def test_only_prompted_frames_become_prompted_memory(model: Sam2, monkeypatch: pytest.MonkeyPatch, labelled: bool):
    """A frame without truth cannot be corrected: what was guessed there is no prompt."""
    written: list[tuple[int, bool]] = []
    write = MemoryBank.write

    def noted(bank: MemoryBank, t: int, entry: MemoryEntry, *, prompted: bool) -> None:
        written.append((t, prompted))
        write(bank, t, entry, prompted=prompted)

    monkeypatch.setattr(MemoryBank, "write", noted)
    config = with_user(ROLLOUT, mask=1.0, correct=1.0)
    clip_rollout(model, clips(labelled=labelled), config, *generators(0))
    assert [t for t, _ in written] == [0, 1, 2]
    assert sum(prompted for _, prompted in written) <= (2 if labelled else 1)
    assert written[0] == (0, True)


def test_frames_prompted_up_front_come_first_and_read_no_memory(model: Sam2, monkeypatch: pytest.MonkeyPatch):
    read: list[tuple[int, tuple]] = []
    original = MemoryBank.read

    def noted(bank: MemoryBank, t: int, **options: bool) -> Selection:
        read.append((t, tuple(bank.prompted)))
        assert options == {"pointers_ahead": True}
        return original(bank, t, **options)

    monkeypatch.setattr(MemoryBank, "read", noted)
    config = with_user(PAPER, mask=0.0, correct=0.0)
    seen = set()
    for seed in range(12):
        read.clear()
        clip_rollout(model, clips(), config, *generators(seed))
        prompted = read[0][1]
        assert prompted[0] == 0
        assert [t for t, _ in read] == [t for t in range(1, 4) if t not in prompted]
        assert all(known == prompted for _, known in read)
        seen.add(prompted)
    assert {len(p) for p in seen} == {1, 2}


def test_the_same_seed_gives_the_same_loss(model: Sam2):
    losses = [clip_rollout(model, clips(), PAPER, *generators(3)).loss.item() for _ in range(2)]
    assert losses[0] == losses[1]


def test_recomputing_changes_nothing_but_memory(model: Sam2):
    results = []
    for recompute in (False, True):
        config = replace(with_user(PAPER, mask=0.0), recompute=recompute)
        outcome = clip_rollout(model, clips(), config, *generators(4))
        results.append((outcome.loss.item(), gradients(model, outcome)))
    (loss, grads), (again, others) = results
    assert loss == again
    assert grads.keys() == others.keys()
    for name, value in grads.items():
        assert torch.allclose(value, others[name], rtol=1e-4, atol=1e-6 * float(value.abs().max() + 1)), name


def test_a_batch_is_the_mean_of_its_samples(model: Sam2):
    """Loss and gradient of two clips together are the means of those of each: processes may share a batch."""
    batch = clips()
    batch["masks"][1] = batch["masks"][1, :, :, ::-1].copy()
    config = with_user(PAPER, mask=0.0, box=0.0)
    model = model.double()
    together = clip_rollout(model, batch, config, *generators(7))
    expected = gradients(model, together)
    shared, places = np.random.default_rng(7), generators(7)[1]
    sums: dict[str, torch.Tensor] = {}
    losses = []
    for i in range(2):
        one = {name: value[i : i + 1] for name, value in batch.items()}
        outcome = clip_rollout(model, one, config, np.random.default_rng(7), [places[i]])
        losses.append(outcome.loss.item())
        for name, grad in gradients(model, outcome).items():
            sums[name] = sums.get(name, torch.zeros_like(grad)) + grad / 2
    assert shared.random() == np.random.default_rng(7).random()
    assert together.loss.item() == pytest.approx(np.mean(losses), rel=1e-6)
    for name, value in expected.items():
        assert torch.allclose(value, sums[name], rtol=1e-4, atol=1e-6), name


def test_only_prompted_frames_are_left():
    prompted, recent = (MemoryEntry(torch.full((1, 2, 2, 2), v), torch.full((1, 3), v)) for v in (1.0, 2.0))
    kept = only_prompted(Selection(((PROMPTED_SLOT, prompted), (0, recent)), ((2, prompted), (1, recent)), 7))
    assert kept.signature == ((PROMPTED_SLOT,), (2,))
    assert kept.pointer_span == 7
    assert only_prompted(Selection(((0, recent),), ((1, recent),))).empty


def test_losses_may_be_summed_or_averaged(model: Sam2):
    config = with_user(PAPER, mask=0.0)
    total = clip_rollout(model, clips(), config, *generators(2))
    mean = clip_rollout(model, clips(), replace(config, per_decoding=True), *generators(2))
    assert mean.loss.item() == pytest.approx(total.loss.item() / total.decodings)
    assert total.loss.item() == pytest.approx(total.terms.total(LossWeights()).item())


@pytest.mark.parametrize("plan", [PLAN, MASK_PLAN], ids=["clicks", "masks"])
def test_a_step_is_that_of_the_reference(monkeypatch: pytest.MonkeyPatch, plan: Plan):
    """Same clip, same clicks: every term of the loss and every gradient."""
    model = tiny_model(SMALL_HIERA, seed=3).train().double()
    asked: list[Prompts] = []
    decode = Sam2.decode

    def noted(
        self: Sam2, conditioned: torch.Tensor, features: object, prompts: Prompts, **options: object
    ) -> Prediction:
        if "ambiguous" not in options:  # that of a given mask is for its pointer alone
            asked.append(prompts)
        return decode(self, conditioned, features, prompts, **options)

    monkeypatch.setattr(rollout, "draw_plan", lambda rng, frames, interaction: plan)
    config = RolloutConfig(Interaction(from_truth=0.2))
    with monkeypatch.context() as patch:
        patch.setattr(Sam2, "decode", noted)
        outcome = clip_rollout(model, the_clip(), config, np.random.default_rng(5), [np.random.default_rng(6)])
    outcome.loss.backward()
    ours = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad(set_to_none=True)

    terms = Reference(model, asked, plan).run(the_clip())
    for name, value in terms.items():
        assert getattr(outcome.terms, name).item() == pytest.approx(value.item(), abs=1e-5), name
        assert value.item() > 0.01
    loss = 20 * terms["focal"] + terms["dice"] + terms["iou"] + terms["presence"]
    assert outcome.loss.item() == pytest.approx(loss.item(), abs=1e-5)
    assert outcome.decodings == len(asked) == (4 if plan.masks else FRAMES + 6)
    loss.backward()
    theirs = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    assert ours.keys() == theirs.keys()
    largest = max(float(g.abs().max()) for g in ours.values())
    for name, value in ours.items():
        assert torch.allclose(value, theirs[name], rtol=1e-4, atol=1e-6 * largest), name
    assert LossWeights() == config.loss
