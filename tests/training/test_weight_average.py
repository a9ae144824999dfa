from __future__ import annotations

from pathlib import Path

import pytest
import torch

from masklet.checkpoints.load import load, save
from masklet.training.weight_average import average, main
from tiny_model import SMALL_HIERA, SMALL_NANO, tiny_model


def test_weights_lie_between():
    start, after = tiny_model(SMALL_NANO, seed=1), tiny_model(SMALL_NANO, seed=2)
    ends = after.state_dict()
    for share in (0.0, 0.25, 1.0):
        state = average(start, after, share).state_dict()
        for name, value in start.state_dict().items():
            assert torch.allclose(state[name], (1 - share) * value + share * ends[name], atol=1e-6), name


def test_files_are_averaged_into_a_third(tmp_path: Path):
    for seed in (1, 2):
        save(tiny_model(SMALL_NANO, seed=seed), tmp_path / f"{seed}.safetensors")
    main([str(tmp_path / "1.safetensors"), str(tmp_path / "2.safetensors"), "--out", str(tmp_path / "3.safetensors")])
    expected = average(tiny_model(SMALL_NANO, seed=1), tiny_model(SMALL_NANO, seed=2)).no_memory.half().float()
    assert torch.equal(load(tmp_path / "3.safetensors").no_memory, expected)


def test_strangers_are_refused():
    with pytest.raises(ValueError, match="the models differ"):
        average(tiny_model(SMALL_NANO), tiny_model(SMALL_HIERA))
    with pytest.raises(ValueError, match=r"share must be in 0..1, got 2"):
        average(tiny_model(SMALL_NANO), tiny_model(SMALL_NANO), 2.0)
