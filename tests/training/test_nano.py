from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from masklet.checkpoints.load import load
from masklet.model.config import NANO
from masklet.model.efficientnet import EfficientNetLite
from masklet.training import nano
from masklet.training.nano import FIRST, ROLLOUT, Run, Stage, initial_model, run, start_as_matching
from tiny_model import SMALL_HIERA, SMALL_NANO, clip, disc, tiny_model


def batch(kind: str) -> dict[str, np.ndarray]:
    frames, masks = np.stack(clip(3, 64, 64)), np.stack([disc(t, 64, 64) for t in range(3)]).astype(np.uint8)
    if kind == "image":
        return {"images": frames[:1], "masks": masks[None, :2]}
    return {"frames": frames[None], "masks": masks[None, :, None], "labelled": np.ones((1, 3), bool)}


def generators() -> tuple[np.random.Generator, list[np.random.Generator]]:
    return np.random.default_rng(0), [np.random.default_rng(1)]


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[tuple[str, int]]]:
    """A run on batches of our own, on a clock of one second a step; gives the streams that were opened."""
    opened: list[tuple[str, int]] = []

    def batches(data: object, kind: str, *place: int, start: int, **options: int):
        opened.append((kind, start))
        while True:
            yield batch(kind)

    ticks = iter(range(10_000))
    threads, cv_threads = torch.get_num_threads(), cv2.getNumThreads()
    monkeypatch.setattr(nano, "batches", batches)
    monkeypatch.setattr(nano.TrainingData, "open", lambda path: object.__new__(nano.TrainingData))
    monkeypatch.setattr(nano, "time", SimpleNamespace(process_time=lambda: float(next(ticks))))
    monkeypatch.setattr(nano, "STAGES", (Stage(0.5, clips=0.0), Stage(1.0, clips=1.0)))
    monkeypatch.setattr(nano, "load_pretrained", lambda trunk: None)
    monkeypatch.setattr(nano.os, "cpu_count", lambda: 1)
    monkeypatch.setattr(nano.logging, "basicConfig", lambda **options: None)
    yield opened
    torch.set_num_threads(threads)
    cv2.setNumThreads(cv_threads)


def go(out: Path, seconds: float) -> dict:
    run(0, 1, out, out, seconds / 60, seed=1, config=SMALL_NANO)
    return torch.load(out / "checkpoint.pt", weights_only=True)


def test_two_steps_and_two_more(made_up: list[tuple[str, int]], tmp_path: Path):
    first = go(tmp_path, 2)
    assert first["step"] == 2
    assert first["spent"] == 2
    assert made_up == [("image", 0), ("clip", 1)]  # half of the run each
    moments = first["optimizer"]["state"]
    assert moments
    before = first["model"]["memory_encoder.out.weight"].clone()
    second = go(tmp_path, 4)  # goes on where it stopped
    assert second["step"] == 4
    assert second["spent"] == 4
    assert made_up[2:] == [("clip", 2)]
    assert not torch.equal(second["model"]["memory_encoder.out.weight"], before)
    third = go(tmp_path, 4)  # nothing is left to do
    assert third["step"] == 4
    assert len(made_up) == 3
    assert not list(tmp_path.glob("*.part"))


def test_what_ships_is_the_average_at_half_precision(made_up: list[tuple[str, int]], tmp_path: Path):
    saved = go(tmp_path, 2)
    model = load(tmp_path / "weights.safetensors")
    assert model.config == SMALL_NANO
    for name, value in model.state_dict().items():
        assert torch.equal(value, saved["average"][name].half().float()), name
    assert not torch.equal(model.state_dict()["no_memory"], saved["model"]["no_memory"].half().float())


def test_a_run_that_was_cut_is_the_run_that_was_not(made_up: list[tuple[str, int]], tmp_path: Path):
    """Weights, averages and moments come back to the last bit."""
    state = Run(tiny_model(SMALL_NANO, seed=1).train(), FIRST)
    state.update(nano.image_rollout(state.model, batch("image"), ROLLOUT, *generators()), 0.0, 1.0)
    state.save(tmp_path)
    other = Run(tiny_model(SMALL_NANO, seed=2).train(), FIRST)
    other.load(tmp_path / "checkpoint.pt")
    assert (other.step, other.spent) == (state.step, state.spent) == (1, 1.0)
    for one in (state, other):
        one.update(nano.clip_rollout(one.model, batch("clip"), ROLLOUT, *generators()), 0.5, 1.0)
    for name, value in state.model.state_dict().items():
        assert torch.equal(value, other.model.state_dict()[name]), name
        assert torch.equal(state.average.state[name], other.average.state[name]), name


def test_an_orphan_saves_and_ends(made_up: list[tuple[str, int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    parents = iter([7, 7, 7, 1])  # at the start, then once a step
    monkeypatch.setattr(nano.os, "getppid", lambda: next(parents))
    assert go(tmp_path, 100)["step"] == 3


def test_a_step_without_a_finite_gradient_is_skipped(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    state = Run(tiny_model(SMALL_NANO, seed=1), FIRST)
    before = state.model.no_memory.detach().clone()
    outcome = nano.image_rollout(state.model, batch("image"), ROLLOUT, *generators())
    facts = state.update(replace(outcome, loss=state.model.no_memory.sum() * math.inf), 0.0, 1.0)
    assert not math.isfinite(facts[3])
    assert torch.equal(state.model.no_memory, before)
    assert state.step == 1
    assert "step skipped" in caplog.text


def test_memory_attention_starts_as_matching():
    model = tiny_model(SMALL_HIERA)
    start_as_matching(model)
    view = model.memory_encoder.out.weight[:, :, 0, 0]
    assert torch.allclose(view @ view.T, torch.eye(16), atol=1e-5)
    attention = model.memory_attention.layers[0].cross_attention
    x = torch.randn(1, 5, 32, generator=torch.Generator().manual_seed(0))
    query = attention.query.weight @ x[0].T
    key = attention.key.weight @ (view @ x[0].T)
    assert torch.allclose(query, key, atol=1e-4)  # the same place looks the same from both sides


@pytest.mark.parametrize("config", [SMALL_HIERA, SMALL_NANO], ids=["hiera", "nano"])
def test_only_the_light_trunk_is_pretrained(monkeypatch: pytest.MonkeyPatch, config):
    filled = []
    monkeypatch.setattr(nano, "load_pretrained", filled.append)
    initial_model(config)
    assert [type(t) for t in filled] == ([EfficientNetLite] if config.trunk == NANO.trunk else [])


def test_the_command_starts_its_processes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    started = []
    monkeypatch.setattr(nano, "spawn", lambda function, rest, nprocs: started.append((function, rest, nprocs)))
    out = tmp_path / "runs" / "a"
    monkeypatch.setattr("sys.argv", ["nano", "--data", "d", "--out", str(out), "--minutes", "5", "--processes", "3"])
    nano.main()
    assert started == [(run, (3, Path("d"), out, 5.0, 0, NANO, None), 3)]
    assert out.is_dir()


def test_processes_meet_at_an_absolute_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    started = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(nano, "spawn", lambda function, rest, nprocs: started.append(rest[2]))
    monkeypatch.setattr("sys.argv", ["nano", "--data", "d", "--out", "runs/a"])
    nano.main()
    assert started == [tmp_path / "runs" / "a"]
