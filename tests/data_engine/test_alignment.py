from __future__ import annotations

import numpy as np
import pytest

from engine_work import project, ready
from masklet.data_engine.alignment import alignment
from masklet.data_engine.errors import NotFound, Refused
from masklet.data_engine.objects import add_object
from masklet.data_engine.stored_masks import StoredMask, store_masklet
from masklet.masks.rle import encode

SIDE = 120


def square(frame, side, height=SIDE):
    """A mask of ``side`` times 100 pixels, or nothing."""
    inside = np.zeros((SIDE, SIDE), bool)
    inside[:height, :side] = True
    return StoredMask(frame, encode(inside)["counts"].encode(), int(inside.sum()), 1.0, 5.0, 1.0, False)


def filled(database, name, videos):
    """A project: masks of each object of each video."""
    p = project(database, name, videos=())
    with database.begin() as db:
        for video, objects in videos.items():
            video_id = ready(db, p, video, SIDE, SIDE)
            for number, masks in objects.items():
                store_masklet(db, add_object(db, video_id, None, number=number).id, masks)
    return p


def test_shares_by_size(database):
    true = filled(
        database,
        "true",
        {
            "v": {
                # Small by its first mask, which is empty at first and large later.
                1: [square(0, 0), square(1, 31, 33), square(2, 120)],  # 1023 pixels
                2: [square(0, 32, 32), square(1, 32, 32)],  # 1024: medium
                3: [square(0, 96, 96)],  # 9216: large
                4: [square(0, 0)],  # never there
                5: [square(0, 10)],  # not in the other project
            },
            "w": {1: [square(0, 100)]},
            "only here": {1: [square(0, 100)]},
        },
    )
    mine = filled(
        database,
        "mine",
        {
            "v": {
                1: [square(0, 0), square(1, 31, 33), square(2, 90)],  # both empty, the same, exactly 0.75
                2: [square(0, 32, 30), square(1, 0), square(2, 9)],  # 0.94, missed, not in the reference
                3: [square(0, 96, 80)],  # 0.83
                4: [square(0, 0)],
                6: [square(0, 10)],
            },
            "w": {1: [square(0, 10)]},
        },
    )
    with database.reading() as db:
        found = alignment(db, mine, true)
        assert found.masks == {"small": 2, "medium": 2, "large": 2}
        assert found.aligned == {"small": 1, "medium": 1, "large": 1}
        assert (found.share(), found.share("small")) == (0.5, 0.5)
        assert alignment(db, true, true).share() == 1
        with pytest.raises(NotFound):
            alignment(db, mine, 99)


def test_nothing_in_common(database):
    one, two = filled(database, "one", {"v": {1: [square(0, 9)]}}), filled(database, "two", {"w": {1: [square(0, 9)]}})
    with database.reading() as db:
        assert alignment(db, one, two).share() is None
        assert alignment(db, one, two).share("large") is None


def test_videos_of_other_sizes_are_not_compared(database):
    one = filled(database, "one", {"v": {1: [square(0, 9)]}})
    two = project(database, "two", videos=())
    with database.begin() as db:
        video = ready(db, two, "v", SIDE, SIDE + 1)
        store_masklet(db, add_object(db, video, None).id, [square(0, 9)])
        with pytest.raises(Refused, match="cannot be compared"):
            alignment(db, one, two)
