"""Small records of evaluations with every kind of score, for tests of reports."""

from __future__ import annotations

from masklet.evaluation.images import ImageScore, MaskScore
from masklet.evaluation.reports.run_record import RunRecord
from masklet.evaluation.scores import Click, InteractiveScore, ObjectScore, Round, SequenceScore, VosScore


def scored(object_id, *j, clicks=()):
    """An object with these J, and F .1 above, from frame 1 on."""
    return ObjectScore(object_id, tuple(range(1, len(j) + 1)), j, tuple(v + 0.1 for v in j), clicks)


def made_vos(*videos):
    """A score of videos called a, b ...; a video is a list of the J of its objects, which have two frames each."""
    return VosScore(
        tuple(
            SequenceScore(name, tuple(scored(i, j, j) for i, j in enumerate(objects, 1)))
            for name, objects in zip("abcdefghij", videos, strict=False)
        )
    )


def made_run(tracker="ours", shift=0.0, **changed):
    """Two videos with three objects, two rounds of interaction, three masks of two images."""
    clicks = (Click(0, 12.0, 7.0, 1), Click(0, 3.0, 4.0, 0))
    clicked = VosScore(
        (
            SequenceScore("a", (scored(1, 0.2, 0.4, clicks=clicks),)),
            SequenceScore("b", (scored(1, 0.6, 0.6), scored(2, 0.5, 0.7))),
        )
    )

    def rounds(low):
        first = Round(0, scored(1, low, low, clicks=clicks), 10.0)
        return first, Round(2, scored(1, low + 0.1, low + 0.3, clicks=(Click(2, 5.5, 6.5, 1),)), 20.0)

    masks = (
        MaskScore("cat.jpg", 0, {1: 0.5, 3: 0.75}, 0.625, 0.8),
        MaskScore("cat.jpg", 1, {1: 0.25, 3: 0.5}, 0.25, None),
        MaskScore("dog.jpg", 0, {1: 0.75, 3: 0.75}, 0.875, 0.9),
    )
    fields = {
        "suite": "dev",
        "tracker": tracker,
        "settings": {"image_size": 384, "tags": ["x", None, 1.5]},
        "hardware": "two cores",
        "vos": {"mask": made_vos([0.2 + shift], [0.6 + shift, 0.7 + shift]), "3 clicks": clicked},
        "interactive": {
            "offline": tuple(InteractiveScore(v, 1, rounds(j + shift)) for v, j in (("a", 0.2), ("b", 0.4)))
        },
        "images": {"animals": ImageScore(masks)},
        "headlines": {"mask": {"G": 0.5}},
        "speed": {"frames a second": 12.5},
        "data": "data/dev",
    }
    return RunRecord(**{**fields, **changed})
