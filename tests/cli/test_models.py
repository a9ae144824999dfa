from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from masklet.checkpoints.registry import REGISTRY
from masklet.cli.main import main


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MASKLET_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hf"))
    (tmp_path / "sam2.1_hiera_base_plus.pt").touch()
    return tmp_path


def test_the_table_names_every_model_in_80_columns(cache: Path, capsys: pytest.CaptureFixture[str], monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for name in REGISTRY:
        assert any(line.startswith(f"{name} ") for line in lines)
    (line,) = [line for line in lines if line.startswith("sam2.1_hiera_base_plus")]
    assert line.split() == ["sam2.1_hiera_base_plus", "80.9", "M", "1024", "px", "78.2", "73.7", "78.2", "cached"]
    assert f"{cache}" in lines[-1]
    assert "Licence of the weights: Apache-2.0." in lines
    assert f"Licence of nano: {REGISTRY['nano'].license}." in lines


def test_json(cache: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["models", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert list(rows) == list(REGISTRY)
    row = rows["sam2.1_hiera_base_plus"]
    assert row["weights"] == "cached"
    assert row["path"] == str(cache / "sam2.1_hiera_base_plus.pt")
    assert row["scores"] == {"sav_test": 78.2, "mose_val": 73.7, "lvos_v2": 78.2}
    assert rows["nano"]["scores"] is None
    assert "trained on research data" in rows["nano"]["license"]
    assert row["license"] == "Apache-2.0"
    assert rows["sam2_hiera_tiny"]["path"] is None


def test_no_torch_is_needed():
    code = "import sys; from masklet.cli.models import models; models(); sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
