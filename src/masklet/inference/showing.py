"""What a user is shown of a frame, and what of it is kept in the tracks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..interaction.prompts import UserPrompt
from ..structures import Prediction
from ..video.fitting import Fit
from .results import FrameResult, Shown, frame_result
from .track import ObjectTrack

Tracks = Mapping[int, ObjectTrack]


def answered(
    t: int, fit: Fit, answers: Mapping[int, Prediction], tracks: Tracks, *, apart: bool, kept: bool
) -> FrameResult:
    """Answers of a frame as a result, together with the objects that are settled there.

    Args:
        t: The frame.
        fit: Where the frame lies in the model's input.
        answers: By object.
        tracks: All objects; their order is that of the result.
        apart: No two objects share a pixel; settled ones keep theirs.
        kept: Keep the masks in the tracks.
    """
    settled = {
        i: track.shown[t].result(i, None) for i, track in tracks.items() if i not in answers and track.settled(t)
    }
    fresh = frame_result(t, fit, answers, apart=apart).objects
    if apart and settled:
        taken = np.any([one.mask for one in settled.values()], axis=0)
        fresh = {i: one.without(taken) for i, one in fresh.items()}
    if kept:
        fresh = {i: one.keeping() for i, one in fresh.items()}
        for i, one in fresh.items():
            tracks[i].shown.put(t, Shown.of(one))
    together = {**fresh, **settled}
    return FrameResult(t, fit.frame, {i: together[i] for i in tracks if i in together})


def known(t: int, fit: Fit, tracks: Tracks, *, apart: bool) -> FrameResult:
    """All that is known of a frame: what was kept of it, else the newest answers."""
    tracks = {i: track for i, track in tracks.items() if track.lives(t)}
    answers = {i: track.known(t) for i, track in tracks.items()}
    fresh = frame_result(t, fit, {i: one for i, one in answers.items() if one is not None}, apart=apart)
    kept = {i: track.shown.get(t) for i, track in tracks.items()}
    found = {i: fresh.get(i) if one is None else one.result(i, fresh.get(i)) for i, one in kept.items()}
    return FrameResult(t, fit.frame, {i: one for i, one in found.items() if one is not None})


def check_seen(object_id: int, given: UserPrompt, answer: Prediction, image_size: int) -> None:
    """Raise ValueError if a mask that was given is too small for the model's input of some size."""
    if given.mask is not None and not (answer.logits > 0).any():
        raise ValueError(
            f"the mask of object {object_id} covers {int(given.mask.sum())} of {given.mask.size} pixels, which is less "
            f"than the model can see at an input of {image_size}: load it with a larger image_size, or crop the video"
        )
