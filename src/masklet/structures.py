"""Frozen values that cross files: what the four calls of the model take and return.

Conventions everywhere: maps are ``b c h w``, tokens ``b n c``, points ``(x, y)`` in pixels, boxes
``(x0, y0, x1, y1)`` in pixels, a mask is where its logit is above 0, time is counted in frames.
"""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class FrameFeatures:
    """What the image encoder says of a frame; computed once, used by every object and click.

    Attributes:
        embedding: Stride-16 map, not conditioned on memory.
        skip8: Stride-8 map for the mask decoder's upscaling.
        skip4: Stride-4 map for the mask decoder's upscaling.
    """

    embedding: Float[Tensor, "b c h w"]
    skip8: Float[Tensor, "b c8 h8 w8"]
    skip4: Float[Tensor, "b c4 h4 w4"]

    def take(self, index: Int[Tensor, " n"]) -> FrameFeatures:
        """Features of the images at ``index``: one row an object when objects share images."""
        return FrameFeatures(self.embedding[index], self.skip8[index], self.skip4[index])


@dataclass(frozen=True)
class Prompts:
    """Prompts of a batch of objects, in pixels of the model's input.

    Attributes:
        points: Clicks and box corners, corners first. None: no sparse prompt at all.
        labels: 1 positive, 0 negative, 2 box top-left, 3 box bottom-right, -1 padding.
        mask: A binary mask at the model's input size that *is* the answer (paper, section 4: mask prompt).
        previous_logits: Stride-4 logits of an earlier answer, which the new one refines.
    """

    points: Float[Tensor, "b n 2"] | None = None
    labels: Int[Tensor, "b n"] | None = None
    mask: Float[Tensor, "b 1 h w"] | None = None
    previous_logits: Float[Tensor, "b 1 h4 w4"] | None = None

    @property
    def count(self) -> int:
        """Number of points an object has, box corners included."""
        return 0 if self.points is None else self.points.shape[1]


@dataclass(frozen=True)
class Prediction:
    """What the mask decoder says of one frame, for a batch of objects.

    Attributes:
        logits: Chosen mask at stride 4; ``ABSENT_LOGIT`` everywhere where the object is absent.
        iou: Predicted IoU of the chosen mask, 0..1.
        presence: Object presence logit; above 0 means that the object is in the frame.
        pointer: Object pointer, already replaced by the no-object pointer where absent.
        candidates: All returned masks at stride 4 (three for an ambiguous prompt, else one), not gated by presence.
        candidate_iou: Predicted IoU of each candidate.
        masks: All four masks of the decoder: mask 0 answers clear prompts, masks 1..3 ambiguous ones; for training.
        masks_iou: Predicted IoU of each of the four.
        from_prompt: True where the mask was made with a user's prompt on this frame.
    """

    logits: Float[Tensor, "b 1 h4 w4"]
    iou: Float[Tensor, " b"]
    presence: Float[Tensor, " b"]
    pointer: Float[Tensor, "b c"]
    candidates: Float[Tensor, "b m h4 w4"]
    candidate_iou: Float[Tensor, "b m"]
    masks: Float[Tensor, "b 4 h4 w4"] | None = None
    masks_iou: Float[Tensor, "b 4"] | None = None
    from_prompt: bool = False

    @property
    def nbytes(self) -> int:
        """Bytes of its tensors."""
        return sum(value.nbytes for value in vars(self).values() if isinstance(value, Tensor))


@dataclass(frozen=True)
class MemoryEntry:
    """What the memory bank keeps of one frame of one object (or of a batch of objects).

    Attributes:
        features: Memory map at stride 16; None once only the pointer can still be read.
        pointer: Object pointer.
    """

    features: Float[Tensor, "b m h w"] | None
    pointer: Float[Tensor, "b c"]

    @property
    def nbytes(self) -> int:
        """Bytes of its tensors."""
        return self.pointer.nbytes + (0 if self.features is None else self.features.nbytes)


@dataclass(frozen=True)
class Selection:
    """What a frame may read of the memory bank, in the order in which the tokens are laid out.

    Attributes:
        maps: ``(slot, entry)``: ``slot`` is the row of the learned temporal codes, the last row for prompted frames,
            row 0 for the previous frame.
        pointers: ``(offset, entry)``: signed distance in frames to the current one.
        pointer_span: What pointer distances are divided by.
    """

    maps: tuple[tuple[int, MemoryEntry], ...] = ()
    pointers: tuple[tuple[int, MemoryEntry], ...] = ()
    pointer_span: int = 15

    @property
    def empty(self) -> bool:
        """True when nothing can be read: the frame is treated as a single image."""
        return not self.maps and not self.pointers

    @property
    def signature(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Slots and offsets: objects with equal signatures can be batched."""
        return tuple(s for s, _ in self.maps), tuple(o for o, _ in self.pointers)
