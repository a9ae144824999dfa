"""Choices of automatic masklets: what becomes an object, and when it ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from ..model.config import HieraConfig
from ..model.sam2 import Sam2
from .automatic import AutomaticOptions
from .crops import points_of
from .options import SessionOptions

PAPER_GRIDS = (32, 16, 4)
"""Clicks a side on the first frame, on its 2 x 2 and on its 4 x 4 crops (SAM 2, section 5.1)."""
USUAL_SIZE = 1037, 1401
"""Mean height and width of the videos of SA-V, for which the paper counts small areas in pixels."""


@dataclass(frozen=True)
class MaskletOptions:
    """What becomes an object, how long it lives, and how many do.

    Attributes:
        masks: How the first frame is asked, and which masks are kept there and later.
        later_grid: Clicks a side on later keyframes, of which only those are asked that no object covers.
        every: Frames from one keyframe to the next; None: only the first frame and scene cuts are keyframes.
        most_objects: Most objects that live at a time; more are not begun.
        prefer: Which masks are begun first: ``confident``, by predicted IoU times stability; ``large``, by area.
        most_covered: A mask of a later keyframe is a new object when at most this share of it is covered by objects.
        least_confidence: On a frame where its confidence (predicted IoU times the probability of being there) is lower,
            an object counts as not seen.
        patience: After so many frames in a row in which it is not seen an object ends with the last one in which it is.
        most_overlap: IoU above which two objects are the same.
        window: Frames in a row after which the one of two such objects that has the lower confidence ends.
        small_area: Holes and specks below so many pixels are repaired on every frame; smaller masks become no objects.
        scale_area: Count these pixels in a video of the usual size of SA-V's and scale them with the video's area.
        session: How objects are followed; with ``scene_cuts``, new ones are looked for at cuts, too.
    """

    masks: AutomaticOptions = field(default_factory=lambda: AutomaticOptions(grids=PAPER_GRIDS))
    later_grid: int = 32
    every: int | None = 24
    most_objects: int = 64
    prefer: Literal["confident", "large"] = "confident"
    most_covered: float = 0.5
    least_confidence: float = 0.5
    patience: int = 12
    most_overlap: float = 0.8
    window: int = 8
    small_area: int = 200
    scale_area: bool = False
    session: SessionOptions = field(default_factory=lambda: SessionOptions(scene_cuts=True, undo_levels=0))

    def __post_init__(self) -> None:
        points_of(self.later_grid)
        least = {"every": 1, "most_objects": 1, "patience": 1, "window": 1, "small_area": 0}
        for name, value in least.items():
            got = getattr(self, name)
            if got is not None and got < value:
                raise ValueError(f"{name} must be at least {value}, got {got}")
        for name in ("most_covered", "least_confidence", "most_overlap"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be 0 to 1, got {getattr(self, name)}")
        if self.prefer not in ("confident", "large"):
            raise ValueError(f"prefer must be 'confident' or 'large', got {self.prefer!r}")
        if not self.session.keep_results:
            raise ValueError("masklets are made of what the session keeps: SessionOptions(keep_results=True)")

    @staticmethod
    def suited(model: Sam2, **changes: Any) -> MaskletOptions:
        """Options for a model: for ``nano``, which is less sure and meant for a CPU, lower thresholds and fewer clicks.

        Its grids are 16 x 16 and 8 x 8 on 2 x 2 crops: 512 clicks and 5 encodings of the first frame, the paper's are
        2304 and 21.
        """
        if isinstance(model.config.trunk, HieraConfig):
            return MaskletOptions(**changes)
        nano = {
            "masks": AutomaticOptions.suited(model, grids=(16, 8)),
            "later_grid": 16,
            "most_objects": 32,
            "least_confidence": 0.3,
        }
        return MaskletOptions(**{**nano, **changes})

    def least_area(self, size: tuple[int, int]) -> int:
        """Pixels below which a hole, a speck or a mask is small, in a video of some height and width."""
        if not self.scale_area:
            return self.small_area
        return round(self.small_area * (size[0] * size[1]) / (USUAL_SIZE[0] * USUAL_SIZE[1]))
