"""Edits of objects in time: lock, trim, swap, merge and split what was tracked, and say where nothing is to be seen."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from ..interaction.prompts import UserPrompt, check_object_id
from ..masks.rle import decode, union
from .engine import Engine
from .history import Event, History
from .results import Shown
from .track import FOREVER, Note, ObjectTrack, track_of
from .turns import Turns, in_turn


class Edits:
    """Each method is one action, which can be undone. Frames are given by the first and the last, both included.

    It is the ``edit`` of a session. All methods raise KeyError for an unknown object and ValueError for a range that
    ends before it begins.
    """

    def __init__(
        self,
        tracks: dict[int, ObjectTrack],
        engine: Engine,
        history: History,
        saved: Callable[[], None],
        turns: Turns,
    ) -> None:
        self._tracks, self._engine, self._history, self._saved, self._turns = tracks, engine, history, saved, turns

    @in_turn
    def lock(self, object_id: int, first: int | None = None, last: int | None = None) -> None:
        """Keep an object's masks on some frames (None: from the beginning, to the end) whatever is tracked.

        A frame that has no mask yet is locked as soon as it has one. Prompts on locked frames are refused.
        """
        self._need_results("lock")
        begin, end = _range(first, last)
        with self._history.event(Event("lock", object_id, first, last)):
            locks = track_of(self._tracks, object_id).locks
            locks[begin] = max(end, locks.get(begin, end))
        self._saved()

    @in_turn
    def unlock(self, object_id: int, first: int | None = None, last: int | None = None) -> None:
        """Take back the locks of an object on some frames (None: from the beginning, to the end)."""
        begin, end = _range(first, last)
        with self._history.event(Event("unlock", object_id, first, last)):
            locks = track_of(self._tracks, object_id).locks
            stretches = list(locks.items())
            locks.clear()
            for a, b in stretches:
                for left, right in ((a, min(b, begin - 1)), (max(a, end + 1), b)):
                    if left <= right:
                        locks[left] = max(right, locks.get(left, right))
        self._saved()

    @in_turn
    @torch.inference_mode()
    def absent(self, object_id: int, frame: int, last: int | None = None) -> None:
        """Say that an object is not visible on a frame, or on all from it to ``last``: a new object may begin so.

        Its prompts and masks there go. Tracking leaves the frames as they are and remembers that nothing was there.
        A prompt takes it back for its frame, :meth:`present` for many.
        """
        self._need_results("say where there are no")
        object_id, frames = check_object_id(object_id), self._frames(frame, last)
        track = self._tracks.get(object_id) or self._engine.new_track()
        for t in frames:
            track.check_open(t)
        size, low, width = self._engine.source.size, self._engine.fit.low, self._engine.model.config.memory_width
        with self._history.event(Event("absent", object_id, frames[0], frames[-1])):
            track.take(frames[0], frames[-1])
            note, shown = Note.of_absent(low, width), Shown.of_absent(frame, size)
            for t in frames:
                track.notes.put(t, note)  # of which memory is made when a frame reads it
                track.shown.put(t, replace(shown, frame=t))
            self._tracks[object_id] = track
            self._anchor(track, nearest=frame)
        self._saved()

    @in_turn
    def present(self, object_id: int, frame: int, last: int | None = None) -> None:
        """Take :meth:`absent` back on a frame, or on all from it to ``last``: nothing is known of them then."""
        frames, track = self._frames(frame, last), track_of(self._tracks, object_id)
        with self._history.event(Event("present", object_id, frames[0], frames[-1])):
            for t in [t for t in frames if track.absent(t)]:
                track.notes.put(t, None)
                track.shown.put(t, None)
                track.bank.forget(t)
        self._saved()

    @in_turn
    def trim(self, object_id: int, first: int | None = None, last: int | None = None) -> None:
        """Let an object live on some frames only: its masks and prompts on others go, and it is not tracked there."""
        begin, end = _range(first, last)
        track = track_of(self._tracks, object_id)
        with self._history.event(Event("trim", object_id, first, last)):
            track.active.clear()
            track.active[begin] = end
            track.take(-math.inf, begin - 1)
            track.take(end + 1, math.inf)
            self._anchor(track, nearest=begin)
        self._saved()

    @in_turn
    def end(self, object_id: int, last: int) -> None:
        """Let an object end with a frame for good: masks until then stay, and its prompts and all its memory go.

        Cheaper than :meth:`trim`, after which it can be tracked again.
        """
        self._need_results("end")
        track = track_of(self._tracks, object_id)
        begin, _ = _range(track.life[0], last)
        with self._history.event(Event("end", object_id, last=last)):
            track.active.clear()
            track.active[begin] = last
            track.release()
        self._saved()

    @in_turn
    def swap_ids(self, one: int, other: int, first: int | None = None, last: int | None = None) -> None:
        """Exchange two objects on some frames: masks, prompts and memory."""
        begin, end = _range(first, last)
        a, b = track_of(self._tracks, one), track_of(self._tracks, other)
        if one == other:
            raise ValueError(f"two objects are swapped, got {one} twice")
        with self._history.event(Event("swap", None, first, last, both=(one, other))):
            of_a, of_b = a.take(begin, end), b.take(begin, end)
            a.give(of_b)
            b.give(of_a)
            for track in (a, b):
                self._anchor(track, nearest=begin)
        self._saved()

    @in_turn
    @torch.inference_mode()
    def merge(self, into: int, other: int) -> None:
        """Make two objects one: on every frame its mask is all that either was, and the other object is gone.

        Frames on which either was prompted are prompted with that mask.
        """
        self._need_results("merge")
        a, b = track_of(self._tracks, into), track_of(self._tracks, other)
        if into == other:
            raise ValueError(f"two objects are merged, got {into} twice")
        with self._history.event(Event("merge", None, both=(into, other))):
            prompted = sorted({*a.prompts, *b.prompts})
            masks = {t: union([one.shown[t].rle for one in (a, b) if t in one.shown]) for t in prompted}
            a.unite(b)
            for t, rle in masks.items():
                self._prompt(a, t, decode(rle))
            del self._tracks[other]
        self._saved()

    @in_turn
    def split_at(self, object_id: int, frame: int, new_id: int) -> None:
        """Make two objects of one: from a frame on it is the new object.

        What has no prompt then is prompted with the mask that is there on the frame next to the cut.
        """
        self._need_results("split")
        new_id, frame = check_object_id(new_id), self._engine.checked_frame(frame)
        track = track_of(self._tracks, object_id)
        if new_id in self._tracks:
            raise ValueError(f"object {new_id} exists: split into a new one, or swap ids")
        later = self._engine.new_track()
        with self._history.event(Event("split", None, frame, both=(object_id, new_id))):
            later.give(track.take(frame, math.inf))
            born, dies = track.life
            track.active.clear()
            track.active[born], later.active[frame] = frame - 1, dies
            self._tracks[new_id] = later
            for one in (track, later):
                self._anchor(one, nearest=frame)
        self._saved()

    def _frames(self, first: int, last: int | None) -> range:
        begin, end = _range(first, last if last is not None else first)
        return range(self._engine.checked_frame(begin), self._engine.checked_frame(end) + 1)

    @torch.inference_mode()
    def _anchor(self, track: ObjectTrack, nearest: float) -> None:
        """Prompt an object that has lost all of its prompts with a mask that was shown, the nearest to a frame."""
        if track.prompts or not track.shown:
            return
        for t in sorted(track.shown, key=lambda t: abs(t - nearest)):
            mask = decode(track.shown[t].rle)
            if mask.any():
                self._prompt(track, t, mask)
                return

    def _prompt(self, track: ObjectTrack, t: int, mask: np.ndarray) -> None:
        if mask.any():
            track.prompts[t] = UserPrompt(mask=mask)
            track.pending[t] = self._engine.answer(track, t, track.prompts[t], anew=True)

    def _need_results(self, what: str) -> None:
        if not self._engine.options.keep_results:
            raise ValueError(f"to {what} objects the session must keep its results: SessionOptions(keep_results=True)")


def _range(first: int | None, last: int | None) -> tuple[int, int]:
    begin, end = 0 if first is None else first, FOREVER if last is None else last
    if begin < 0 or end < begin:
        raise ValueError(
            f"got frames {first} to {last}, expected a first one of at least 0 and a last one not before it"
        )
    return begin, end
