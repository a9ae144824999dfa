from __future__ import annotations

from pathlib import Path

from masklet.data.masklet_file import read_masklets
from masklet.data.masklet_motion import motion_of
from masklet_scenes import FRAMES, GROUND, SHORT, SQUARE, pictures, write_masklets


def test_what_moves_is_told_from_what_stands(tmp_path: Path):
    file, made = read_masklets(write_masklets(tmp_path)), pictures()
    motion = motion_of(file.tracks, FRAMES, made.__getitem__)
    assert 0.018 < motion[SQUARE] < 0.03  # 3 of 128 pixels
    assert motion[GROUND] < 0.001
    assert motion[SHORT] < 0.001


def test_of_one_frame_nothing_is_known(tmp_path: Path):
    file = read_masklets(write_masklets(tmp_path))
    assert motion_of(file.tracks, 1, pictures().__getitem__) == {}
