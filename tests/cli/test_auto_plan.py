from __future__ import annotations

import json
from pathlib import Path

import pytest

from masklet.cli.main import main

FEW = ["--least-iou", "0", "--least-stability", "0", "--grid", "2", "--small-area", "5"]
SHAPE = ["--corpus.videos", "1000", "--corpus.days", "1"]


def test_a_plan_from_a_short_run_and_from_its_numbers(
    folder: Path, model_file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(["auto", "--plan", str(folder), "--model", model_file, *FEW, *SHAPE, "--json"]) == 0
    text = capsys.readouterr().out
    values = json.loads(text)
    assert values["measured"]["first_seconds"] > 0
    assert values["measured"]["objects"] > 1
    assert values["measured"]["mask_bytes"] > 10
    assert values["corpus"]["videos"] == 1000
    assert values["plan"]["frames"] == 1000 * 336
    (tmp_path / "plan.json").write_text(text)
    words = ["auto", "--plan", str(tmp_path / "plan.json"), *SHAPE]
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == values
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert "1,000 videos of 14 s at 24 frames/s: 336,000 frames" in shown
    assert "in 1,000 files" in shown
    (tmp_path / "plan.json").write_text('{"first_seconds": 3}')
    assert main(words) == 2
    assert "holds no measurement" in capsys.readouterr().err
