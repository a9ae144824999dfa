"""A review of the automatic masklets of a video: the best first, what is found twice, and what is background."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..masks.over_time import Track, agreement
from ..masks.rle import decode
from ..video.contact_sheet import contact_sheet, scaled, spread_frames
from ..video.overlay import overlay
from .masklet_file import MaskletFile
from .masklet_motion import motion_of
from .masklet_quality import Quality, measure
from .records import Picture

SAME = 0.8
"""Mean IoU on shared frames above which two masklets are the same."""
STILL = 0.002
"""Own motion below which a masklet stands still.

Measured on 14 clips of DAVIS: 2 of their 20 objects were below, and 34 of 56 parts of what is around these; the others
were in clips of fast camera motion or of depth.
"""
LARGE, AT_EDGE = 0.2, 0.5
"""Share of the frame, and share of masks at the border, from which on a still masklet is background."""
_COLUMNS, _WIDTH = 6, 240  # of a contact sheet, and pixels of a picture in it
_COLOR = 13  # of the DAVIS palette, a pink that is rare in pictures


@dataclass(frozen=True)
class Reviewed:
    """One masklet.

    Attributes:
        quality: Its measures.
        duplicate_of: The better masklet that is the same; None: there is none.
        motion: See :func:`~masklet.data.masklet_motion.motion_of`; None: not known.
        background: It stands still and is large or at the border; None: not known without pictures.
    """

    quality: Quality
    duplicate_of: int | None
    motion: float | None
    background: bool | None

    @property
    def kept(self) -> bool:
        """Whether it is neither found twice nor background."""
        return self.duplicate_of is None and not self.background

    def plain(self) -> dict[str, Any]:
        """As JSON holds it."""
        own = {"duplicate_of": self.duplicate_of, "motion": self.motion, "background": self.background}
        return {"id": self.quality.object_id, "score": self.quality.score, **asdict(self.quality), **own}


def review(file: MaskletFile, frames: int = 0, picture: Callable[[int], Picture] | None = None) -> list[Reviewed]:
    """Review the masklets of a video: the best first, and after them duplicates and background.

    Args:
        file: The masklets.
        frames: Number of frames of the video.
        picture: Gives a frame, RGB; None: no pictures, and so nothing is said of background.
    """
    ranked = sorted(measure(file), key=lambda one: (-one.score, one.object_id))
    double = duplicates({one.object_id: file.tracks[one.object_id] for one in ranked})
    motion = {} if picture is None else motion_of(file.tracks, frames, picture)
    reviewed = [
        Reviewed(one, double.get(one.object_id), moved, None if moved is None else _is_background(one, moved))
        for one, moved in ((one, motion.get(one.object_id)) for one in ranked)
    ]
    return sorted(reviewed, key=lambda one: not one.kept)


def duplicates(tracks: Mapping[int, Track]) -> dict[int, int]:
    """Masklets that are the same as an earlier one, with that one, which is no duplicate itself.

    Two are the same if both are visible on half of the frames of the shorter, with a mean IoU above ``SAME`` there.

    Args:
        tracks: The masklets, the best first.
    """
    ids, lengths = list(tracks), np.array([len(track) for track in tracks.values()])
    compared = agreement(list(tracks.values()), list(tracks.values()))
    long = 2 * compared.both >= np.minimum(lengths[:, None], lengths)
    same = (compared.shared_iou > SAME) & long & (compared.both > 0)
    kept: list[int] = []
    found: dict[int, int] = {}
    for k, object_id in enumerate(ids):
        match = [j for j in kept if same[k, j]]
        if match:
            found[object_id] = ids[max(match, key=lambda j: compared.shared_iou[k, j])]
        else:
            kept.append(k)
    return found


def review_sheet(file: MaskletFile, reviewed: Sequence[Reviewed], picture: Callable[[int], Picture]) -> Picture:
    """A contact sheet: a row for each masklet, the best first, with its measures.

    Args:
        file: The masklets.
        reviewed: What is shown of them.
        picture: Gives a frame, RGB.

    Raises:
        ValueError: There is nothing to show.
    """
    shown = {
        one.quality.object_id: spread_frames(sorted(file.tracks[one.quality.object_id]), _COLUMNS) for one in reviewed
    }
    small = {t: scaled(picture(t), _WIDTH) for t in sorted({t for times in shown.values() for t in times})}
    rows = []
    for one in reviewed:
        track, times = file.tracks[one.quality.object_id], shown[one.quality.object_id]
        masks = {t: scaled(decode(track[t]).astype(np.uint8), _WIDTH) > 0 for t in times}
        rows.append((_line(one), [overlay(small[t], {_COLOR: masks[t]}) for t in times]))
    return contact_sheet(rows, _WIDTH)


def _is_background(one: Quality, motion: float) -> bool:
    return motion < STILL and (one.area >= LARGE or one.edge >= AT_EDGE)


def _line(one: Reviewed) -> str:
    q = one.quality
    words = [f"{q.object_id}: {q.score:.2f}", f"frames {q.first} to {q.last}", f"present {q.presence:.2f}"]
    words += [] if q.stability is None else [f"stable {q.stability:.2f}"]
    words += [f"consistent {q.consistency:.2f}", f"area {q.area:.3f}", f"edge {q.edge:.1f}"]
    words += [] if one.motion is None else [f"moves {one.motion:.4f}"]
    words += [] if one.duplicate_of is None else [f"DUPLICATE of {one.duplicate_of}"]
    return ", ".join(words + (["BACKGROUND"] if one.background else []))
