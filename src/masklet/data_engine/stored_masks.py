"""Masks in the database: masklets as tasks handed them in, models proposed them, or files brought them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import numpy as np
from pycocotools import mask as coco
from sqlalchemy import insert, select

from .database import Db, found
from .errors import Refused
from .schema import Mask, Masklet, Object, Project, Task, Video, now


@dataclass(frozen=True)
class StoredMask:
    """A mask of an object on a frame.

    Attributes:
        frame: Index of the frame.
        counts: COCO run lengths at the video's size; nothing is inside where the object is absent.
        area: Pixels inside.
        iou: Predicted IoU, 0..1.
        presence: Presence logit; above 0: the object is in the frame.
        stability: Overlap of the masks at logits above +1 and above -1, 0..1.
        prompted: Whether somebody prompted the object here.
    """

    frame: int
    counts: bytes
    area: int
    iou: float
    presence: float
    stability: float
    prompted: bool

    @property
    def certainty(self) -> float:
        """How sure the model is, 0..1: of a mask as good as its IoU says, or that nothing is there."""
        there = 0.5 * (1 + math.tanh(self.presence / 2))
        return self.iou * there if self.presence > 0 else 1 - there


def store_masklet(
    db: Db,
    object_id: int,
    masks: Sequence[StoredMask],
    session_id: int | None = None,
    task_id: int | None = None,
    user_id: int | None = None,
    edited: int = 0,
    clicks: int = 0,
    at: datetime | None = None,
) -> Masklet:
    """Store the masks of annotated frames (0, every, 2 every ... of the project, and prompted ones); drops the others.

    Args:
        db: The transaction.
        object_id: Whose masks they are.
        masks: One a frame.
        session_id: Session that they are from; None: a model's own, or a file's.
        task_id: Task that handed them in.
        user_id: Who did.
        edited: Annotated frames that somebody prompted.
        clicks: Clicks that this took.
        at: The time.

    Raises:
        NotFound: There is no such object.
        Refused: A frame is not in the video, or there twice.
    """
    video = found(db, Video, found(db, Object, object_id).video_id)
    every = found(db, Project, video.project_id).every
    kept = sorted(annotated(masks, every), key=lambda mask: mask.frame)
    frames = [mask.frame for mask in kept]
    if len({*frames}) < len(frames) or not all(0 <= frame < (video.frames or 0) for frame in frames):
        raise Refused(f"got masks of frames {frames}, expected each once, from 0 to {(video.frames or 0) - 1}")
    row = Masklet(
        object_id=object_id,
        session_id=session_id,
        task_id=task_id,
        user_id=user_id,
        edited=edited,
        clicks=clicks,
        frames=len(kept),
        quality=float(np.mean([mask.certainty for mask in kept])) if kept else 0.0,
        created=at or now(),
    )
    db.add(row)
    db.flush()
    if kept:
        db.execute(insert(Mask), [{"masklet_id": row.id, **vars(mask)} for mask in kept])
    return row


def annotated(masks: Sequence[StoredMask], every: int) -> list[StoredMask]:
    """Those of frames 0, every, 2 every ..., and the prompted ones."""
    return [mask for mask in masks if mask.prompted or mask.frame % every == 0]


def newest_masklets(db: Db, video_id: int, session_id: int | None = None) -> dict[int, Masklet]:
    """The masklet of each object that counts, by the object's number; removed objects have none.

    With ``session_id`` the newest of that session. Else the newest of the session that verification is about, which
    for several annotators is the one that the others agree with most, or what was handed in since.
    """
    query = select(Object, Masklet).join(Masklet, Masklet.object_id == Object.id)
    query = query.where(Object.video_id == video_id, Object.state != "removed").order_by(Masklet.id)
    if session_id is not None:
        return {target.number: masklet for target, masklet in db.execute(query.where(Masklet.session_id == session_id))}
    newest: dict[int, dict[int | None, Masklet]] = {}
    numbers: dict[int, int] = {}
    for target, masklet in db.execute(query):
        newest.setdefault(target.id, {})[masklet.session_id] = masklet
        numbers[target.id] = target.number
    about = Task.video_id == video_id, Task.stage == "verify", Task.state != "cancelled"
    verified = {task.object_id: task for task in db.scalars(select(Task).where(*about).order_by(Task.id))}
    return {numbers[i]: _that_counts(of, verified.get(i)) for i, of in newest.items()}


def masks_of(db: Db, masklet_id: int, first: int | None = None, count: int | None = None) -> list[StoredMask]:
    """Masks of a masklet by frame; of frames from ``first`` on, and before ``first + count``."""
    query = select(Mask).where(Mask.masklet_id == masklet_id).order_by(Mask.frame)
    if first is not None:
        query = query.where(Mask.frame >= first)
    if count is not None:
        query = query.where(Mask.frame < (first or 0) + count)
    return [
        StoredMask(m.frame, bytes(m.counts), m.area, m.iou, m.presence, m.stability, m.prompted)
        for m in db.scalars(query)
    ]


def scores_of(db: Db, masklet_id: int) -> list[tuple[int, float, float, bool]]:
    """Frame, predicted IoU, presence and whether it was prompted, of each mask by frame; the masks are not read."""
    columns = select(Mask.frame, Mask.iou, Mask.presence, Mask.prompted)
    rows = db.execute(columns.where(Mask.masklet_id == masklet_id).order_by(Mask.frame))
    return [(frame, iou, presence, prompted) for frame, iou, presence, prompted in rows]


def overlap(one: StoredMask, other: StoredMask, size: tuple[int, int]) -> float:
    """IoU of two masks at ``size``, height and width of their video; 1 where both are empty."""
    if one.area == 0 or other.area == 0:
        return float(one.area == other.area)
    a, b = ([{"size": list(size), "counts": mask.counts}] for mask in (one, other))
    return float(np.asarray(coco.iou(cast(Any, a), cast(Any, b), [0]))[0, 0])


def _that_counts(by_session: dict[int | None, Masklet], verified: Task | None) -> Masklet:
    newest = max(by_session.values(), key=lambda masklet: masklet.id)
    if verified is None or verified.session_id not in by_session or newest.created > verified.created:
        return newest
    return by_session[verified.session_id]
