from __future__ import annotations

import numpy as np

from masklet.data.open import open_dataset


def test_clips_are_the_same_again_and_can_be_read(script, tmp_path):
    script.write(tmp_path / "a", first=7, clips=1)
    script.write(tmp_path / "b", first=7, clips=1)
    one, again = (next(iter(open_dataset(str(tmp_path / name)))) for name in "ab")

    assert one.frame_count == script.FRAMES
    assert one.size == (script.SIZE, script.SIZE)
    assert one.masks(5).keys() == again.masks(5).keys()
    assert all((one.masks(5)[k] == again.masks(5)[k]).all() for k in one.masks(5))


def test_cells_differ_from_the_ground_and_move(script):
    frames, maps = script.draw(3)

    assert set(np.unique(maps[0])) == set(range(script.CELLS + 1))
    rough = [np.abs(np.diff(frames[0][..., 0].astype(int), axis=0))[(maps[0][1:] > 0) == inside] for inside in (0, 1)]
    assert rough[1].mean() > 1.2 * rough[0].mean()
    assert all((maps[0] == k).sum() > 500 for k in range(1, script.CELLS + 1))
    assert (maps[0] != maps[-1]).mean() > 0.02
