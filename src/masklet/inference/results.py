"""What a session says of a frame: a mask and scores for each object, made at the video's size only when asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..masks.boxes import box_of_mask
from ..masks.overlap import suppress_overlaps
from ..masks.resize import resize_logits
from ..masks.rle import Rle, decode, encode, union
from ..model.candidates import stability
from ..structures import Prediction
from ..video.fitting import Fit

STABILITY_OFFSET = 1.0  # as for SAM's automatic masks
NOTED_LOGIT = 10.0  # how sure is what is known only from a note

if TYPE_CHECKING:
    from supervision import Detections


@dataclass(frozen=True)
class ObjectResult:
    """One object on one frame.

    Attributes:
        frame: Index of the frame.
        object_id: The object.
        low_logits: Mask logits at stride 4 of what the frame fills of the input; None: only the mask is still kept.
        iou: Predicted IoU of the mask, 0..1.
        presence: Presence logit; above 0 means that the object is in the frame.
        size: Height and width of the video.
        prompted: Whether the user prompted this object on this frame.
        exclusive: Logits at the video's size after overlaps were settled, where the session was asked to.
        kept: The mask at the video's size as run lengths, where it is kept.
        stability: Overlap (IoU) of the masks at logits above +1 and above -1, 0..1; 1 where there is none.
    """

    frame: int
    object_id: int
    low_logits: Float[Tensor, "h4 w4"] | None
    iou: float
    presence: float
    size: tuple[int, int]
    prompted: bool = False
    exclusive: Float[Tensor, "h w"] | None = None
    kept: Rle | None = None
    stability: float = 1.0

    @cached_property
    def logits(self) -> Float[np.ndarray, "h w"]:
        """Mask logits at the video's size; above 0 is the object.

        Raises:
            RuntimeError: They are no longer kept.
        """
        return self._full_logits()

    @cached_property
    def mask(self) -> Bool[np.ndarray, "h w"]:
        """The mask at the video's size."""
        if not self.present:
            return np.zeros(self.size, bool)
        return self._full_logits() > 0 if self.kept is None else decode(self.kept)

    def keeping(self) -> ObjectResult:
        """The same with its mask as run lengths."""
        return replace(self, kept=encode(replace(self).mask))

    def without(self, taken: Bool[np.ndarray, "h w"]) -> ObjectResult:
        """The same where pixels at the video's size belong to something else."""
        logits = torch.from_numpy(np.where(taken, -np.abs(self.logits), self.logits))
        return replace(self, exclusive=logits)

    def _full_logits(self) -> Float[np.ndarray, "h w"]:
        if self.exclusive is not None:
            return self.exclusive.cpu().numpy()
        if self.low_logits is None:
            raise RuntimeError(f"the logits of frame {self.frame} are no longer kept, only its mask")
        with torch.inference_mode():
            return resize_logits(self.low_logits[None, None], self.size)[0, 0].cpu().numpy()

    @property
    def present(self) -> bool:
        """Whether the object is judged to be in the frame."""
        return self.presence > 0

    @property
    def confidence(self) -> float:
        """Predicted IoU times the probability that the object is there, 0..1."""
        return self.iou * probability(self.presence)

    @cached_property
    def area(self) -> int:
        """Pixels of the mask."""
        return int(np.count_nonzero(self.mask))

    @property
    def box(self) -> tuple[int, int, int, int] | None:
        """Tight box ``(x0, y0, x1, y1)`` of the mask; None when empty."""
        return box_of_mask(self.mask)

    def rle(self) -> dict:
        """The mask as COCO run lengths."""
        return dict(encode(self.mask) if self.kept is None else self.kept)


@dataclass(frozen=True)
class Shown:
    """What is kept of a result for good.

    Attributes:
        frame: Index of the frame.
        size: Height and width of the video.
        rle: The mask at that size.
        iou: Predicted IoU of the mask.
        presence: Presence logit.
        stability: Overlap of the masks at shifted thresholds.
        prompted: Whether it is the answer to a prompt.
        absent: Whether the user said that the object is not visible here; the mask is empty.
    """

    frame: int
    size: tuple[int, int]
    rle: Rle
    iou: float
    presence: float
    stability: float
    prompted: bool
    absent: bool = False

    @staticmethod
    def of_absent(frame: int, size: tuple[int, int]) -> Shown:
        """What is kept where the user said that the object is not visible."""
        return Shown(frame, size, encode(np.zeros(size, bool)), 1.0, -NOTED_LOGIT, 1.0, False, absent=True)

    @staticmethod
    def of(result: ObjectResult) -> Shown:
        """Keep a result."""
        kept = encode(result.mask) if result.kept is None else result.kept
        scores = result.iou, result.presence, result.stability
        return Shown(result.frame, result.size, kept, *scores, result.prompted)

    @property
    def doubt(self) -> float:
        """Lack of certainty, 0..1: of an object in the frame 1 - confidence, else the probability that it is there."""
        there = probability(self.presence)
        return 1 - self.iou * there if self.presence > 0 else there

    def union(self, other: Shown) -> Shown:
        """What both objects together look like: as sure as the less sure one, there if either is."""
        scores = min(self.iou, other.iou), max(self.presence, other.presence), min(self.stability, other.stability)
        prompted, absent = self.prompted or other.prompted, self.absent and other.absent
        return Shown(self.frame, self.size, union((self.rle, other.rle)), *scores, prompted, absent)

    @property
    def nbytes(self) -> int:
        """About how many bytes it takes in memory."""
        return len(self.rle["counts"]) + 900

    def packed(self) -> bytes:
        """The value as bytes."""
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @classmethod
    def unpacked(cls, data: bytes) -> Shown:
        """The value of such bytes."""
        plain = json.loads(data)
        return cls(**{**plain, "size": tuple(plain["size"])})

    def result(self, object_id: int, newest: ObjectResult | None) -> ObjectResult:
        """The result again, with the logits of the newest answer where that is still there."""
        logits = None if newest is None else newest.low_logits
        scores = self.iou, self.presence, self.size, self.prompted
        return ObjectResult(self.frame, object_id, logits, *scores, kept=self.rle, stability=self.stability)


@dataclass(frozen=True)
class FrameResult(Mapping[int, ObjectResult]):
    """All objects of one frame by id."""

    frame: int
    size: tuple[int, int]
    objects: Mapping[int, ObjectResult]

    def __getitem__(self, object_id: int) -> ObjectResult:
        return self.objects[object_id]

    def __iter__(self) -> Iterator[int]:
        return iter(self.objects)

    def __len__(self) -> int:
        return len(self.objects)

    @property
    def masks(self) -> dict[int, Bool[np.ndarray, "h w"]]:
        """Mask of each object at the video's size."""
        return {i: result.mask for i, result in self.objects.items()}

    def to_supervision(self) -> Detections:
        """The objects as ``supervision.Detections``: see :mod:`~masklet.inference.supervision_detections`.

        Raises:
            ImportError: ``supervision`` is not installed.
        """
        from .supervision_detections import to_detections

        return to_detections(self)

    def label_map(self) -> Int[np.ndarray, "h w"]:
        """Object id of each pixel, 0 for none; where objects overlap the highest logit wins.

        Where logits are no longer kept, the highest predicted IoU does.
        """
        labels = np.zeros(self.size, np.int32)
        best = np.zeros(self.size, np.float32)
        for i, result in self.objects.items():
            strength = np.full(self.size, result.iou) if result.low_logits is None else result.logits
            wins = result.mask & ((strength > best) | (labels == 0))
            labels[wins] = i
            best[wins] = strength[wins]
        return labels


def frame_result(t: int, fit: Fit, answers: Mapping[int, Prediction], *, apart: bool = False) -> FrameResult:
    """Answers for objects of one frame, ``apart`` so that no two share a pixel, as a result at the video's size."""
    results = {
        i: ObjectResult(
            frame=t,
            object_id=i,
            low_logits=fit.cut(a.logits[0, 0]),
            iou=float(a.iou[0]),
            presence=float(a.presence[0]),
            size=fit.frame,
            prompted=a.from_prompt,
            stability=float(stability(fit.cut(a.logits[:1]), STABILITY_OFFSET)),
        )
        for i, a in answers.items()
    }
    return FrameResult(t, fit.frame, without_overlap(results) if apart else results)


def probability(presence: float) -> float:
    """Of being in the frame, from the presence logit."""
    return 1 / (1 + float(np.exp(-np.clip(presence, -50, 50))))


def without_overlap(results: dict[int, ObjectResult]) -> dict[int, ObjectResult]:
    """The same results, each pixel left to the object with the highest logit."""
    if len(results) < 2:
        return results
    logits = torch.stack([torch.from_numpy(r.logits)[None] for r in results.values()])
    apart = suppress_overlaps(logits)[:, 0]
    return {i: replace(r, exclusive=apart[k]) for k, (i, r) in enumerate(results.items())}
