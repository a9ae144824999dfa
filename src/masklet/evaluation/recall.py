"""Average recall (AR) of automatic masks: how many masks of an image are among the first n that a model proposes.

Parity: the evaluation of COCO (pycocotools) of one class, by mask. There a proposal finds one mask at most, and a mask
is found once. Where the masks to be found overlap, as those of several annotators of one image do, that counts what no
list without duplicates can reach; ``covered`` lets a proposal count for all masks that it fits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float
from pycocotools import mask as coco

from ..data.regions import ImageRegions
from ..masks.rle import encode

if TYPE_CHECKING:
    from ..tracker import MaskProposer

AT = (10, 100, 1000)
"""Numbers of proposals that count."""
THRESHOLDS = np.linspace(0.5, 0.95, 10)
"""IoU at which a mask is found; the average is over these."""


@dataclass(frozen=True)
class RecallScore:
    """One mask to be found.

    Attributes:
        name: Name of the image.
        index: Place of the mask in the image's masks.
        found: Share of the thresholds at which it is found, by number of proposals.
        covered: The same where a proposal may find any number of masks.
        best_iou: Highest IoU of a proposal with it.
    """

    name: str
    index: int
    found: Mapping[int, float]
    covered: Mapping[int, float]
    best_iou: float


def iter_recall(proposer: MaskProposer, samples: Iterable[ImageRegions]) -> Iterator[RecallScore]:
    """Yield the score of one mask after the other.

    Args:
        proposer: What is scored.
        samples: Images with the masks to be found.
    """
    for sample in samples:
        if len(sample.masks) == 0:
            continue
        proposals = proposer.propose(sample.image)[: AT[-1]]
        yield from recall_scores(sample.name, [encode(mask) for mask in sample.masks], proposals)


def recall_scores(name: str, masks: Sequence[Any], proposals: Sequence[Any]) -> list[RecallScore]:
    """Scores of the masks of an image.

    Args:
        name: Of the image.
        masks: What is to be found, as COCO run lengths.
        proposals: Run lengths, the most confident first.
    """
    ious = np.zeros((len(proposals), len(masks)))
    if len(proposals):
        ious = np.asarray(coco.iou(list(proposals), list(masks), [0] * len(masks)), np.float64)
    ranks = np.array([_matched(ious, threshold) for threshold in THRESHOLDS])  # [thresholds masks]
    best = {n: ious[:n].max(axis=0, initial=0.0) for n in AT}
    return [
        RecallScore(
            name,
            g,
            {n: float((ranks[:, g] < n).mean()) for n in AT},
            {n: float((best[n][g] >= THRESHOLDS - 1e-10).mean()) for n in AT},
            float(best[AT[-1]][g]),
        )
        for g in range(len(masks))
    ]


def _matched(ious: Float[np.ndarray, "proposals masks"], threshold: float) -> Float[np.ndarray, " masks"]:
    """Rank of the proposal that finds each mask, infinite where none does.

    Proposals choose in their order, each the mask that it fits best of those that are left.
    """
    ranks = np.full(ious.shape[1], np.inf)
    for rank, row in enumerate(np.where(ious >= min(threshold, 1 - 1e-10), ious, -1.0)):
        left = np.where(np.isinf(ranks), row, -1.0)
        best = len(left) - 1 - int(np.argmax(left[::-1]))  # of equals the last, as in COCO
        if left[best] >= 0:
            ranks[best] = rank
    return ranks
