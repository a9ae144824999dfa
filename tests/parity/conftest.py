from __future__ import annotations

import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def torchvision(monkeypatch):
    """What the official image predictor and mask generator need, where torchvision cannot be imported."""
    try:
        import torchvision.transforms  # noqa: F401
    except (ImportError, RuntimeError):
        monkeypatch.syspath_prepend(BENCHMARKS)
        from torchvision_stand_in import modules  # pyright: ignore[reportMissingImports]

        for name, made in modules().items():
            monkeypatch.setitem(sys.modules, name, made)
