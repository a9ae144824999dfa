from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from two_processes import run

from masklet.checkpoints.load import load
from masklet.training.sharding import gathered, sharded_fabric, spread, whole
from masklet.training.state import CHECKPOINT, WEIGHTS

HERE = Path(__file__).parent
Runs = dict[str, dict[str, Any]]


def launch(out: Path, *arguments: str) -> Runs:
    """Results of runs on two processes."""
    paths = [str(HERE), str(HERE.parent), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(HERE / "two_processes.py"), str(out), *arguments]
    subprocess.run(command, check=True, env=environment, timeout=300, capture_output=True)
    return {path.stem: json.loads(path.read_text()) for path in out.glob("*.json")}


def apart(one: Any, other: Any) -> float:
    """Share of numbers in nested dicts and lists of tensors that differ; everything else must be equal."""
    pairs = []

    def walk(a: Any, b: Any) -> None:
        if isinstance(a, dict):
            assert a.keys() == b.keys()
            for key in a:
                walk(a[key], b[key])
        elif isinstance(a, list):
            assert len(a) == len(b)
            for x, y in zip(a, b, strict=True):
                walk(x, y)
        elif isinstance(a, torch.Tensor):
            assert type(a) is type(b) is torch.Tensor
            assert a.shape == b.shape
            pairs.append((a, b))
        else:
            assert a == b

    walk(one, other)
    different = sum(int(((a - b).abs() > 1e-4).sum()) for a, b in pairs if a.is_floating_point())
    return different / sum(a.numel() for a, _ in pairs)


def checkpoint(folder: Path) -> dict[str, Any]:
    saved = torch.load(folder / CHECKPOINT, weights_only=True)
    counters = saved.pop("counters")
    return {**saved, "step": counters["step"]}


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Runs]:
    """On one process."""
    out = tmp_path_factory.mktemp("one")
    done = {name: run(name, out) for name in ("whole", "low_rank")}
    done["from_one"] = run("from_one", out, steps=3)
    return out, done


@pytest.fixture(scope="module")
def sharded(one: tuple[Path, Runs], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Runs]:
    """On two that share everything; one of the runs goes on from where one process stopped."""
    out = tmp_path_factory.mktemp("sharded")
    (out / "from_one").mkdir()
    (out / "from_one" / CHECKPOINT).write_bytes((one[0] / "from_one" / CHECKPOINT).read_bytes())
    return out, launch(out, "--sharded", "whole", "from_one", "to_one:3", "uneven", "low_rank")


@pytest.mark.parametrize("name", ["whole", "low_rank"])
def test_sharded_processes_are_one(one: tuple[Path, Runs], sharded: tuple[Path, Runs], name: str):
    """The same losses, norms, weights, averages and moments, in a checkpoint of the same form."""
    for of in ("losses", "norms"):
        assert sharded[1][name][of] == pytest.approx(one[1][name][of], rel=1e-4)
    assert one[1][name]["kept"] == [1.0]
    assert sharded[1][name]["kept"][0] == pytest.approx(0.5, abs=0.05)
    # AdamW's first steps depend on the sign of gradients alone, which rounding decides where they are nearly 0.
    assert apart(checkpoint(one[0] / name), checkpoint(sharded[0] / name)) < 0.01
    models = [load(out / name / WEIGHTS).state_dict() for out in (one[0], sharded[0])]
    assert apart(*(dict(model) for model in models)) < 0.01


def test_a_run_changes_between_one_process_and_sharded_ones(one: tuple[Path, Runs], sharded: tuple[Path, Runs]):
    expected = one[1]["whole"]["losses"]
    assert one[1]["from_one"]["losses"] + sharded[1]["from_one"]["losses"] == pytest.approx(expected, rel=1e-4)
    rest = run("to_one", sharded[0])
    assert sharded[1]["to_one"]["losses"] + rest["losses"] == pytest.approx(expected, rel=1e-4)
    for name in ("from_one", "to_one"):
        assert apart(checkpoint(one[0] / "whole"), checkpoint(sharded[0] / name)) < 0.01


def test_processes_that_reach_different_weights(sharded: tuple[Path, Runs], tmp_path: Path):
    plain = launch(tmp_path, "uneven")["uneven"]
    for of in ("losses", "norms"):
        assert sharded[1]["uneven"][of] == pytest.approx(plain[of], rel=1e-4)
    assert apart(checkpoint(tmp_path / "uneven"), checkpoint(sharded[0] / "uneven")) < 0.01


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("cpu", 1), "needs 2 processes or more on cpu or cuda, got 1 on cpu"),
        (("mps", 2), "got 2 on mps"),
    ],
)
def test_what_cannot_be_sharded(arguments: tuple, says: str):
    with pytest.raises(ValueError, match=says):
        sharded_fabric(*arguments)


def test_whole_tensors_stay_as_they_are():
    value = torch.arange(3.0)
    assert whole(value) is value
    assert gathered({"a": [value, 1]}, keep=True)["a"][0] is value
    assert torch.equal(spread(value, torch.zeros(3)), value)
