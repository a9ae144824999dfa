"""Choices of a video session that change masks; everything else is the model's."""

from __future__ import annotations

from dataclasses import dataclass

from ..video.fitting import Fitting, check_fitting
from ..video.pixels import Resample
from .corrections import Correction, check_correction


@dataclass(frozen=True)
class SessionOptions:
    """Post-processing and memory policy.

    Attributes:
        fit: How frames fill the model's input: ``stretch`` (official), ``letterbox``, ``native`` or a height and width;
            see :mod:`~masklet.video.fitting`.
        resample: Resize filter from frame to input; ``official_video`` for the digits of the official predictor.
        stability_fallback: An unstable single mask gives way to the best of three (official default).
        binarize_prompted: Memories of prompted frames are made from sharp masks (official default).
        fill_holes: Holes of at most this many pixels are closed, counted on the 256 x 256 logits of a 1024-pixel
            input and scaled with the input's area (official 8; needs no GPU here).
        keep_corrections: A corrected frame becomes prompted memory and keeps the mask the user saw. The official
            predictor treats it as an ordinary memory and computes the frame anew when tracking passes it.
        refine_replaced: Clicks that replace earlier ones refine the answer to these (official); off, they begin anew.
        keep_cleared: A frame whose prompts are taken back stays remembered as one that was tracked (official); off, all
            that is known of it goes, and with its last prompt all that is known of the object.
        correction: How a prompt on a tracked frame takes effect unless it says so itself; see
            :mod:`~masklet.inference.corrections`. Without ``keep_corrections`` it is always ``blend``.
        non_overlap: Objects share no pixel; the highest logit wins.
        max_prompted: Prompted frames that one frame may read, nearest first; None: all (official).
        clip_length_codes: Pointer distances are divided by the clip's length if that is below 16 (official); off, the
            masks of a frame do not depend on how much video follows it, so that live and file sessions agree.
        scene_cuts: Begin recent memory anew where the video cuts to another scene
            (:mod:`~masklet.video.scene_cuts`); prompted memory stays.
        prune: Drop memories that can no longer be read. Off only for tests: masks are the same, memory grows.
        object_batch: Most objects in one pass of the model; 1 makes each object independent of the others' number to
            the last bit. None: 8 for small inputs, 1 for large ones, where a batch is slower on a CPU.
        keep_results: Keep every mask that was shown as run lengths, for ``frame_result``; some 0.3 to 2 kilobytes an
            object and frame. Live sessions keep those of the frames that they can go back to.
        max_ram_mb: What such masks may take in memory, in megabytes; the oldest of more are moved to a temporary file
            and read from there. None: no bound.
        recent_maps: Memory maps of frames just before that a frame may read: fewer are faster and worse. None: as many
            as the model was trained with.
        pool_memory: Read 2x2 places of a memory map as one, which is faster and worse (on a CPU in float32).
        encode_every: Encode only every so many frames of those that are tracked; the features of the others are those
            of the last one, moved by optical flow. Faster and worse; 1: all. Prompts always see their own frame.
        undo_levels: Most actions that can be undone; 0: none.
        undo_mb: What they may keep of memory that the session itself has dropped, in megabytes.
    """

    fit: Fitting = "stretch"
    resample: Resample = "masklet"
    stability_fallback: bool = True
    binarize_prompted: bool = True
    fill_holes: int = 8
    keep_corrections: bool = True
    refine_replaced: bool = False
    keep_cleared: bool = False
    correction: Correction = "blend"
    non_overlap: bool = False
    max_prompted: int | None = None
    clip_length_codes: bool = False
    scene_cuts: bool = False
    prune: bool = True
    object_batch: int | None = None
    keep_results: bool = True
    max_ram_mb: float | None = 4.0
    recent_maps: int | None = None
    pool_memory: bool = False
    encode_every: int = 1
    undo_levels: int = 100
    undo_mb: float = 256.0

    def __post_init__(self) -> None:
        check_correction(self.correction)
        check_fitting(self.fit)
        if self.max_ram_mb is not None and not self.max_ram_mb >= 0:
            raise ValueError(f"max_ram_mb must be at least 0, or None for no bound, got {self.max_ram_mb}")
        if self.recent_maps is not None and self.recent_maps < 0:
            raise ValueError(f"recent_maps must be at least 0, or None for the model's own, got {self.recent_maps}")
        if self.encode_every < 1:
            raise ValueError(f"encode_every must be at least 1, got {self.encode_every}")

    @staticmethod
    def official(**changes: object) -> SessionOptions:
        """The behaviour of the official predictor, to the digit (its hole filling included)."""
        base = {
            "resample": "official_video",
            "keep_corrections": False,
            "refine_replaced": True,
            "keep_cleared": True,
            "clip_length_codes": True,
            "object_batch": 1,
        }
        return SessionOptions(**{**base, **changes})  # pyright: ignore[reportArgumentType]

    @staticmethod
    def benchmark() -> SessionOptions:
        """As the published video object segmentation numbers were made: no post-processing, no overlap."""
        return SessionOptions(
            stability_fallback=False, binarize_prompted=False, fill_holes=0, non_overlap=True, clip_length_codes=True
        )
