"""What a user is shown of a frame, and what of it is kept in the tracks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..video.fitting import Fit
from .results import FrameResult, Shown, frame_result
from .track import ObjectTrack

Tracks = Mapping[int, ObjectTrack]


def keep(result: FrameResult, tracks: Tracks) -> FrameResult:
    """Keep the masks of a result; returns it with what was kept."""
    result = replace(result, objects={i: one.keeping() for i, one in result.items()})
    for i, one in result.items():
        tracks[i].shown.put(result.frame, Shown.of(one))
    return result


def with_locked(result: FrameResult, tracks: Tracks) -> FrameResult:
    """A result together with the objects whose masks are locked on its frame, in the order of the tracks."""
    t = result.frame
    together = {**result, **{i: track.shown[t].result(i, None) for i, track in tracks.items() if track.locked(t)}}
    return replace(result, objects={i: together[i] for i in tracks if i in together})


def known(t: int, fit: Fit, tracks: Tracks, *, apart: bool) -> FrameResult:
    """All that is known of a frame: what was kept of it, else the newest answers."""
    answers = {i: track.known(t) for i, track in tracks.items()}
    fresh = frame_result(t, fit, {i: one for i, one in answers.items() if one is not None}, apart=apart)
    kept = {i: track.shown.get(t) for i, track in tracks.items()}
    found = {i: fresh.get(i) if one is None else one.result(i, fresh.get(i)) for i, one in kept.items()}
    return FrameResult(t, fit.frame, {i: one for i, one in found.items() if one is not None})
