"""What one process of an evaluation does with a video: tracks or segments it, scores it, gives plain values."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data.open import open_dataset
from ..data.regions import first_frame_regions
from .images import ImageScore, Logits, MaskScore, iter_images
from .interactive import iter_interactive
from .plain_values import from_plain, to_plain
from .prediction_folders import Layout, PredictionWriter
from .predictions import score_predicted
from .recall import RecallScore, iter_recall
from .rules import RULES
from .runs import Do, Unit
from .scores import InteractiveScore, SequenceScore, VosScore
from .suites import AUTOMATIC, IMAGES, MODES, PREDICTIONS, PROMPTS
from .vos import Later, score_sequence

if TYPE_CHECKING:
    from ..data.records import AnnotatedVideo, VideoDataset
    from ..tracker import ImageSegmenter, MaskProposer, Tracker

CLICKS = (1, 3, 5)


@dataclass(frozen=True)
class Subject:
    """What is evaluated.

    Attributes:
        tracker: For videos; None: it has none.
        segmenter: For images; None: it has none.
        logits: Gives the low-resolution logits of the segmenter's last answer, which the next click refines.
        proposer: For automatic masks of images; None: it has none.
    """

    tracker: Tracker | None = None
    segmenter: ImageSegmenter | None = None
    logits: Logits | None = None
    proposer: MaskProposer | None = None


@dataclass(frozen=True)
class Work:
    """A :data:`~masklet.evaluation.runs.Prepare`: opens the data and the subject once in each process.

    Attributes:
        data: Address of the data set.
        subject: Makes what is evaluated; can be sent to other processes. None: predictions on disk are.
        rule: Name of the rule that scores videos.
        later: How objects that appear later than others are tracked.
        format: Of the data set; None: it is recognised.
        split: Of the data set.
        masks: Folder in which the masks of prompted videos are kept, one folder a prompt; None: they are not.
        layout: How they are kept, and how predictions on disk lie.
        predictions: Folder of predictions to be scored.
        masks_per_image: Most masks of an image that are scored, always the same ones; None: all.
    """

    data: str
    subject: Callable[[], Subject] | None
    rule: str = "plain"
    later: Later = "together"
    format: str | None = None
    split: str | None = None
    masks: str | None = None
    layout: Layout = "merged"
    predictions: str | None = None
    masks_per_image: int | None = None

    def __call__(self) -> Do:
        """Open everything."""
        dataset = open_dataset(self.data, self.format, self.split)
        return partial(self._do, dataset, Subject() if self.subject is None else self.subject())

    def _do(self, dataset: VideoDataset, subject: Subject, unit: Unit) -> Any:
        video = dataset[unit.index]
        if unit.group == PREDICTIONS:
            assert self.predictions is not None
            return to_plain(score_predicted(video, Path(self.predictions), RULES[self.rule], self.layout))
        if unit.group == IMAGES:
            if subject.segmenter is None:
                raise TypeError("this tracker segments no images: take one that does")
            samples = first_frame_regions([video], limit=self.masks_per_image)
            return to_plain(list(iter_images(subject.segmenter, samples, CLICKS, logits=subject.logits)))
        if unit.group == AUTOMATIC:
            if subject.proposer is None:
                raise TypeError("this tracker finds no masks by itself: take a model")
            samples = first_frame_regions([video], limit=self.masks_per_image)
            return to_plain(list(iter_recall(subject.proposer, samples)))
        if subject.tracker is None:
            raise TypeError("this subject tracks no videos: take one that does")
        if unit.group in MODES:
            return to_plain(list(iter_interactive(subject.tracker, video, unit.group)))
        return to_plain(self._track(subject.tracker, video, unit.group))

    def _track(self, tracker: Tracker, video: AnnotatedVideo, group: str) -> SequenceScore:
        prompt, clicks = PROMPTS[group]
        writer = None if self.masks is None else PredictionWriter(Path(self.masks) / group, self.layout)
        score = score_sequence(
            tracker,
            video,
            prompt,
            clicks=clicks,
            rule=RULES[self.rule],
            later=self.later,
            on_frame=None if writer is None else writer.add,
        )
        if writer is not None:
            writer.finish(video, [o.object_id for o in score.objects])
        return score


@dataclass
class Gathered:
    """Results of units as scores again, in the order of the data set.

    Attributes:
        vos: Scores by prompt.
        interactive: Scores by mode.
        images: Scores of masks, in one set.
        automatic: Scores of masks to be found by automatic ones, in one set.
    """

    vos: dict[str, VosScore] = field(default_factory=dict)
    interactive: dict[str, tuple[InteractiveScore, ...]] = field(default_factory=dict)
    images: dict[str, ImageScore] = field(default_factory=dict)
    automatic: dict[str, tuple[RecallScore, ...]] = field(default_factory=dict)


def gather(results: Iterable[tuple[Unit, Any]], images: str = "images") -> Gathered:
    """Put the results of a run together, whatever order they came in.

    Args:
        results: Each unit with its plain values.
        images: What the set of images is called.
    """
    by_group: dict[str, dict[int, Any]] = {}
    for unit, result in results:
        by_group.setdefault(unit.group, {})[unit.index] = result
    gathered = Gathered()
    for group, found in by_group.items():
        ordered = [found[index] for index in sorted(found)]
        if group in MODES:
            scores = [from_plain(InteractiveScore, one, group) for each in ordered for one in each]
            gathered.interactive[group] = tuple(scores)
        elif group == IMAGES:
            masks = tuple(from_plain(MaskScore, one, group) for each in ordered for one in each)
            if masks:
                gathered.images[images] = ImageScore(masks)
        elif group == AUTOMATIC:
            gathered.automatic[images] = tuple(from_plain(RecallScore, one, group) for each in ordered for one in each)
        else:
            name = "mask" if group == PREDICTIONS else group
            gathered.vos[name] = VosScore(tuple(from_plain(SequenceScore, one, group) for one in ordered))
    return gathered
