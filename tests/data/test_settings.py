"""Settings beside results."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from masklet.data.paths import DataPath, data_path
from masklet.data.settings import keep_settings


@pytest.fixture(params=["here", "memory"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> DataPath:
    """A file that is not there, in a folder or in object storage."""
    if request.param == "here":
        return tmp_path / "run" / "settings.json"
    pytest.importorskip("upath")
    return data_path(f"memory://{tmp_path.name}") / "settings.json"


def test_the_same_settings_go_on(path: DataPath):
    for _ in range(2):
        keep_settings(path, {"model": "nano", "grids": (3, 2)}, "")
    assert json.loads(path.read_bytes()) == {"model": "nano", "grids": [3, 2]}


def test_others_are_named(path: DataPath):
    keep_settings(path, {"model": "nano", "size": 4, "grids": (3, 2)}, "")
    other = r"other options \(grids \[3, 2\], not None; model 'nano', not 'tiny'; new None, not 1\): take another$"
    with pytest.raises(ValueError, match=other):
        keep_settings(path, {"model": "tiny", "size": 4, "new": 1}, "take another")
    keep_settings(path, {"model": "tiny"}, "", anew=True)
    assert json.loads(path.read_bytes()) == {"model": "tiny"}


@pytest.mark.parametrize("text", ["{", "[1]"])
def test_a_damaged_file_is_named(tmp_path: Path, text: str):
    path = tmp_path / "settings.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"settings.json is damaged .*: remove it"):
        keep_settings(path, {}, "")
