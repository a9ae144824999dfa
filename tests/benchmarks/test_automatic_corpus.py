"""The script that kills the workers of a corpus, on a few videos."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

import masklet
from masklet.inference.corpus_files import open_corpus
from masklet.video.frames import open_source
from tiny_model import clip


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    folder = tmp_path / "clips" / "one" / "frames"
    folder.mkdir(parents=True)
    for t, frame in enumerate(clip(12)):
        cv2.imwrite(str(folder / f"{t:02d}.png"), np.ascontiguousarray(frame[..., ::-1]))
    return tmp_path / "clips"


def test_videos_of_both_kinds(script, clips: Path, tmp_path: Path):
    for _ in range(2):
        script.make_videos(clips, tmp_path / "videos", 4)
    items = open_corpus(str(tmp_path / "videos")).items
    assert [item.kind for item in items] == ["frames", "movie", "frames", "movie"]
    for item in items:
        with open_source(tmp_path / "videos" / item.path) as source:
            assert 6 <= len(source) <= 10
            assert source.size[0] in (128, 160, 192)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds processes in /proc")
def test_kills_change_nothing(script, clips: Path, tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("ray")
    source = str(Path(masklet.__file__).parents[1])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([source, os.environ.get("PYTHONPATH", "")]))
    script.main(["--clips", str(clips), "--out", str(tmp_path / "out"), "--videos", "4", "--period", "5"])
    assert "missing 0, too many 0, different 0" in capsys.readouterr().out
