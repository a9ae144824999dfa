"""The script of training costs, on small inputs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads memory from Linux")
@pytest.mark.parametrize("kind", ["image", "clip"])
def test_a_row(script, kind: str):
    made = script.recipe(None, 256, kind, 3, ["start=random", "stages.0.images=2", "stages.0.videos=2"])
    made = replace(made, stages=(replace(made.stages[0], size=64, masks=2, objects=1, frames=2),))
    row = script.measure(made, kind, 0)
    assert row["batch"] == 2
    assert 0 < row["planned_above"] < row["planned"]
    assert 0 <= row["above"] < row["peak"]
    assert row["rate"] == pytest.approx(2 / row["wall"])
    text = script.table([row])
    assert len({line.count("|") for line in text.splitlines()}) == 1
    assert f"| 64 | {kind} | 2 | 0 |" in text
