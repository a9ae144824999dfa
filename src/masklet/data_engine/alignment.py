"""Mask alignment: how far the masks of one project equal those of another one of the same videos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from .database import Db, found
from .errors import Refused
from .projects import videos_of
from .schema import Project
from .stored_masks import StoredMask, masks_of, newest_masklets, overlap

Bucket = Literal["small", "medium", "large"]
BUCKETS: tuple[Bucket, ...] = get_args(Bucket)

ALIGNED = 0.75
"""A mask is aligned when its IoU is above this."""
SMALL, MEDIUM = 32**2, 96**2
"""Areas in pixels below which an object is small, or medium."""


@dataclass(frozen=True)
class Alignment:
    """Shares of masks that are aligned, and of how many; None where there is none.

    Attributes:
        aligned: Number of aligned masks by size of their object.
        masks: Number of masks.
    """

    aligned: Mapping[Bucket, int]
    masks: Mapping[Bucket, int]

    def share(self, bucket: Bucket | None = None) -> float | None:
        """Share of the masks of a bucket, 0..1; of all without one."""
        if bucket is None:
            masks, aligned = sum(self.masks.values()), sum(self.aligned.values())
        else:
            masks, aligned = self.masks[bucket], self.aligned[bucket]
        return aligned / masks if masks else None


def alignment(db: Db, project_id: int, to_project_id: int) -> Alignment:
    """Share of the masks of a project with an IoU above 0.75 to those of a reference.

    Compared are masks of videos of the same name, objects of the same number and frames that both projects annotated;
    a frame on which both say that the object is absent does not count. An object has the size of its first mask in the
    reference. Source: SAM 2 paper, section 5.1 and appendix D.

    Raises:
        NotFound: There is no such project.
        Refused: A video is not of one size in both.
    """
    aligned: dict[Bucket, int] = dict.fromkeys(BUCKETS, 0)
    masks: dict[Bucket, int] = dict.fromkeys(BUCKETS, 0)
    references = {video.name: video for video in videos_of(db, found(db, Project, to_project_id).id)}
    for video in videos_of(db, found(db, Project, project_id).id):
        reference = references.get(video.name)
        if reference is None:
            continue
        size, expected = (video.height or 0, video.width or 0), (reference.height or 0, reference.width or 0)
        mine, theirs = newest_masklets(db, video.id), newest_masklets(db, reference.id)
        both = sorted(mine.keys() & theirs.keys())
        if both and size != expected:
            raise Refused(f"video {video.name!r} has {size} pixels here and {expected} there: masks cannot be compared")
        for number in both:
            true = masks_of(db, theirs[number].id)
            ious = _overlaps(masks_of(db, mine[number].id), true, size)
            bucket = _bucket(true)
            if bucket is not None:
                masks[bucket] += len(ious)
                aligned[bucket] += sum(iou > ALIGNED for iou in ious)
    return Alignment(aligned, masks)


def _overlaps(mine: Sequence[StoredMask], true: Sequence[StoredMask], size: tuple[int, int]) -> list[float]:
    by_frame = {mask.frame: mask for mask in true}
    pairs = [(mask, by_frame[mask.frame]) for mask in mine if mask.frame in by_frame]
    return [overlap(one, other, size) for one, other in pairs if one.area or other.area]


def _bucket(true: Sequence[StoredMask]) -> Bucket | None:
    """Size of an object by its first mask; None where it has none."""
    area = next((mask.area for mask in true if mask.area), None)
    if area is None:
        return None
    return "small" if area < SMALL else "medium" if area < MEDIUM else "large"
