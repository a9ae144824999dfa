"""Every array of the reference files: outputs of the official code on weights filled by name (shared/golden/README.md).

Slow for large models; ``benchmarks/parity_report.py`` prints the differences of the same runs as a table.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from golden_run import compare, reference_files, tolerance

FILES = reference_files()


@pytest.mark.parity
@pytest.mark.skipif(not FILES, reason="the reference arrays are not beside the checkout")
@pytest.mark.parametrize("path", FILES, ids=[f.stem for f in FILES])
def test_every_array_agrees(path: Path):
    differences = compare(path)
    assert len(differences) > 60
    wrong = {name: d for name, d in differences.items() if not d <= tolerance(name)}
    assert not wrong
