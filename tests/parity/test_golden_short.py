"""In every run: a part of the reference arrays that travels with the tests (image prompts and a short clip).

Source: outputs of PyPI ``sam2`` 1.1.0 on weights filled by name; see ``golden_weights`` and ``golden_run``.
"""

from __future__ import annotations

from pathlib import Path

from golden_run import compare, tolerance

SHORT = Path(__file__).parents[1] / "golden" / "sam2.1_hiera_tiny.512px.short.npz"


def test_every_array_agrees_with_the_official_code() -> None:
    differences = compare(SHORT)
    assert sum(name.endswith(".choice") for name in differences) >= 10
    wrong = {name: d for name, d in differences.items() if not d <= tolerance(name)}
    assert not wrong
