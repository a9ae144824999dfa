from __future__ import annotations

import itertools

import numpy as np
import torch

from masklet.training.mistakes import SURE, Mistakes


def mistakes(chance: float, seed: int = 0, frames: int = 8) -> Mistakes:
    return Mistakes(chance, frames, 2, [np.random.default_rng([seed, i]) for i in range(8)])


def squares(shift: int = 0) -> torch.Tensor:
    logits = torch.full((16, 1, 48, 48), -3.0)
    logits[:, :, 10 + shift : 26 + shift, 12:28] = 3.0
    return logits


def test_nothing_goes_wrong_without_a_chance() -> None:
    logits = squares()
    assert torch.equal(mistakes(0.0).remembered(7, logits), logits)


def test_a_mistake_starts_after_the_first_frame_and_stays() -> None:
    wrong = mistakes(1.0)
    logits = squares()
    assert torch.equal(wrong.remembered(0, logits), logits)
    changed = [(wrong.remembered(t, logits) != logits).flatten(1).any(1) for t in range(8)]
    for now, later in itertools.pairwise(changed):
        assert bool((later >= now).all())
    assert bool(changed[-1].all())
    assert not bool(changed[1].all())


def test_parts_are_lost_or_taken_in() -> None:
    wrong, logits = mistakes(1.0), squares()
    after = wrong.remembered(7, logits)
    for row, loses in enumerate(wrong.loses):
        before, now = logits[row] > 0, after[row] > 0
        assert int((now & ~before).sum()) == 0 if loses else int((before & ~now).sum()) == 0
        assert int((now != before).sum()) > 0
    assert float(after.abs().max()) == SURE
    assert set(wrong.loses) == {True, False}


def test_a_mistake_moves_with_the_object() -> None:
    wrong = mistakes(1.0)
    assert torch.equal(wrong.remembered(7, squares(5))[:, :, 5:], wrong.remembered(7, squares())[:, :, :-5])


def test_absent_objects_are_left_alone_and_gradients_pass() -> None:
    nothing = torch.full((16, 1, 48, 48), -3.0)
    assert torch.equal(mistakes(1.0).remembered(7, nothing), nothing)
    logits = squares().requires_grad_()
    mistakes(1.0).remembered(7, logits).sum().backward()
    assert logits.grad is not None
    assert 0 < float(logits.grad.mean()) < 1


def test_a_clip_draws_the_same_in_any_batch() -> None:
    alone = Mistakes(0.5, 8, 2, [np.random.default_rng([0, 3])])
    assert list(alone.first) == list(mistakes(0.5).first[6:8])
