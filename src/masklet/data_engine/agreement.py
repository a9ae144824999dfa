"""Agreement between people who tracked the same object, and the masklet that the others agree with most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from sqlalchemy import func, select

from .database import Db, found
from .schema import Masklet, Object, Project, Video
from .stored_masks import StoredMask, masks_of, overlap


@dataclass(frozen=True)
class Agreement:
    """How far the copies of an object agree.

    Attributes:
        number: Number of the object.
        sessions: Sessions that have it.
        by_frame: Mean IoU of every two masks, by frame; frames that only one copy has are left out.
        mean: Mean over frames; None where there is none.
        consensus: The session whose masks have the highest mean IoU with the others; None of a model's own masklet.
    """

    number: int
    sessions: tuple[int | None, ...]
    by_frame: dict[int, float]
    mean: float | None
    consensus: int | None


def agreement(db: Db, video_id: int) -> list[Agreement]:
    """Agreement on each object of a video that at least two people tracked, by number.

    Raises:
        NotFound: There is no such video.
    """
    found(db, Video, video_id)
    rows = db.scalars(
        select(Object).where(Object.video_id == video_id, Object.state != "removed").order_by(Object.number)
    )
    found_of = []
    for target in rows:
        copies = _copies(db, target)
        if len(copies) > 1:
            ious = _ious(db, target, copies)
            by_frame: dict[int, list[float]] = {}
            for pair in ious.values():
                for frame, iou in pair.items():
                    by_frame.setdefault(frame, []).append(iou)
            means = {frame: float(np.mean(by_frame[frame])) for frame in sorted(by_frame)}
            mean = float(np.mean(list(means.values()))) if means else None
            found_of.append(Agreement(target.number, tuple(copies), means, mean, _best(ious, copies).session_id))
    return found_of


def compared_videos(db: Db, project_id: int, after: int, most: int) -> list[Video]:
    """Videos of a project of which two people or more handed an object in, by id, from the one after ``after`` on.

    Raises:
        NotFound: There is no such project.
    """
    found(db, Project, project_id)
    copies = select(Object.video_id).join(Masklet, Masklet.object_id == Object.id)
    copies = copies.where(Object.state != "removed", Masklet.session_id.is_not(None))
    copies = copies.group_by(Object.video_id, Object.id).having(func.count(Masklet.session_id.distinct()) > 1)
    query = select(Video).where(Video.project_id == project_id, Video.id > after, Video.id.in_(copies))
    return list(db.scalars(query.order_by(Video.id).limit(most)))


def consensus(db: Db, target: Object) -> Masklet | None:
    """Of the newest masklets of an object, one a session, the one with the highest mean IoU to the others.

    The first one where two are equal; None where there is none.
    """
    copies = _copies(db, target)
    if len(copies) < 2:
        return next(iter(copies.values()), None)
    return _best(_ious(db, target, copies), copies)


def _copies(db: Db, target: Object) -> dict[int, Masklet]:
    query = select(Masklet).where(Masklet.object_id == target.id, Masklet.session_id.is_not(None))
    newest = {masklet.session_id or 0: masklet for masklet in db.scalars(query.order_by(Masklet.id))}
    return dict(sorted(newest.items()))


def _ious(db: Db, target: Object, copies: Mapping[int, Masklet]) -> dict[tuple[int, int], dict[int, float]]:
    """IoU of every two copies on every frame that both have."""
    video = found(db, Video, target.video_id)
    size = video.height or 0, video.width or 0
    masks: dict[int, dict[int, StoredMask]] = {
        session: {mask.frame: mask for mask in masks_of(db, masklet.id)} for session, masklet in copies.items()
    }
    return {
        (a, b): {frame: overlap(masks[a][frame], masks[b][frame], size) for frame in masks[a].keys() & masks[b].keys()}
        for a, b in combinations(copies, 2)
    }


def _best(ious: Mapping[tuple[int, int], Mapping[int, float]], copies: Mapping[int, Masklet]) -> Masklet:
    def mean(session: int) -> float:
        values = [iou for pair, by_frame in ious.items() if session in pair for iou in by_frame.values()]
        return float(np.mean(values)) if values else 0.0

    return copies[max(copies, key=mean)]
