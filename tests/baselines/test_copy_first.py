"""The baseline does nothing but copy."""

from __future__ import annotations

import numpy as np
import pytest

from masklet.baselines.copy_first import CopyFirst


@pytest.fixture
def tracker():
    tracker = CopyFirst()
    tracker.open([np.zeros((4, 5, 3), np.uint8)] * 6)
    return tracker


def mask_at(y, x):
    mask = np.zeros((4, 5), bool)
    mask[y, x] = True
    return mask


def test_the_latest_prompt_is_copied(tracker):
    tracker.prompt(0, 1, mask=mask_at(0, 0))
    tracker.prompt(2, 7, mask=mask_at(1, 1))
    tracker.prompt(4, 1, mask=mask_at(3, 3))
    got = {frame: {o: tuple(np.argwhere(m)[0]) for o, m in masks.items()} for frame, masks in tracker.propagate()}
    assert list(got) == [0, 1, 2, 3, 4, 5]
    assert got[1] == {1: (0, 0)}
    assert got[3] == {1: (0, 0), 7: (1, 1)}
    assert got[5] == {1: (3, 3), 7: (1, 1)}


def test_range_and_reverse(tracker):
    tracker.prompt(4, 1, mask=mask_at(0, 0))
    assert [frame for frame, _ in tracker.propagate(start=4, stop=5)] == [4, 5]
    back = list(tracker.propagate(reverse=True))
    assert [frame for frame, _ in back] == [4, 3, 2, 1, 0]
    assert all(list(masks) == [1] for _, masks in back)


def test_a_folder_has_as_many_frames_as_images(tracker, tmp_path):
    for name in ("0.jpg", "1.png", "notes.txt"):
        (tmp_path / name).touch()
    tracker.open(tmp_path)
    tracker.prompt(0, 1, mask=mask_at(0, 0))
    assert [frame for frame, _ in tracker.propagate()] == [0, 1]


def test_open_forgets(tracker):
    tracker.prompt(0, 1, mask=mask_at(0, 0))
    tracker.open([None] * 2)
    with pytest.raises(ValueError, match="prompt an object"):
        next(tracker.propagate())


def test_other_prompts_are_refused(tracker):
    with pytest.raises(ValueError, match="mask"):
        tracker.prompt(0, 1, points=[[1, 1]], labels=[1])
    with pytest.raises(IndexError, match=r"0\.\.5"):
        tracker.prompt(6, 1, mask=mask_at(0, 0))
