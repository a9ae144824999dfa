"""Our session and predictor behind the protocols of :mod:`masklet.tracker`, for evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from ..model.sam2 import Sam2
from ..video.fitting import Fitting
from .automatic import AutomaticMasks, AutomaticOptions
from .image import ImagePredictor
from .options import SessionOptions
from .region_session import RegionSession
from .session import VideoSession


class SessionTracker:
    """A :class:`~masklet.tracker.Tracker` of one model and one set of options.

    Args:
        model: The model.
        options: Of its sessions.
        around: Track small objects in windows so many times as large (:class:`.region_session.RegionSession`); None:
            not so.
    """

    def __init__(self, model: Sam2, options: SessionOptions | None = None, *, around: float | None = None) -> None:
        self.around = around
        self.model, self.options = model, replace(options or SessionOptions(), keep_results=False, undo_levels=0)
        self.session: VideoSession | RegionSession | None = None

    def open(self, source: Any) -> None:
        """Start on a new video."""
        if self.session is not None:
            self.session.close()
        if self.around is None:
            self.session = VideoSession(source, self.model, options=self.options)
        else:
            self.session = RegionSession(source, self.model, around=self.around, options=self.options)

    def _opened(self) -> VideoSession | RegionSession:
        if self.session is None:
            raise RuntimeError("no video is open: call open(source) first")
        return self.session

    def prompt(
        self, frame: int, object_id: int, *, points: Any = None, labels: Any = None, box: Any = None, mask: Any = None
    ) -> Bool[np.ndarray, "h w"]:
        """Prompt an object anew on a frame."""
        result = self._opened().prompt(frame, object_id, points=points, labels=labels, box=box, mask=mask, clear=True)
        return result.mask

    def propagate(
        self, *, start: int | None = None, stop: int | None = None, reverse: bool = False
    ) -> Iterator[tuple[int, dict[int, Bool[np.ndarray, "h w"]]]]:
        """Masks of each frame."""
        direction = "backward" if reverse else "forward"
        for result in self._opened().propagate(start=start, stop=stop, direction=direction):
            yield result.frame, result.masks


class AutomaticProposer:
    """A :class:`~masklet.tracker.MaskProposer`: automatic masks, also those that are kept from users as unsure."""

    def __init__(self, model: Sam2, options: AutomaticOptions | None = None) -> None:
        self.generator = AutomaticMasks(model, options or AutomaticOptions(least_iou=0.0, least_stability=0.0))

    def propose(self, image: Any) -> list[Mapping[str, Any]]:
        """Masks by descending predicted IoU."""
        return [one.rle for one in self.generator.generate(image)]


class PredictorSegmenter:
    """An :class:`~masklet.tracker.ImageSegmenter` that also gives the logits of its last answer."""

    def __init__(self, model: Sam2, *, fit: Fitting = "stretch") -> None:
        self.predictor = ImagePredictor(model, fit=fit)
        self.logits: Float[np.ndarray, "m h4 w4"] | None = None

    def set_image(self, image: Any) -> None:
        """Encode an RGB image."""
        self.predictor.set_image(image)

    def predict(
        self,
        *,
        points: Any = None,
        labels: Any = None,
        box: Any = None,
        mask_logits: Any = None,
        multimask: bool = True,
    ) -> tuple[Bool[np.ndarray, "m h w"], Float[np.ndarray, " m"]]:
        """Candidate masks and their predicted IoU."""
        result = self.predictor.predict(points=points, labels=labels, box=box, logits=mask_logits, multimask=multimask)
        self.logits = result.low_logits
        return result.masks, result.iou

    def segment_batch(
        self, images: Sequence[Any], clicks: Sequence[tuple[float, float]]
    ) -> list[tuple[Bool[np.ndarray, "m h w"], Float[np.ndarray, " m"]]]:
        """Candidate masks for a click on each image."""
        embeddings = self.predictor.encode(images)
        results = [self.predictor.predict(points=[c], embedding=e) for c, e in zip(clicks, embeddings, strict=True)]
        return [(result.masks, result.iou) for result in results]
