from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from toy_source import STAGE, Discs, toy

from masklet.checkpoints.load import save
from masklet.model.config import ModelConfig
from masklet.training.distillation import Distillation, Teacher, feature_loss, mask_loss
from masklet.training.loop import train
from masklet.training.optimisation import Optimisation
from masklet.training.rollout import Outcome, RolloutConfig, clip_rollout, image_rollout
from masklet.training.user import Interaction
from tiny_model import SMALL_GRU, SMALL_HIERA, SMALL_NANO, tiny_model

BUSY = Interaction(prompted=2, corrected=2, correct=1.0, corrections=(0.0, 0.0, 1.0), correct_masks=True, forget=0.5)


def sample(kind: str) -> dict[str, np.ndarray]:
    arrays, _ = Discs(kind).sample(0, np.random.default_rng(0), replace(STAGE, frames=4, objects=2))
    return {name: np.stack([value, value]) for name, value in arrays.items()}


def rolled(model, kind: str, config: RolloutConfig, seed: int = 0) -> Outcome:
    rollout = image_rollout if kind == "image" else clip_rollout
    places = [np.random.default_rng([seed, i]) for i in range(2)]
    return rollout(model, sample(kind), config, np.random.default_rng(seed), places)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("kind", "model"), [("image", SMALL_NANO), ("clip", SMALL_NANO), ("clip", SMALL_GRU)])
def test_a_teacher_does_what_the_student_did(kind: str, model: ModelConfig, seed: int):
    """The student's own twin, asked the same, answers the same: prompts, order, memory and forgetting are replayed."""
    student, twin = tiny_model(model, seed=1).train(), tiny_model(model, seed=1).train()
    config = RolloutConfig(replace(BUSY, mask=0.5))
    outcome = rolled(student, kind, config, seed)
    teacher = Teacher(twin, Distillation("twin"))
    twin.train()  # candidates are chosen as in training
    features, answers = teacher.replay(kind, sample(kind), outcome, config)
    assert torch.allclose(features.embedding, outcome.features.embedding, atol=1e-5)
    given = [answer for visit in outcome.visits for answer in visit.answers]
    assert len(given) == len(answers) > 0
    for ours, theirs in zip(given, answers, strict=True):
        assert torch.allclose(ours.candidates, theirs.candidates, atol=1e-3)
        assert torch.allclose(ours.presence, theirs.presence, atol=1e-4)


@pytest.mark.parametrize("kind", ["image", "clip"])
def test_gradients_reach_the_student_alone(kind: str):
    student, model = tiny_model(SMALL_NANO, seed=1).train(), tiny_model(SMALL_HIERA, seed=2)
    outcome = rolled(student, kind, RolloutConfig(BUSY))
    teacher = Teacher(model, Distillation("t", size=96))  # of another width, at another size
    loss = teacher.loss(kind, sample(kind), outcome, RolloutConfig(BUSY))
    assert loss.item() > 0
    loss.backward()
    assert all(p.grad is None for p in model.parameters())
    for part in ("mask_decoder", "image_encoder"):
        assert any(p.grad is not None and p.grad.any() for n, p in student.named_parameters() if n.startswith(part))


def test_a_perfect_student_loses_little():
    model = tiny_model(SMALL_NANO, seed=1)
    answer = rolled(model, "image", RolloutConfig()).answers[0]
    sure = replace(answer, candidates=torch.where(answer.candidates > 0, 20.0, -20.0), presence=answer.presence + 20)
    assert mask_loss(sure, sure).item() < 1e-3
    wrong = replace(sure, candidates=-sure.candidates)
    assert mask_loss(wrong, sure).item() > 1


def test_features_compare_across_widths():
    x = torch.randn(2, 8, 6, 6, generator=torch.Generator().manual_seed(0))
    turn = torch.linalg.qr(torch.randn(12, 8, generator=torch.Generator().manual_seed(1))).Q
    wider = torch.einsum("dc,bchw->bdhw", turn, 3 * x)  # turned into 12 channels and stretched: the same similarities
    assert feature_loss(x, wider).item() == pytest.approx(0, abs=1e-10)
    assert feature_loss(x, F.relu(wider)).item() > 0.01


def test_a_run_learns_from_its_teacher(tmp_path: Path):
    save(tiny_model(SMALL_HIERA, seed=2), tmp_path / "teacher.safetensors")
    optimisation = Optimisation(rate=1e-3, encoder_rate=1e-3, warmup=0, clip=1.0, schedule="constant")
    recipe = toy(steps=3, optimisation=optimisation)
    taught = replace(recipe, distillation=Distillation(str(tmp_path / "teacher.safetensors")))
    plain = list(train(recipe, tmp_path / "a", model=tiny_model(SMALL_NANO, seed=1)))
    reports = list(train(taught, tmp_path / "b", model=tiny_model(SMALL_NANO, seed=1)))
    assert reports[0].terms == plain[0].terms
    assert reports[0].loss > plain[0].loss
    assert reports[2].terms != plain[2].terms
