"""What is said of a session to those who look at it: its state, its scores, and masks as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..inference.results import ObjectResult, Shown, probability
from ..inference.track import FOREVER, ObjectTrack
from ..interaction.prompts import UserPrompt
from ..masks import rle
from ..masks.palette import object_colors
from .bodies import optional
from .object_lane import ObjectLane
from .phases import Annotating, as_json

_DIGITS = 4


def mask_json(object_id: int, shown: Shown) -> dict[str, Any]:
    """A mask and its scores."""
    x, y, width, height = rle.box(shown.rle)
    area = rle.area(shown.rle)
    return {
        "object": object_id,
        "frame": shown.frame,
        "counts": shown.rle["counts"],
        "iou": round(shown.iou, _DIGITS),
        "presence": round(shown.presence, _DIGITS),
        "stability": round(shown.stability, _DIGITS),
        "confidence": round(shown.iou * probability(shown.presence), _DIGITS),
        "prompted": shown.prompted,
        "area": area,
        "box": [int(x), int(y), int(x + width), int(y + height)] if area else None,
    }


def _clicks_json(given: UserPrompt) -> dict[str, Any]:
    points = given.points.astype(float).round(1).tolist()
    box = None if given.box is None else given.box.astype(float).round(1).tolist()
    return {"points": points, "labels": given.labels.tolist(), "box_prompt": box}


def result_json(result: ObjectResult) -> dict[str, Any]:
    """A result as its mask."""
    return mask_json(result.object_id, Shown.of(result))


class SessionView:
    """What is to be seen of a session. It remembers what it read, so that long sessions are looked at quickly.

    Args:
        annotating: The session. It must not be worked on while it is looked at.
    """

    def __init__(self, annotating: Annotating) -> None:
        self._annotating, self._session = annotating, annotating.session
        self._lanes: dict[int, ObjectLane] = {}

    @property
    def _length(self) -> int:
        length = self._session.source.length
        assert length is not None
        return length

    def state(self, running: Mapping[str, Any] | None) -> dict[str, Any]:
        """Objects, what can be undone, and what is going on; names and colours are not known here."""
        for gone in self._lanes.keys() - self._session.tracks.keys():
            del self._lanes[gone]
        return {
            "objects": [self._object(i, track) for i, track in self._session.tracks.items()],
            "undo": as_json(self._annotating.next_undo),
            "redo": as_json(self._annotating.next_redo),
            "running": None if running is None else dict(running),
        }

    def masks(self, frames: Iterable[int]) -> list[dict[str, Any]]:
        """All masks on some frames; prompted ones with their clicks."""
        tracks = self._session.tracks
        return [
            self._mask(i, t, track.shown[t])
            for t in frames
            for i, track in tracks.items()
            if t in track.shown and track.lives(t)
        ]

    def result(self, one: ObjectResult) -> dict[str, Any]:
        """A result as its mask."""
        return self._mask(one.object_id, one.frame, Shown.of(one))

    def mask(self, body: Mapping[str, Any]) -> dict[str, Any] | None:
        """The object of an action on its frame, as it is now."""
        i, t = optional(body, "object"), optional(body, "frame")
        track = None if i is None else self._session.tracks.get(i)
        if i is None or track is None or t is None or t not in track.shown:
            return None
        return self._mask(i, t, track.shown[t])

    def scores(self, object_id: int | None) -> dict[str, Any]:
        """Confidence of an object on every frame, None where it has no mask; of all objects as ``scores``.

        They are those of the object's ``version`` in the state.
        """
        if object_id is None:
            return {"scores": [self.scores(i) for i in self._session.tracks]}
        if object_id not in self._session.tracks:
            raise KeyError(f"unknown object {object_id}: known are {self._session.objects or 'none'}")
        lane = self._lane(object_id)
        first, confidence = lane.confidence()
        return {"object": object_id, "version": lane.version, "first": first, "confidence": confidence}

    def suggestions(self, k: int, object_id: int | None) -> list[dict[str, Any]]:
        """Frames to correct next."""
        found = self._session.suggest_frames(k, object_id)
        return [
            {"frame": one.frame, "objects": list(one.objects), "score": one.score, "reasons": list(one.reasons)}
            for one in found
        ]

    def collected(self, every: int) -> dict[str, list[dict[str, Any]]]:
        """Masks of each object on frames 0, every, 2 every ..., and on the prompted ones."""
        if every < 1:
            raise ValueError(f"every must be at least 1, got {every}")
        collected = {}
        for i, track in self._session.tracks.items():
            frames = [t for t in sorted(track.shown) if t % every == 0 or t in track.prompts]
            collected[str(i)] = [
                {**mask_json(i, track.shown[t]), "prompted": t in track.prompts} for t in frames if track.lives(t)
            ]
        return collected

    def _mask(self, i: int, t: int, shown: Shown) -> dict[str, Any]:
        given = self._annotating.given(t, i)
        return mask_json(i, shown) | ({} if given is None else _clicks_json(given))

    def _object(self, i: int, track: ObjectTrack) -> dict[str, Any]:
        lane, (born, dies) = self._lane(i), track.life
        return {
            "number": i,
            "version": lane.version,
            "prompted": sorted(track.prompts),
            "tracked": lane.tracked,
            "locks": [[first, self._last(last)] for first, last in sorted(track.locks.items())],
            "active": [born, self._last(dies)] if track.active else None,
            "absent": lane.absent,
            "said_absent": lane.said_absent,
            "edits": sorted(track.corrections),
        }

    def _lane(self, i: int) -> ObjectLane:
        return self._lanes.setdefault(i, ObjectLane()).update(self._session.tracks[i])

    def _last(self, frame: int) -> int:
        return self._length - 1 if frame >= min(self._length, FOREVER) else frame


def with_rows(state: dict[str, Any], rows: list[dict[str, Any]]) -> dict[str, Any]:
    """A state with what the database knows of objects; those that were never prompted are in it, too."""
    nothing = {"prompted": [], "tracked": [], "locks": [], "active": None, "absent": [], "said_absent": [], "edits": []}
    by_number = {one["number"]: one for one in state["objects"]}
    known = {row["number"]: row for row in rows if row["state"] != "removed" or row["number"] in by_number}
    unknown = {i: _unnamed(i) for i in by_number if i not in known}
    objects = [{**nothing, **by_number.get(i, {}), **row} for i, row in sorted({**known, **unknown}.items())]
    return {**state, "objects": objects}


def _unnamed(number: int) -> dict[str, Any]:
    colour = "#{:02x}{:02x}{:02x}".format(*object_colors([number])[number])
    return {"number": number, "name": f"Object {number}", "colour": colour, "state": "selected", "origin": "manual"}
