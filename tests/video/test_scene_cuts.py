from __future__ import annotations

import cv2
import numpy as np
import pytest

from masklet.video.scene_cuts import SceneCuts, colours


def scene(hue: int, count: int, seed: int) -> list[np.ndarray]:
    """Textures of one hue that move fast."""
    ground = np.random.default_rng(seed).integers(40, 255, (60, 80, 3), np.uint8)
    ground[..., 0] = hue
    return [np.roll(cv2.cvtColor(ground, cv2.COLOR_HSV2RGB), 17 * t, axis=1) for t in range(count)]


@pytest.fixture
def frames() -> list[np.ndarray]:
    return [*scene(10, 4, 0), *scene(70, 3, 1), *scene(120, 2, 2)]


def test_cuts_are_found_and_motion_is_none(frames: list[np.ndarray]):
    cuts = SceneCuts(frames.__getitem__)
    assert [t for t in range(len(frames)) if cuts.look(t)] == [4, 7]
    assert cuts.found == {4, 7}


def test_they_are_the_same_in_any_order(frames: list[np.ndarray]):
    cuts = SceneCuts(frames.__getitem__)
    assert not cuts.look(0)
    assert not cuts.look(len(frames))  # there is no such frame
    for t in np.random.default_rng(0).permutation(len(frames)):
        cuts.look(int(t))
    assert cuts.found == {4, 7}


def test_each_frame_is_read_once_on_the_way(frames: list[np.ndarray]):
    read: list[int] = []

    def frame(t: int) -> np.ndarray:
        read.append(t)
        return frames[t]

    cuts = SceneCuts(frame)
    for t in range(len(frames)):
        cuts.look(t)
    assert read == list(range(len(frames)))


def test_what_was_found_need_not_be_looked_at_again():
    cuts = SceneCuts([].__getitem__, found=[3])
    assert cuts.look(3)
    assert not cuts.look(2)


def test_a_change_of_light_is_no_cut(frames: list[np.ndarray]):
    dark = (frames[0] * 0.8).astype(np.uint8)
    assert 1 - np.minimum(colours(frames[0]), colours(dark)).sum() < 0.4
    assert colours(frames[0]).sum() == pytest.approx(1)
