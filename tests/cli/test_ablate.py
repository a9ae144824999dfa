from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from toy_source import toy

from masklet.checkpoints.load import load, save
from masklet.cli.main import main
from masklet.training import recipes
from tiny_model import SMALL_NANO, clip, disc, tiny_model


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(recipes.RECIPES, "toy", lambda data: toy(steps=1, model=SMALL_NANO))
    for t, frame in enumerate(clip(4, 48, 64)):
        for part, values in (("frames", frame[..., ::-1]), ("masks", disc(t, 48, 64).astype(np.uint8))):
            folder = tmp_path / "data" / "videos" / "dev" / "a" / part
            folder.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / f"{t:05d}.png"), values)
    return tmp_path


def run(root: Path, family: str, *more: object) -> int:
    arguments = ["ablate", family, "--data", root / "data", "-o", root / "out", "--recipe", "toy", *more]
    return main([str(a) for a in arguments])


def test_a_table_and_a_plot(root: Path, capsys: pytest.CaptureFixture):
    assert run(root, "pointers", "--seeds", 1) == 0
    text = capsys.readouterr().out
    assert "pointers: with, seed 0" in text
    assert "| variant | runs | J | F | IoU 1 click | IoU 3 clicks |" in text
    assert "| without | 1 | 0." in text
    assert (root / "out" / "pointers" / "pointers.md").read_text() in text
    assert (root / "out" / "pointers" / "pointers.png").stat().st_size > 1000
    assert run(root, "pointers", "--seeds", 1) == 0
    assert "seed 0" not in capsys.readouterr().out  # all was done


def test_trained_weights_are_varied_too(root: Path, monkeypatch: pytest.MonkeyPatch):
    weights = save(tiny_model(SMALL_NANO), root / "trained.safetensors")
    made = lambda data: replace(toy(steps=1, model=SMALL_NANO), start=str(weights), model=None)  # noqa: E731
    monkeypatch.setitem(recipes.RECIPES, "toy", made)
    slow = [f"--set=optimisation.{field}=1e-9" for field in ("rate", "encoder_rate")]
    assert run(root, "pointers", "--seeds", 1, *slow) == 0
    without = load(root / "out" / "pointers" / "without" / "0" / "weights.safetensors")
    assert without.config.pointers == 0
    trained = load(weights)
    torch.testing.assert_close(without.no_memory, trained.no_memory, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["colour"], "there is no family 'colour': expected one of memories"),
        (["pointers", "--recipe", "huge"], "there is no recipe 'huge'"),
        (["pointers", "--seeds", 0], "at least 1 seed"),
    ],
)
def test_mistakes(root: Path, capsys: pytest.CaptureFixture, arguments: list, says: str):
    assert run(root, *arguments) == 2
    assert says in capsys.readouterr().err


def test_held_back_videos_are_needed(root: Path, capsys: pytest.CaptureFixture):
    (root / "data" / "videos" / "dev").rename(root / "data" / "videos" / "test")
    assert run(root, "pointers") == 2
    assert "videos/dev: check the path" in capsys.readouterr().err
