from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from masklet.data_engine import open_packs
from masklet.data_engine.errors import NotFound
from masklet.data_engine.frame_pack import new_pack
from masklet.data_engine.open_packs import OpenPacks
from masklet.data_engine.workspace import Workspace, new_key


def made(workspace: Workspace) -> str:
    key = new_key()
    with new_pack(workspace.pack(key)) as pack:
        for t in range(3):
            pack.add(np.full((8, 8, 3), 50 * t, np.uint8))
    return key


def test_few_stay_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(open_packs, "_OPEN", 2)
    workspace = Workspace(tmp_path)
    packs, keys = OpenPacks(workspace), [made(workspace) for _ in range(4)]
    for key in keys * 2:
        assert len(packs.jpegs(key, 1, 5)) == 2
        assert len(packs._entries) <= 2
    with packs._reading(keys[0]) as reading:
        packs.close()  # whoever reads goes on
        assert reading.jpeg(0)
    assert not packs._entries
    packs.forget(keys[0])


def test_frames_that_are_not_there(tmp_path: Path):
    workspace = Workspace(tmp_path)
    packs = OpenPacks(workspace)
    with pytest.raises(NotFound, match="bring it in"):
        packs.jpegs(new_key(), 0, 1)
    with pytest.raises(NotFound, match="0 to 2"):
        packs.jpegs(made(workspace), 3, 1)
    packs.close()
