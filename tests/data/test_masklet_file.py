from __future__ import annotations

import json
from pathlib import Path

import pytest

from masklet.data.masklet_file import masklet_files, only, read_masklets
from masklet.data.paths import BrokenAnnotations
from masklet.masks.rle import encode
from masklet_scenes import DOUBLE, GROUND, SHORT, SIZE, SQUARE, content, masks, write_masklets


def test_masks_and_scores_are_read(tmp_path: Path):
    file = read_masklets(write_masklets(tmp_path))
    assert (file.name, file.size, file.times) == ("clip", SIZE, (0, 4, 8))
    assert {i: list(track) for i, track in file.tracks.items()} == {1: [0, 4, 8], 2: [0, 4, 8], 3: [0, 4, 8], 4: [0]}
    assert file.tracks[SQUARE][4] == encode(masks(4)[SQUARE])
    assert file.stability[SHORT] == {0: 0.9, 4: 0.0, 8: 0.0}
    assert read_masklets(write_masklets(tmp_path, "plain", stability=False)).stability == {}


def test_files_are_found_in_folders_too(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=r"\*_auto.json"):
        masklet_files(tmp_path)
    (tmp_path / "sav_000").mkdir()
    one, other = write_masklets(tmp_path, "a"), write_masklets(tmp_path / "sav_000", "b")
    (tmp_path / "c_manual.json").write_text("{}")
    assert masklet_files(tmp_path) == [one, other]
    assert masklet_files(other) == [other]


def test_damage_is_named(tmp_path: Path):
    path = write_masklets(tmp_path)
    whole = content(path)
    whole["masklet"][1][0]["size"] = [3, 3]
    path.write_text(json.dumps(whole))
    with pytest.raises(BrokenAnnotations, match=r"clip_auto\.json"):
        read_masklets(path)
    path.write_text("{}")
    with pytest.raises(BrokenAnnotations, match="masklet"):
        read_masklets(path)


def test_some_masklets_only(tmp_path: Path):
    path = write_masklets(tmp_path)
    before, after = content(path), only(content(path), {GROUND, SQUARE})
    assert after["masklet_id"] == [SQUARE, GROUND]
    assert after["masklet_num"] == 2
    assert DOUBLE in before["masklet_id"]
    assert after["masklet"] == [[row[0], row[2]] for row in before["masklet"]]
    assert after["masklet_stability_score"] == [[row[0], row[2]] for row in before["masklet_stability_score"]]
    assert after["masklet_size_abs"] == [before["masklet_size_abs"][k] for k in (0, 2)]
    assert after["video_id"] == "clip"
    assert after.keys() == before.keys()
    path.write_text(json.dumps(after))
    assert list(read_masklets(path).tracks) == [SQUARE, GROUND]


def test_as_many_masklets_as_frames(tmp_path: Path):
    """Rows are told from columns by the field, not by the length."""
    path = write_masklets(tmp_path)
    three = only(content(path), {1, 2, 3})
    assert len(three["masklet"]) == len(three["masklet_id"]) == 3
    assert [len(row) for row in only(three, {2})["masklet_stability_score"]] == [1, 1, 1]
    plain = only(content(write_masklets(tmp_path, "plain", stability=False)), {2})
    assert plain["masklet_stability_score"] == [None]
