from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from masklet.model.memory_bank import PROMPTED_SLOT, MemoryBank
from masklet.model.sam2 import Sam2
from masklet.structures import MemoryEntry, Prediction, Selection
from masklet.training.losses import LossWeights
from masklet.training.rollout import (
    STRIDE,
    Interaction,
    User,
    clip_rollout,
    image_rollout,
    only_prompted,
    to_input,
    to_target,
)
from tiny_model import SMALL_NANO, clip, disc, tiny_model


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


def answer_of(logits: torch.Tensor) -> Prediction:
    b = len(logits)
    four, row = logits.expand(-1, 4, -1, -1), torch.zeros(b)
    return Prediction(logits, row, row, torch.zeros(b, 3), logits, row[:, None], four, torch.zeros(b, 4))


def truth() -> torch.Tensor:
    target = torch.zeros(2, 1, 16, 16)
    target[0, :, 4:12, 2:8] = 1
    target[1, :, 0:3, 10:16] = 0.4  # thin: no cell is covered by half
    return target


def test_masks_are_averaged_over_cells():
    masks = np.zeros((1, 8, 8), np.uint8)
    masks[0, :4, :2] = 1
    assert to_target(masks)[0, 0].tolist() == [[0.5, 0], [0, 0]]


def test_inputs_are_those_of_inference():
    from masklet.video.pixels import to_input as inference_input

    frames = square_frames(2)
    expected = torch.cat([inference_input(f, 64) for f in frames])
    assert torch.allclose(to_input(frames), expected, atol=1e-6)


def test_a_first_click_lies_on_the_object():
    for seed in range(10):
        prompts = User(truth(), Interaction(), np.random.default_rng(seed)).click()
        assert prompts.points is not None
        assert prompts.labels is not None
        assert prompts.labels.tolist() == [[1], [1]]
        cells = (prompts.points[:, 0] / STRIDE).long()
        assert [truth()[i, 0, cells[i, 1], cells[i, 0]].item() > 0 for i in range(2)] == [True, True]


def test_a_correction_lies_in_the_error_and_adds_to_the_prompts():
    user = User(truth(), Interaction(keep_logits=1.0), np.random.default_rng(0))
    user.click()
    logits = torch.where(truth() > 0, 50.0, -50.0)
    logits[0, :, 4:8] = -50.0  # half of the object is missed
    logits[1, :, 12:, :4] = 50.0  # and something beside the other one is taken for it
    prompts = user.click(answer_of(logits))
    assert prompts.points is not None
    assert prompts.labels is not None
    assert prompts.points.shape == (2, 2, 2)
    assert prompts.labels[:, 1].tolist() == [1, 0]
    (x, y), (u, v) = (prompts.points[:, 1] / STRIDE).long().tolist()
    assert 4 <= y < 8
    assert 2 <= x < 8
    assert v >= 12
    assert u < 4
    assert prompts.previous_logits is not None
    assert prompts.previous_logits.abs().max() == 32


def test_a_box_surrounds_the_object_with_noise():
    for seed in range(5):
        prompts = User(truth(), Interaction(), np.random.default_rng(seed)).box()
        assert prompts.points is not None
        assert prompts.labels is not None
        assert prompts.labels.tolist() == [[2, 3], [2, 3]]
        x0, y0, x1, y1 = prompts.points[0].flatten().tolist()
        assert x0 < x1
        assert y0 < y1
        assert max(abs(x0 - 8), abs(y0 - 16), abs(x1 - 32), abs(y1 - 48)) <= 26


def test_an_image_rollout_supervises_every_round(model: Sam2):
    for rounds in (1, 3):
        interaction = Interaction(rounds=tuple([0.0] * (rounds - 1) + [1.0]))
        tally = image_rollout(model, pictures(), np.random.default_rng(0), interaction, LossWeights())
        assert tally.count == rounds
        assert isinstance(tally.loss, torch.Tensor)
        assert torch.isfinite(tally.loss)
        assert 0 <= tally.iou_first <= 1
        if rounds == 1:
            assert tally.iou_first == tally.iou_last
        model.zero_grad()
        tally.loss.backward()
        assert all(p.grad is None for n, p in model.named_parameters() if n.startswith("memory_"))
        assert any(p.grad is not None and p.grad.any() for p in model.image_encoder.parameters())


@pytest.mark.parametrize("mask", [0.0, 1.0])
def test_a_clip_rollout_teaches_memory(model: Sam2, mask: float):
    interaction = Interaction(mask=mask, rounds=(1.0,), correct=0.0, forget=0.0)
    tally = clip_rollout(model, clips(), np.random.default_rng(0), interaction, LossWeights())
    assert tally.count == 3 + (mask == 0)
    assert isinstance(tally.loss, torch.Tensor)
    tally.loss.backward()
    for part in (model.memory_encoder, model.memory_attention, model.memory_tokens, model.image_encoder):
        assert any(p.grad is not None and p.grad.any() for p in part.parameters())
    assert 0 <= tally.iou_last <= 1


def test_a_correction_of_a_later_frame_is_one_more_decoding(model: Sam2):
    base = Interaction(mask=1.0, rounds=(1.0,), correct=1.0)
    tally = clip_rollout(model, clips(), np.random.default_rng(0), base, LossWeights())
    assert tally.count == 4
    none = clip_rollout(model, clips(), np.random.default_rng(0), replace(base, correct=0.0), LossWeights())
    assert none.count == 3


def test_frames_without_truth_teach_nothing(model: Sam2):
    interaction = Interaction(mask=1.0, correct=1.0)
    tally = clip_rollout(model, clips(labelled=False), np.random.default_rng(0), interaction, LossWeights())
    assert float(torch.as_tensor(tally.loss).detach()) == 0
    assert tally.count == 3  # and none is corrected


@pytest.mark.parametrize("labelled", [True, False])
def test_only_prompted_frames_become_prompted_memory(model: Sam2, monkeypatch: pytest.MonkeyPatch, labelled: bool):
    """A frame without truth cannot be corrected: what was guessed there is no prompt."""
    written: list[tuple[int, bool]] = []
    write = MemoryBank.write

    def noted(bank: MemoryBank, t: int, entry: MemoryEntry, *, prompted: bool) -> None:
        written.append((t, prompted))
        write(bank, t, entry, prompted=prompted)

    monkeypatch.setattr(MemoryBank, "write", noted)
    interaction = Interaction(mask=1.0, correct=1.0)
    clip_rollout(model, clips(labelled=labelled), np.random.default_rng(3), interaction, LossWeights())
    assert [t for t, _ in written] == [0, 1, 2]
    assert sum(prompted for _, prompted in written) == (2 if labelled else 1)


def test_the_same_seed_gives_the_same_loss(model: Sam2):
    losses = [
        float(
            torch.as_tensor(
                clip_rollout(model, clips(), np.random.default_rng(3), Interaction(), LossWeights()).loss
            ).detach()
        )
        for _ in range(2)
    ]
    assert losses[0] == losses[1]


def test_only_prompted_frames_are_left():
    prompted, recent = (MemoryEntry(torch.full((1, 2, 2, 2), v), torch.full((1, 3), v)) for v in (1.0, 2.0))
    kept = only_prompted(Selection(((PROMPTED_SLOT, prompted), (0, recent)), ((2, prompted), (1, recent)), 7))
    assert kept.signature == ((PROMPTED_SLOT,), (2,))
    assert kept.pointer_span == 7
    assert only_prompted(Selection(((0, recent),), ((1, recent),))).empty
