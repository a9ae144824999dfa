"""Scores of a model on data that was held back, while it is trained and after."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..data.records import AnnotatedVideo, VideoDataset
    from ..model.sam2 import Sam2

Scorer = Callable[["Sam2"], dict[str, float]]
MOST_IMAGES = 50


def make_scorer(path: str, most_videos: int | None = None, tracked_clicks: tuple[int, ...] = (1, 3)) -> Scorer:
    """What gives the scores of a model on a data set; it can be sent to other processes.

    On images: mean IoU over the masks of the first ``MOST_IMAGES``, from 1 click, 3 clicks and the exact box. On
    videos: J and F (means over videos) from the first-frame mask and from clicks, and mean IoU over the masks of the
    first frames, from 1 click and 3 clicks.

    Args:
        path: The data set, in any format.
        most_videos: Take the first so many videos only.
        tracked_clicks: Numbers of clicks from which videos are tracked.

    Raises:
        FileNotFoundError: It is not there.
        ValueError: It has no mask of use, or a damaged one: of videos, all masks are read here.
    """
    from ..data.open import open_dataset
    from ..data.regions import first_frame_regions
    from ..evaluation.vos import scored_frames

    dataset = open_dataset(path)
    if dataset.stills:
        if most_videos is not None:
            raise ValueError(f"{path} holds images ({dataset.format}): leave the number of videos out")
        if next(first_frame_regions(islice(dataset, MOST_IMAGES)), None) is None:
            raise ValueError(f"the first {MOST_IMAGES} images of {path} have no mask: look with `masklet data check`")
        return partial(_score_images, dataset)
    if most_videos is not None and most_videos < 1:
        raise ValueError(f"expected at least 1 video to score, got {most_videos}")
    for video in islice(dataset, most_videos):
        scored_frames(video, video.first_frames())
    return partial(_score_videos, dataset, most_videos, tracked_clicks)


def _score_images(dataset: VideoDataset, model: Sam2) -> dict[str, float]:
    return _iou(model, islice(dataset, MOST_IMAGES), boxes=True)


def _score_videos(
    dataset: VideoDataset, most: int | None, tracked_clicks: tuple[int, ...], model: Sam2
) -> dict[str, float]:
    from ..evaluation.vos import evaluate_vos
    from ..inference.adapters import SessionTracker

    tracker, scores = SessionTracker(model), {}
    for clicks in (0, *tracked_clicks):
        prompt, name = ("click", f" {_counted(clicks)}") if clicks else ("mask", "")
        score = evaluate_vos(tracker, islice(dataset, most), prompt, clicks=clicks)
        scores |= {f"J{name}": score.j, f"F{name}": score.f}
    return scores | _iou(model, islice(dataset, most), boxes=False)


def _iou(model: Sam2, videos: Iterable[AnnotatedVideo], boxes: bool) -> dict[str, float]:
    from ..data.regions import first_frame_regions
    from ..evaluation.images import evaluate_images
    from ..inference.adapters import PredictorSegmenter

    segmenter = PredictorSegmenter(model)

    def logits():
        assert segmenter.logits is not None
        return segmenter.logits

    score = evaluate_images(segmenter, first_frame_regions(videos), boxes=boxes, logits=logits)
    scores = {f"IoU {_counted(clicks)}": value for clicks, value in score.after_clicks.items()}
    return scores if score.box is None else scores | {"IoU box": score.box}


def _counted(clicks: int) -> str:
    return f"{clicks} click" if clicks == 1 else f"{clicks} clicks"
