from __future__ import annotations

import json

import numpy as np
import pytest

from made_videos import COUNT, SIZE, video_of, written
from masklet.cli.main import main


@pytest.fixture
def source(tmp_path):
    """A video of two objects, which overlap in three frames."""
    whole, part = np.ones(SIZE, bool), np.eye(*SIZE, dtype=bool)
    drawn = {t: {0: part, 2: whole} if t < 3 else {2: whole} for t in range(COUNT)}
    written("youtube_vis", tmp_path / "set", video_of(drawn, categories={2: "cat"}))
    return tmp_path / "set"


def test_what_is_lost_is_said(source, tmp_path, capsys):
    assert main(["convert", str(source), str(tmp_path / "out"), "--to", "davis"]) == 2
    assert "Object id 0 does not fit" in capsys.readouterr().err
    assert main(["convert", str(source), str(tmp_path / "out"), "--to", "davis", "--renumber"]) == 0
    said = capsys.readouterr()
    assert said.out == (f"wrote 1 video, 2 objects, 1 with a new id, 9 masks to {tmp_path / 'out'} (davis)\n")
    assert said.err.splitlines() == [
        "not kept: 2 objects lost their categories, which the format cannot name",
        "not kept: 3 frames had overlapping objects; the lower id keeps the pixels that they share",
    ]


def test_json_and_strict(source, tmp_path, capsys):
    out = str(tmp_path / "out")
    assert main(["convert", str(source), out, "--to", "mots", "--from", "youtube_vis", "--strict"]) == 2
    assert "refused because of strict" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert main(["convert", str(source), out, "--to", "cvat", "--polygons", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["videos"] == 1
    assert content["losses"].keys() == {"bridge"}
    assert content["to"] == "cvat"
    assert len(content["sentences"]) == 1


def test_an_unknown_format_is_a_mistake_of_the_command(source, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["convert", str(source), str(tmp_path / "out"), "--to", "voc"])
    assert "voc" in capsys.readouterr().err
