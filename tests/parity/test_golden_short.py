"""In every run: all reference arrays of the two tiny models, 2.0 and 2.1.

Source: outputs of PyPI ``sam2`` 1.1.0 on weights filled by name; see ``golden_weights`` and ``golden_run``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from golden_run import compare, tolerance

FILES = sorted((Path(__file__).parents[1] / "golden").glob("*.npz"))


@pytest.mark.parametrize("path", FILES, ids=[f.stem for f in FILES])
def test_every_array_agrees_with_the_official_code(path: Path) -> None:
    differences = compare(path)
    assert sum(name.endswith(".choice") for name in differences) >= 40
    wrong = {name: d for name, d in differences.items() if not d <= tolerance(name)}
    assert not wrong
