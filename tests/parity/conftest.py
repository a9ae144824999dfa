from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def torchvision(monkeypatch):
    """The three transforms that the official image predictor needs, where torchvision cannot be imported."""
    try:
        import torchvision.transforms  # noqa: F401
    except (ImportError, RuntimeError):
        made = ModuleType("torchvision.transforms")
        monkeypatch.syspath_prepend(BENCHMARKS)
        from torchvision_stand_in import Normalize, Resize, ToTensor  # pyright: ignore[reportMissingImports]

        vars(made).update(Resize=Resize, Normalize=Normalize, ToTensor=ToTensor)
        monkeypatch.setitem(sys.modules, "torchvision", ModuleType("torchvision"))
        monkeypatch.setitem(sys.modules, "torchvision.transforms", made)
