from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from toy_source import STAGE, TOY, Discs, toy

from masklet.checkpoints.load import load
from masklet.data.order import record_of
from masklet.training import loop
from masklet.training.loop import DivergedError, new_state, train
from masklet.training.optimisation import Optimisation
from masklet.training.recipe import Stage
from masklet.training.sources import Images
from masklet.training.state import CHECKPOINT, RECIPE, WEIGHTS, ResumeError
from tiny_model import SMALL_HIERA, SMALL_NANO, tiny_model

HERE = Path(__file__).parent


def start(config=SMALL_NANO, drop_path: float = 0.0):
    model = tiny_model(config, seed=1)
    if drop_path:
        from masklet.model.sam2 import Sam2

        again = Sam2(config, drop_path=drop_path, dropout=0.1)
        again.load_state_dict(model.state_dict())
        return again
    return model


def checkpoint(folder: Path) -> dict:
    return torch.load(folder / CHECKPOINT, weights_only=True)


def equal(one: object, other: object) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(one[k], other[k]) for k in one if k != "spent")
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(equal(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return torch.equal(one, other)
    return one == other


@pytest.mark.parametrize("cut", [1, 4])
def test_a_run_that_was_cut_is_the_run_that_was_not(tmp_path: Path, cut: int):
    """Weights, averages, moments and counters come back to the last bit, dropout and all."""
    whole = list(train(TOY, tmp_path / "whole", model=start(SMALL_HIERA, 0.3)))
    first = list(islice(train(TOY, tmp_path / "cut", model=start(SMALL_HIERA, 0.3)), cut))
    rest = list(train(TOY, tmp_path / "cut", model=start(SMALL_HIERA, 0.3)))
    assert len(whole) == 6
    assert [r.loss for r in whole] == [r.loss for r in first + rest]
    assert [r.names for r in whole] == [r.names for r in first + rest]
    assert equal(checkpoint(tmp_path / "whole"), checkpoint(tmp_path / "cut"))
    assert list(train(TOY, tmp_path / "cut", model=start(SMALL_HIERA, 0.3))) == []  # nothing is left to do


def test_what_a_run_makes_loads_by_itself(tmp_path: Path):
    reports = list(train(TOY, tmp_path, model=start(), dtype=torch.float16))
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([CHECKPOINT, WEIGHTS, RECIPE])
    model = load(tmp_path / WEIGHTS)
    saved = checkpoint(tmp_path)
    for name, value in model.state_dict().items():
        assert torch.equal(value, saved["average"][name].half().float()), name
    assert not torch.equal(saved["model"]["no_memory"], saved["average"]["no_memory"])
    assert json.loads((tmp_path / RECIPE).read_text()) == TOY.described()
    assert [r.step for r in reports] == list(range(1, 7))
    assert reports[-1].progress == 1
    assert {r.kind for r in reports} == {"image", "clip"}
    assert all(math.isfinite(r.loss) and math.isfinite(r.norm) and not r.skipped for r in reports)
    assert all(len(r.names) == 2 for r in reports)


def test_without_an_average_the_weights_themselves_are_saved(tmp_path: Path):
    recipe = toy(steps=1, optimisation=replace(TOY.optimisation, average=None))
    list(train(recipe, tmp_path, model=start()))
    assert torch.equal(load(tmp_path / WEIGHTS).no_memory, checkpoint(tmp_path)["model"]["no_memory"])


def test_it_learns(tmp_path: Path):
    """Five clips, over and over: losses fall by far, masks fit."""
    optimisation = Optimisation(rate=3e-3, encoder_rate=3e-3, warmup=5, clip=1.0, schedule="constant")
    recipe = toy(
        steps=60, optimisation=optimisation, stages=(replace(STAGE, clips=1.0),), sources=(Discs("clip", 1.0, 5),)
    )
    reports = list(train(recipe, tmp_path, model=start()))
    before, after = (np.mean([r.loss for r in part]) for part in (reports[:5], reports[-5:]))
    assert after < before / 3
    assert np.mean([r.iou for r in reports[-5:]]) > 0.8


def test_gradients_are_accumulated(tmp_path: Path):
    """Two batches of one sample are one batch of two, but for which samples they are."""
    recipe = toy(steps=2, optimisation=replace(TOY.optimisation, accumulate=2))
    reports = list(train(recipe, tmp_path, model=start()))
    assert [len(r.names) for r in reports] == [4, 4]


def test_frozen_parts_stay(tmp_path: Path):
    recipe = toy(steps=2, optimisation=replace(TOY.optimisation, freeze=("image_encoder.*",)))
    before = start().state_dict()
    list(train(recipe, tmp_path, model=start()))
    after = checkpoint(tmp_path)["model"]
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert not any(name.startswith("image_encoder.") for name in changed)


@pytest.mark.parametrize("damage", ["truncated", "no checkpoint"])
def test_a_damaged_checkpoint_is_named(tmp_path: Path, damage: str):
    list(train(toy(steps=1), tmp_path, model=start()))
    path = tmp_path / CHECKPOINT
    path.write_bytes(path.read_bytes()[:500] if damage == "truncated" else b"nothing")
    with pytest.raises(ResumeError, match="is no checkpoint of a run"):
        train(TOY, tmp_path, model=start())


def test_a_changed_recipe_is_named(tmp_path: Path):
    list(train(toy(steps=1), tmp_path, model=start()))
    before = (tmp_path / CHECKPOINT).read_bytes()
    with pytest.raises(ResumeError, match=r"another recipe \(seed: 0 -> 3\): go on with the same one"):
        train(toy(seed=3), tmp_path, model=start())
    assert (tmp_path / CHECKPOINT).read_bytes() == before
    assert len(list(train(toy(steps=3), tmp_path, model=start()))) == 2  # only longer: goes on


def test_a_checkpoint_from_before_a_field_goes_on(tmp_path: Path):
    """Missing fields are their defaults; a weight that nothing competes with does not matter."""
    list(train(toy(steps=1), tmp_path, model=start()))
    saved = checkpoint(tmp_path)
    written = json.loads(saved["recipe"])
    del written["dropout"]
    torch.save({**saved, "recipe": json.dumps(written)}, tmp_path / CHECKPOINT)
    unweighted = tuple(replace(source, weight=None) for source in TOY.sources)
    assert len(list(train(toy(steps=2, sources=unweighted), tmp_path, model=start()))) == 1
    with pytest.raises(ResumeError, match=r"another recipe \(dropout: 0.0 -> 0.1\)"):
        train(toy(sources=unweighted, dropout=0.1), tmp_path, model=start())
    more = (*TOY.sources, Discs("clip"))
    list(train(toy(steps=1, sources=more), tmp_path / "two", model=start()))
    with pytest.raises(ResumeError, match=r"sources.2.weight: 1.0 -> 2.0"):
        train(toy(sources=(*TOY.sources, Discs("clip", 2.0))), tmp_path / "two", model=start())


@contextmanager
def small_disk(limit: int) -> Iterator[None]:
    """No file may grow beyond so many bytes."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path: Path):
    list(train(toy(steps=1), tmp_path, model=start()))
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    with (
        small_disk(50_000),
        pytest.raises(OSError, match=r"nothing of it is kept \(File too large\): .*checkpoint\.pt"),
    ):
        list(train(TOY, tmp_path, model=start()))
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def damaged_images(folder: Path) -> str:
    """Four images, one of which has a mask of another size; 5 comes third."""
    for part, sides in (("images", (64, 64)), ("masks", (64, 50))):
        (folder / part).mkdir(parents=True)
        for name in range(4):
            side = sides[name == record_of(2, 4, 0)]
            values = np.zeros((side, 64), np.uint8)
            values[8:30, 8:40] = 1
            cv2.imwrite(str(folder / part / f"{name}.png"), values)
    return str(folder)


def test_a_damaged_sample_is_named_and_the_steps_before_it_are_kept(tmp_path: Path):
    source = Images(damaged_images(tmp_path / "data"))
    recipe = toy(steps=4, sources=(source,), stages=(replace(STAGE, clips=0.0),))
    name = record_of(2, 4, 0)
    with pytest.raises(ValueError, match=rf"{name} \(.*masks.{name}\.png\): the mask .* has 64x50 pixels"):
        list(train(recipe, tmp_path / "out", model=start()))
    assert checkpoint(tmp_path / "out")["counters"]["step"] == 1


def test_precisions_that_do_not_train_are_refused(tmp_path: Path):
    fabric = Fabric(accelerator="cpu", devices=1, precision="bf16-true")
    with pytest.raises(ValueError, match="takes precision 32-true or bf16-mixed, got bf16-true"):
        train(TOY, tmp_path, fabric=fabric, model=start())


@dataclass(frozen=True)
class Broken(Discs):
    """Clips whose frames hold something that no loss stays finite on."""

    def sample(self, number: int, rng: np.random.Generator, stage: Stage) -> tuple[dict[str, np.ndarray], str]:
        arrays, _ = super().sample(number, rng, stage)
        return arrays, f"broken {number}"


def test_a_step_without_a_finite_gradient_is_skipped_and_its_samples_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    original = loop.image_rollout
    recipe = toy(steps=3, sources=(Broken("image"),), stages=(replace(STAGE, clips=0.0),))

    def infinite(*arguments):
        outcome = original(*arguments)
        return replace(outcome, loss=outcome.loss * math.inf)

    monkeypatch.setattr(loop, "image_rollout", infinite)
    reports = list(train(recipe, tmp_path, model=start()))
    assert [r.skipped for r in reports] == [True] * 3
    assert equal(checkpoint(tmp_path)["model"], dict(start().state_dict()))
    assert "skipped; samples: broken 0, broken 1" in caplog.text


def test_a_run_that_diverges_stops_and_keeps_its_last_good_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    recipe = toy(steps=2, patience=3, sources=(Broken("image"),), stages=(replace(STAGE, clips=0.0),))
    list(train(recipe, tmp_path, model=start()))
    before = (tmp_path / CHECKPOINT).read_bytes()
    original = loop.image_rollout

    def far(*arguments):
        outcome = original(*arguments)
        return replace(outcome, loss=outcome.loss * 100)

    monkeypatch.setattr(loop, "image_rollout", far)
    with pytest.raises(DivergedError, match=r"step 5: for 3 steps .* 10 times the usual .* on broken 8, broken 9"):
        list(train(replace(recipe, steps=50), tmp_path, model=start(), save_every=0.0))
    assert (tmp_path / CHECKPOINT).read_bytes() == before


def test_validation_gets_a_copy(tmp_path: Path):
    seen = []

    def validate(model) -> dict[str, float]:
        seen.append(model)
        assert not model.training
        torch.nn.init.zeros_(model.no_memory)
        torch.manual_seed(9)
        return {"j": 0.5}

    plain = list(train(toy(steps=4), tmp_path / "a", model=start()))
    reports = list(train(toy(steps=4), tmp_path / "b", model=start(), validate=validate, validate_every=2))
    assert [r.scores for r in reports] == [None, {"j": 0.5}, None, {"j": 0.5}]
    assert len(seen) == 2
    assert [r.loss for r in plain] == [r.loss for r in reports]


def test_a_run_by_the_clock_ends(tmp_path: Path):
    recipe = toy(steps=None, minutes=0.003)
    reports = list(train(recipe, tmp_path, model=start()))
    assert reports
    assert reports[-1].progress >= 1
    assert sum(r.seconds for r in reports) >= 0.18


def test_a_run_is_stopped_after_a_step(tmp_path: Path):
    answers = iter([False, True, True])
    reports = list(train(TOY, tmp_path, model=start(), stop=lambda: next(answers)))
    assert len(reports) == 2
    assert checkpoint(tmp_path)["counters"]["step"] == 2
    assert new_state(toy(), start()).step == 0


def test_two_processes_are_one(tmp_path: Path):
    """The same global batch gives the same loss curve on one process and on two that average their gradients."""
    paths = [str(HERE), str(HERE.parent), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(HERE / "two_processes.py"), str(tmp_path), "whole"]
    subprocess.run(command, check=True, env=environment, timeout=300, capture_output=True)
    two = json.loads((tmp_path / "whole.json").read_text())
    reports = list(train(TOY, tmp_path / "one", model=start()))
    assert two["losses"] == pytest.approx([r.loss for r in reports], rel=1e-4)
    assert two["norms"] == pytest.approx([r.norm for r in reports], rel=1e-4)
    one, two = (checkpoint(tmp_path / name)["model"] for name in ("one", "whole"))
    # AdamW's first steps depend on the sign of gradients alone, which rounding decides where they are nearly 0.
    apart = sum(int(((value - two[name]).abs() > 1e-4).sum()) for name, value in one.items())
    assert apart < 0.01 * sum(value.numel() for value in one.values())
