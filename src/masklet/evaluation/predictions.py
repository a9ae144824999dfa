"""Scoring of predictions that lie on disk: looked through first, so that nothing faulty is scored."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..data.check import Fault, described
from ..data.records import AnnotatedVideo, VideoDataset
from .prediction_check import check_predictions, check_video, some, unknown_ids
from .prediction_folders import BadPredictions, Layout, read_predictions
from .rules import RULES, Rule
from .scores import SequenceScore
from .scoring import FrameMasks, score_frames

log = logging.getLogger(__name__)
_FAULTS = (ValueError, LookupError, OSError)


def score_predictions(
    dataset: VideoDataset,
    folder: str | os.PathLike[str],
    rule: Rule = RULES["plain"],
    layout: Layout = "merged",
) -> Iterator[SequenceScore]:
    """Look through all predictions, then yield the score of one video after the other.

    What only decoding shows does not end this: the other videos are scored, and the error after the last names all.
    Arguments as for :func:`check_predictions`, whose notes are logged.

    Raises:
        BadPredictions: Something is wrong with them; before the first score where a look through shows it.
        FileNotFoundError: There is no such folder.
    """
    found = check_predictions(dataset, folder, rule, layout)
    if found.faults:
        raise BadPredictions(found.faults)
    for note in found.notes:
        log.info("%s: %s", note.file, note.fault)
    faults: list[Fault] = []
    for video in dataset:
        try:
            score = score_predicted(video, Path(folder), rule, layout)
        except BadPredictions as error:
            faults += error.faults
        else:
            yield score
    if faults:
        raise BadPredictions(faults)


def score_predicted(
    video: AnnotatedVideo, folder: Path, rule: Rule = RULES["plain"], layout: Layout = "merged"
) -> SequenceScore:
    """Score the predictions of one video, after a look through them; arguments as for :func:`check_predictions`.

    An object that no label map shows counts as empty, which is logged.

    Raises:
        BadPredictions: Something is wrong with them, or with the truth; all of it is listed.
    """
    found = check_video(video, folder, rule, layout)
    if found.faults:
        raise BadPredictions(found.faults)
    shown: set[int] = set()
    try:
        frames = read_predictions(video, folder, layout, rule.one_object)
        score = score_frames(video, _noting(frames, shown), rule)
        if layout == "merged":
            wrong = unknown_ids(video, shown, {o.object_id for o in score.objects}, rule)
            if wrong:
                raise BadPredictions((Fault(video.name, str(folder / video.name), wrong),))
    except BadPredictions:
        raise
    except _FAULTS as error:
        raise BadPredictions((Fault(video.name, str(folder / video.name), described(error)),)) from error
    never = [o.object_id for o in score.objects if o.object_id not in shown]
    if never:
        log.warning("%s: no map shows object %s, which counts as empty", folder / video.name, some(never))
    return score


def _noting(frames: Iterable[tuple[int, FrameMasks]], shown: set[int]) -> Iterator[tuple[int, FrameMasks]]:
    for frame, masks in frames:
        shown.update(masks)
        yield frame, masks
