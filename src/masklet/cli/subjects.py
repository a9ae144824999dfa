"""What ``masklet eval`` can score: the one place that ties trackers and models to names."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from .compute import fitting

if TYPE_CHECKING:
    from ..evaluation.work import Subject
    from ..tracker import Tracker

Policy = Literal["default", "official", "benchmark", "override", "barrier"]
FLOORS = ("copy-first", "optical-flow")
"""They look at no more than masks, so alone they are asked for no clicks and no boxes."""
OTHERS = ("official", "transformers")


@dataclass(frozen=True)
class SubjectChoice:
    """A tracker by name; can be sent to other processes, where calling it loads it.

    Attributes:
        name: Name, Hugging Face id or file of a model; ``copy-first`` or ``optical-flow``; ``MODEL+copy-first`` or
            ``MODEL+optical-flow``, where a model answers clicks and a floor follows; ``official:MODEL`` or
            ``transformers:MODEL`` for the code of others with the weights of a model.
        image_size: Side of the model's input; None: its own.
        fit: How frames fill it, as ``--fit`` takes it.
        policy: Which :class:`~masklet.inference.options.SessionOptions`.
        device: Where the model runs.
        threads: Of each process; the same masks need the same number.
    """

    name: str
    image_size: int | None = None
    fit: str = "stretch"
    policy: Policy = "default"
    device: str = "cpu"
    threads: int = 1

    def __post_init__(self) -> None:
        if self.threads < 1:
            raise ValueError(f"expected at least 1 thread, got {self.threads}")
        if self.code and self.fit != "stretch":
            raise ValueError(f"got --fit {self.fit} with {self.name}: the code of others takes square input only")

    @property
    def code(self) -> str:
        """Whose code runs the model: of ``OTHERS``, or empty for ours."""
        code = self.name.partition(":")[0]
        return code if code in OTHERS else ""

    @property
    def floor(self) -> str:
        """Which of ``FLOORS`` follows masks, or empty."""
        last = self.name.rpartition("+")[2]
        return last if last in FLOORS else ""

    @property
    def weights(self) -> str:
        """The model, as :func:`masklet.load` takes it; empty for a floor alone."""
        if self.floor:
            return self.name.rpartition("+")[0]
        return self.name.partition(":")[2] if self.code else self.name

    def __call__(self) -> Subject:
        """Load it.

        Raises:
            ValueError: There is no such tracker.
            OSError: The weights cannot be had.
            ImportError: The code of others is not installed.
        """
        import cv2

        from ..evaluation.work import Subject

        cv2.setNumThreads(self.threads)
        if not self.floor:
            return self._of_model()
        followed = _floor(self.floor)
        if not self.weights:
            return Subject(followed)
        from ..baselines.sam_and_tracker import SamAndTracker

        answering = self._of_model()
        assert answering.segmenter is not None
        both = SamAndTracker(answering.segmenter, followed, answering.logits)
        return Subject(both, answering.segmenter, answering.logits)

    def _of_model(self) -> Subject:
        import torch

        from ..checkpoints.load import load
        from ..evaluation.work import Subject
        from ..inference.adapters import AutomaticProposer, PredictorSegmenter, SessionTracker
        from ..inference.options import SessionOptions

        torch.set_num_threads(self.threads)
        model = load(self.weights, image_size=self.image_size, device=self.device)
        if self.code == "official":
            from ..baselines.official_sam2 import OfficialSegmenter, OfficialTracker

            official = OfficialSegmenter(model)
            return Subject(OfficialTracker(model), official, lambda: official.logits)
        if self.code == "transformers":
            from ..baselines.transformers_sam2 import TransformersSegmenter, TransformersTracker

            theirs = TransformersSegmenter(model)
            return Subject(TransformersTracker(model), theirs, lambda: theirs.logits)
        options = {
            "default": SessionOptions(),
            "official": SessionOptions.official(),
            "benchmark": SessionOptions.benchmark(),
            "override": SessionOptions(correction="override"),
            "barrier": SessionOptions(correction="barrier"),
        }[self.policy]
        fit = fitting(self.fit)
        segmenter = PredictorSegmenter(model, fit=fit)
        tracker, proposer = SessionTracker(model, replace(options, fit=fit)), AutomaticProposer(model)
        return Subject(tracker, segmenter, lambda: segmenter.logits, proposer)


def _floor(name: str) -> Tracker:
    if name == "copy-first":
        from ..baselines.copy_first import CopyFirst

        return CopyFirst()
    from ..baselines.optical_flow import OpticalFlow

    return OpticalFlow()
