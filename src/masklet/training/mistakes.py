"""Mistakes put into memory, so that a short clip teaches what a long video asks: to come back from one's own errors.

A tracker that loses a part of an object, or takes in something beside it, reads that mask again on every later frame.
Clips of 6 to 8 frames are too short for such errors to build up by themselves; here the masks that are remembered lose
or gain a part from some frame on, while the truth stays what it is. Deformed masks as training input: MaskTrack (arXiv
1612.02646), there for the one frame before.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

LOSES = 0.65  # share of mistakes that are a lost part; the others are something taken in
REACH = (0.15, 0.65)  # radius of the part, as a share of the root of the area of the object's box
SURE = 6.0  # logit of a mistake


class Mistakes:
    """What goes wrong in each object of a batch of clips.

    Args:
        chance: Chance that something goes wrong with an object at all.
        frames: Length of the clips.
        objects: Objects a clip.
        places: One generator a clip; as many draws whatever happens.
    """

    def __init__(self, chance: float, frames: int, objects: int, places: Sequence[np.random.Generator]) -> None:
        draws = np.concatenate([rng.random((objects, 6)) for rng in places])
        self.first = np.where(draws[:, 0] < chance, 1 + (draws[:, 1] * max(frames - 2, 1)).astype(int), frames)
        self.loses = draws[:, 2] < LOSES
        self.angle, self.distance = 2 * np.pi * draws[:, 3], np.sqrt(draws[:, 4])
        self.reach = REACH[0] + (REACH[1] - REACH[0]) * draws[:, 5]

    def remembered(self, step: int, logits: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 1 h w"]:
        """The logits of a tracked frame as they are remembered; the same place of the object on every frame."""
        return torch.stack(
            [self._spoilt(row, one) if step >= self.first[row] else one for row, one in enumerate(logits)]
        )

    def _spoilt(self, row: int, logits: Float[Tensor, "1 h w"]) -> Float[Tensor, "1 h w"]:
        mask = logits[0] > 0
        if not bool(mask.any()):
            return logits
        wrong = logits.clamp(max=-SURE) if self.loses[row] else logits.clamp(min=SURE)
        return torch.where(self._part(row, mask), wrong, logits)

    def _part(self, row: int, mask: Bool[Tensor, "h w"]) -> Bool[Tensor, "h w"]:
        """A disc at a place that is fixed to the object's box: on its outline where something is taken in."""
        y, x = torch.nonzero(mask, as_tuple=True)
        low_x, high_x, low_y, high_y = (float(v) for v in (x.min(), x.max() + 1, y.min(), y.max() + 1))
        radius = self.reach[row] * float(np.sqrt((high_x - low_x) * (high_y - low_y)))
        out = self.distance[row] if self.loses[row] else 1.0
        centre_x = (low_x + high_x) / 2 + out * np.cos(self.angle[row]) * (high_x - low_x) / 2
        centre_y = (low_y + high_y) / 2 + out * np.sin(self.angle[row]) * (high_y - low_y) / 2
        rows = torch.arange(mask.shape[0], device=mask.device)[:, None] + 0.5
        columns = torch.arange(mask.shape[1], device=mask.device)[None] + 0.5
        return (rows - centre_y) ** 2 + (columns - centre_x) ** 2 < radius**2
