"""Every array of the reference files: outputs of the official code on weights filled by name (shared/golden/README.md).

Slow for large models; ``benchmarks/parity_report.py`` prints the differences of the same runs as a table.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from golden_run import compare, reference_files, tolerance

FILES = reference_files()
QUICK = [f for f in FILES if f.stem.endswith(".512px") and "large" not in f.stem]
pytestmark = [
    pytest.mark.parity,
    pytest.mark.skipif(not FILES, reason="the reference arrays are not beside the checkout"),
]


def check(path: Path, dtype: torch.dtype) -> None:
    differences = compare(path, dtype)
    assert len(differences) > 60
    wrong = {name: d for name, d in differences.items() if not d <= tolerance(name, dtype)}
    assert not wrong


@pytest.mark.parametrize("path", FILES, ids=[f.stem for f in FILES])
def test_every_array_agrees(path: Path):
    check(path, torch.float32)


@pytest.mark.parametrize("path", QUICK, ids=[f.stem for f in QUICK])
def test_every_array_agrees_more_closely_in_double_precision(path: Path):
    check(path, torch.float64)
