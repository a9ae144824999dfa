"""The script that compares what was trained on with what was held back."""

from __future__ import annotations

from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.mark.skipif(not DATA.exists(), reason="needs the data beside the checkout")
def test_every_set_and_split_has_a_row(script, tiny, capsys: pytest.CaptureFixture):
    images = script.image_scores(tiny, DATA, 1)
    assert {split for _, split in images} == {"trained on", "held back"}
    assert all(0 <= score.after_clicks[1] <= 1 for score in images.values())
    text = script.table(images, {"trained on": 0.5, "held back": 0.25})
    assert len({line.count("|") for line in text.splitlines()}) == 1
    assert "| clips, J from the mask | held back | | 0.250 | | |" in text
