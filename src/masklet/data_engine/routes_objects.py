"""Objects of videos: their masks, what was said of them, and how far annotators agree."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, StringConstraints

from ..masks import rle
from . import judgements
from .agreement import agreement, compared_videos
from .callers import Sees, Works
from .database import Db, found
from .fields import LARGEST, Body, Comment, FirstQuery, Frame, Id
from .objects import objects_of
from .problems import ALWAYS, problems
from .schema import Judgement, Masklet, Object, ObjectState, Origin, User, Verdict, Video
from .serving import Parts
from .stored_masks import StoredMask, masks_of, newest_masklets, scores_of

router = APIRouter(prefix="/api", tags=["objects"], responses=problems(*ALWAYS, 404))


class MaskAnswer(BaseModel):
    """A mask at the video's size: COCO run lengths, scores, and its box (x0, y0, x1, y1), None where it is empty."""

    object: int
    frame: int
    counts: str
    iou: float
    presence: float
    stability: float
    confidence: float
    prompted: bool
    area: int
    box: tuple[float, float, float, float] | None


class MasksAnswer(BaseModel):
    """Masks by object and frame."""

    masks: list[MaskAnswer]


class MaskletAnswer(BaseModel):
    """The newest masks of an object that were handed in, or proposed."""

    id: int
    frames: int
    edited: int
    clicks: int
    quality: float
    created: datetime


class ObjectAnswer(BaseModel):
    """A target in a video; ``number`` is what masks call it."""

    id: int
    number: int
    name: str
    colour: str
    origin: Origin
    state: ObjectState
    masklet: MaskletAnswer | None


class JudgementAnswer(BaseModel):
    """A verdict, or a comment without one."""

    id: int
    user: str
    verdict: Verdict | None
    comment: str
    frame: int | None
    seconds: float
    created: datetime


class ScoresAnswer(BaseModel):
    """How sure the model is of the newest masks of an object, on each annotated frame."""

    object: int
    frames: list[int]
    confidence: list[float]
    prompted: list[int]


class CommentBody(Body):
    """A comment, on a frame or the whole."""

    comment: Annotated[Comment, StringConstraints(min_length=1)]
    frame: Frame | None = None


class FrameAgreement(BaseModel):
    """Mean IoU of every two copies on a frame."""

    frame: int
    iou: float


class AgreementAnswer(BaseModel):
    """How far those who tracked an object agree."""

    object: int
    copies: int
    mean: float | None
    frames: list[FrameAgreement]


class ObjectAgreement(BaseModel):
    """How far those who tracked an object agree."""

    video: str
    object: int
    copies: int
    mean: float | None


class AgreementsAnswer(BaseModel):
    """Agreement on objects of some videos; ``next`` is the ``after`` of those that follow, None where none do."""

    objects: list[ObjectAgreement]
    next: int | None


@router.get("/videos/{video_id}/objects")
def objects(video_id: Id, caller: Sees, serving: Parts) -> list[ObjectAnswer]:
    """Objects of a video by number."""

    def answers(db: Db) -> list[ObjectAnswer]:
        found(db, Video, video_id)
        masklets = newest_masklets(db, video_id)
        return [_object(one, masklets.get(one.number)) for one in objects_of(db, video_id)]

    return serving.read(answers)


@router.get("/projects/{project_id}/agreement")
def agreement_in_project(
    project_id: Id,
    caller: Sees,
    serving: Parts,
    after: Annotated[int, Query(ge=0, le=LARGEST)] = 0,
    most: Annotated[int, Query(ge=1, le=100)] = 20,
) -> AgreementsAnswer:
    """Agreement in the next videos of a project that have any, as their masks take time to compare."""

    def answers(db: Db) -> AgreementsAnswer:
        videos = compared_videos(db, project_id, after, most + 1)
        of_objects = [
            ObjectAgreement(video=video.name, object=one.number, copies=len(one.sessions), mean=one.mean)
            for video in videos[:most]
            for one in agreement(db, video.id)
        ]
        return AgreementsAnswer(objects=of_objects, next=videos[most - 1].id if len(videos) > most else None)

    return serving.read(answers)


@router.get("/videos/{video_id}/masks")
def masks(
    video_id: Id,
    caller: Sees,
    serving: Parts,
    first: FirstQuery = 0,
    count: Annotated[int, Query(ge=1, le=512)] = 64,
) -> MasksAnswer:
    """The newest masks of all objects, as they were handed in or proposed, on some frames."""

    def answers(db: Db) -> MasksAnswer:
        video = found(db, Video, video_id)
        size = video.height or 0, video.width or 0
        stored = {number: masks_of(db, one.id, first, count) for number, one in newest_masklets(db, video_id).items()}
        return MasksAnswer(masks=[_mask(number, one, size) for number, of in stored.items() for one in of])

    return serving.read(answers)


@router.get("/videos/{video_id}/agreement")
def agreement_of(video_id: Id, caller: Sees, serving: Parts) -> list[AgreementAnswer]:
    """Agreement on each object that at least two people tracked."""
    return [
        AgreementAnswer(
            object=one.number,
            copies=len(one.sessions),
            mean=one.mean,
            frames=[FrameAgreement(frame=frame, iou=iou) for frame, iou in one.by_frame.items()],
        )
        for one in serving.read(agreement, video_id)
    ]


@router.get("/objects/{object_id}/scores")
def scores(object_id: Id, caller: Sees, serving: Parts) -> ScoresAnswer:
    """Confidence on every frame with a mask, without the masks."""

    def answer(db: Db) -> ScoresAnswer:
        row = found(db, Object, object_id)
        masklet = newest_masklets(db, row.video_id).get(row.number)
        known = [] if masklet is None else scores_of(db, masklet.id)
        return ScoresAnswer(
            object=row.number,
            frames=[frame for frame, *_ in known],
            confidence=[_confidence(iou, presence) for _, iou, presence, _ in known],
            prompted=[frame for frame, _, _, prompted in known if prompted],
        )

    return serving.read(answer)


@router.get("/objects/{object_id}/judgements")
def judgements_of(object_id: Id, caller: Sees, serving: Parts) -> list[JudgementAnswer]:
    """Verdicts and comments on an object, oldest first."""

    def answers(db: Db) -> list[JudgementAnswer]:
        found(db, Object, object_id)
        return [_judgement(db, row) for row in judgements.judgements_of(db, object_id)]

    return serving.read(answers)


@router.post("/objects/{object_id}/comments", status_code=201, responses=problems(409))
def comment(object_id: Id, body: CommentBody, caller: Works, serving: Parts) -> JudgementAnswer:
    """Say something about the masks of an object."""
    return serving.write(
        lambda db: _judgement(db, judgements.add_comment(db, object_id, caller.id, body.comment, body.frame))
    )


def _object(row: Object, masklet: Masklet | None) -> ObjectAnswer:
    newest = None
    if masklet is not None:
        newest = MaskletAnswer(
            id=masklet.id,
            frames=masklet.frames,
            edited=masklet.edited,
            clicks=masklet.clicks,
            quality=masklet.quality,
            created=masklet.created,
        )
    return ObjectAnswer(
        id=row.id,
        number=row.number,
        name=row.name,
        colour=row.colour,
        origin=row.origin,  # type: ignore[arg-type]
        state=row.state,  # type: ignore[arg-type]
        masklet=newest,
    )


def _mask(number: int, one: StoredMask, size: tuple[int, int]) -> MaskAnswer:
    counts = one.counts.decode("ascii")
    x, y, width, height = rle.box({"size": list(size), "counts": counts})
    return MaskAnswer(
        object=number,
        frame=one.frame,
        counts=counts,
        iou=one.iou,
        presence=one.presence,
        stability=one.stability,
        confidence=_confidence(one.iou, one.presence),
        prompted=one.prompted,
        area=one.area,
        box=(x, y, x + width, y + height) if one.area else None,
    )


def _confidence(iou: float, presence: float) -> float:
    return iou * 0.5 * (1 + math.tanh(presence / 2))  # as sessions have it


def _judgement(db: Db, row: Judgement) -> JudgementAnswer:
    return JudgementAnswer(
        id=row.id,
        user=found(db, User, row.user_id).name,
        verdict=row.verdict,  # type: ignore[arg-type]
        comment=row.comment,
        frame=row.frame,
        seconds=row.seconds,
        created=row.created,
    )
