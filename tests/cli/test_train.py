from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from toy_source import toy

import masklet
from masklet.cli.main import main
from masklet.training import estimate, recipes
from tiny_model import clip, disc


@pytest.fixture
def toy_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(recipes.RECIPES, "toy", lambda data: toy(steps=2))


def run(*arguments: object) -> int:
    return main(["train", *map(str, arguments)])


def test_a_run_and_going_on(toy_recipe: None, tmp_path: Path, capsys: pytest.CaptureFixture):
    out = tmp_path / "out"
    assert run("toy", "--data", tmp_path, "-o", out) == 0
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first.startswith("memory: at most")
    assert last.startswith("step 2  100.0%")
    assert sorted(p.name for p in out.iterdir()) == [
        "checkpoint.pt",
        "curves",
        "log.txt",
        "recipe.json",
        "samples.png",
        "weights.safetensors",
    ]
    assert run("toy", "--data", tmp_path, "-o", out, "--set", "steps=3", "--quiet") == 0
    assert json.loads((out / "recipe.json").read_text())["steps"] == 3
    assert capsys.readouterr().out == ""
    assert len((out / "log.txt").read_text().splitlines()) == 2


def test_a_recipe_is_shown(toy_recipe: None, tmp_path: Path, capsys: pytest.CaptureFixture):
    assert run("toy", "--data", "nowhere", "-o", tmp_path / "out", "--show", "--set", "optimisation.rate=0.5") == 0
    assert json.loads(capsys.readouterr().out)["optimisation"]["rate"] == 0.5
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["huge", "--data", "."], "there is no recipe 'huge': expected one of images"),
        (["toy"], "expected --data DIR"),
        (["toy", "--plan", "--gpus", "0"], "expected GPUs with memory"),
        (["toy", "--data", "nowhere"], "--data nowhere does not exist"),
        (["toy", "--data", ".", "--set", "steps"], "--set takes FIELD=VALUE"),
        (["toy", "--data", ".", "--set", "speed=3"], "no field 'speed' in the recipe"),
        (["toy", "--data", ".", "--processes", "0"], "at least 1 process"),
        (["toy", "--data", ".", "--sharded"], "needs 2 processes or more"),
        (["toy", "--data", ".", "--precision", "16-mixed"], "takes precision 32-true or bf16-mixed, got 16-mixed"),
        (["toy", "--data", ".", "--processes", "3"], "cannot be dealt out to 3"),
        (["toy", "--data", ".", "--device", "abacus"], "torch can use only"),
        (["toy", "--data", ".", "--set", "start=nothing.pt"], "nothing.pt"),
    ],
)
def test_mistakes_are_one_line(
    toy_recipe: None, tmp_path: Path, capsys: pytest.CaptureFixture, arguments: list[str], says: str
):
    assert run(*arguments, "-o", tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert says in error
    assert "Traceback" not in error


def test_a_run_that_may_not_fit_is_warned_of_and_runs(
    toy_recipe: None, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(estimate, "memory_of", lambda device: 0.2 * estimate.GIB)
    assert run("toy", "--data", tmp_path, "-o", tmp_path / "out") == 0
    shown = capsys.readouterr()
    assert re.search(r"warning: this run may need 0\.\d GiB and there are 0\.2", shown.err)
    assert "step 2  100.0%" in shown.out


def test_a_changed_recipe_does_not_touch_the_run(toy_recipe: None, tmp_path: Path, capsys: pytest.CaptureFixture):
    out = tmp_path / "out"
    assert run("toy", "--data", tmp_path, "-o", out, "--quiet") == 0
    before = {p.name: p.read_bytes() for p in out.iterdir() if p.is_file()}
    assert run("toy", "--data", tmp_path, "-o", out, "--set", "seed=9", "--set", "steps=5") == 2
    assert "seed: 0 -> 9" in capsys.readouterr().err
    assert {p.name: p.read_bytes() for p in out.iterdir() if p.is_file()} == before


@pytest.mark.parametrize("name", recipes.RECIPES)
def test_every_recipe_runs_small(name: str, tmp_path: Path, capsys: pytest.CaptureFixture):
    assert run(name, "--smoke", "-o", tmp_path / "out") == 0
    assert "step 4  100.0%" in capsys.readouterr().out
    assert masklet.load(tmp_path / "out" / "weights.safetensors") is not None


def test_mixed_precision(tmp_path: Path, capsys: pytest.CaptureFixture):
    out = tmp_path / "out"
    assert run("mose", "--smoke", "--precision", "bf16-mixed", "-o", out) == 0
    assert "step 4  100.0%" in capsys.readouterr().out
    assert masklet.load(out / "weights.safetensors").no_memory.dtype == torch.float32


def images(folder: Path) -> str:
    for t in range(3):
        frame, mask = clip(t + 1, 48, 64)[t], disc(t, 48, 64)
        for part, values in (("images", frame[..., ::-1]), ("masks", mask.astype(np.uint8))):
            (folder / part).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / part / f"{t}.png"), values)
    return str(folder)


def videos(folder: Path, names: str = "ab", known: int = 3) -> str:
    for name in names:
        for t, frame in enumerate(clip(3, 48, 64)):
            for part, values in (("frames", frame[..., ::-1]), ("masks", disc(t, 48, 64).astype(np.uint8))):
                (folder / name / part).mkdir(parents=True, exist_ok=True)
                if part == "frames" or t < known:
                    cv2.imwrite(str(folder / name / part / f"{t}.png"), values)
    return str(folder)


def validations(text: str) -> dict[str, list[str]]:
    """Names of the scores of each validation."""
    lines = [line.split("  validation: ") for line in text.splitlines() if "validation" in line]
    return {step: re.findall(r"(\w.*?) \d\.\d{3}(?:, |$)", scores) for step, scores in lines}


def test_held_back_images_are_scored_before_and_after(toy_recipe: None, tmp_path: Path, capsys: pytest.CaptureFixture):
    held_back, out = images(tmp_path / "held_back"), tmp_path / "out"
    arguments = ["toy", "--data", tmp_path, "-o", out, "--validate", held_back, "--validate-every", 1]
    assert run(*arguments) == 0
    printed = validations(capsys.readouterr().out)
    assert list(printed) == ["step 0", "step 1", "step 2"]
    assert all(names == ["IoU 1 click", "IoU 3 clicks", "IoU box"] for names in printed.values())
    assert run(*arguments, "--set", "steps=3", "--quiet") == 0
    assert capsys.readouterr().out == ""
    log = (out / "log.txt").read_text()
    assert list(validations(log)) == ["step 0", "step 1", "step 2", "step 3"]  # it has gone on: no second step 0
    assert len(log.splitlines()) == 6


def test_held_back_videos_are_scored(toy_recipe: None, tmp_path: Path, capsys: pytest.CaptureFixture):
    held_back = videos(tmp_path / "held_back")
    arguments = ["toy", "--data", tmp_path, "--validate", held_back, "--validate-videos", 1, "--set", "steps=1"]
    assert run(*arguments, "-o", tmp_path / "out") == 0
    scores = validations(capsys.readouterr().out)
    assert list(scores) == ["step 0", "step 1"]
    clicks = [f"{metric} {count}" for count in ("1 click", "3 clicks") for metric in "JF"]
    assert scores["step 1"] == ["J", "F", *clicks, "IoU 1 click", "IoU 3 clicks"]


@pytest.mark.parametrize(
    ("made", "more", "says"),
    [
        (images, ["--validate-videos", 2], "holds images"),
        (videos, ["--validate-videos", 0], "at least 1 video"),
        (lambda folder: videos(folder, "a", known=2), [], "no object of a can be scored"),
        (str, [], "check the path"),
    ],
)
def test_nothing_starts_where_nothing_can_be_scored(
    toy_recipe: None, tmp_path: Path, capsys: pytest.CaptureFixture, made, more: list, says: str
):
    held_back = made(tmp_path / "held_back")
    assert run("toy", "--data", tmp_path, "-o", tmp_path / "out", "--validate", held_back, *more) == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_plan_needs_no_data(capsys: pytest.CaptureFixture):
    assert run("mose", "--plan", "--gpus", 8, "--precision", "bf16-mixed") == 0
    text = capsys.readouterr().out
    assert "mose (sam2.1_hiera_base_plus) on 8 devices" in text
    assert "12,460 steps" in text
    assert run("mose", "--plan", "--gpus", 3) == 2
    assert "cannot be dealt out to 3 devices" in capsys.readouterr().err
