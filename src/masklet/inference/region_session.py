"""RegionSession: every small object is tracked in a window of the frame that follows it.

The model is shown a video in which somebody kept the object in view with a camera, pans and zooms included: memory,
prompts and scores are those of an ordinary session on that video. With the usual input small objects are seen larger
than in the whole frame; with a smaller one they are seen as large as ever, in less time. Each of them needs a pass of
the image encoder of its own. Objects whose window would be the whole frame when they are prompted share a session.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import Any

from ..interaction.prompts import UserPrompt, check_object_id, user_prompt
from ..masks.boxes import box_of_mask
from ..tracker import Direction
from ..video.frames import FrameSource, open_source
from ..video.windows import Box, Window
from .named_model import ModelOrName, as_model
from .options import SessionOptions
from .results import FrameResult, ObjectResult, without_overlap
from .session import VideoSession
from .small_object import SmallObject, extent_of, spoken


class RegionSession:
    """Objects of one video, small ones seen through windows; what it has of a session works as it does there.

    Args:
        source: As for :class:`~masklet.inference.session.VideoSession`, but no live input.
        model: As there.
        around: Sides of a window in sides of the object's box.
        options: As there. Nothing is kept of what was shown, and nothing can be undone.

    Raises:
        ValueError: The source cannot be read as video, or ``around`` is not above 1.
    """

    def __init__(
        self, source: Any, model: ModelOrName = "nano", *, around: float = 3.0, options: SessionOptions | None = None
    ) -> None:
        if not around > 1:
            raise ValueError(f"around must be above 1 (3: windows three times as large as the object), got {around}")
        self.model, self.around, self.options = as_model(model), around, options or SessionOptions()
        # Overlaps are settled here, between objects of all sessions.
        self._inner = replace(self.options, keep_results=False, undo_levels=0, non_overlap=False)
        self.source: FrameSource = open_source(source)
        self._whole = VideoSession(self.source, self.model, options=self._inner)
        self._small: dict[int, SmallObject] = {}
        self._prompted: dict[int, set[int]] = {}

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the video."""
        return self.source.size

    @property
    def objects(self) -> list[int]:
        """Ids of the objects, in the order in which they were first prompted."""
        return list(self._prompted)

    @property
    def windows(self) -> dict[int, Window]:
        """Where each small object is looked for next."""
        return {i: one.reader.window for i, one in self._small.items()}

    def __enter__(self) -> RegionSession:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the source and all memory."""
        for one in self._small.values():
            one.session.close()
        self._whole.close()

    def prompt(
        self,
        frame: int,
        object_id: int = 1,
        *,
        points: Any = None,
        labels: Any = None,
        box: Any = None,
        mask: Any = None,
        clear: bool = False,
    ) -> ObjectResult:
        """Prompt an object on a frame.

        A new object that is only clicked is looked at in the whole frame; if that shows something small, once more in
        its window. If a later prompt lies outside of it before the object was tracked, the object is begun anew with
        what was given on this frame.

        Raises:
            ValueError: As in a session, or the prompt lies outside of the window that a tracked object was looked for
                in.
            IndexError: No such frame.
        """
        self.source.frame(frame)
        given = user_prompt(self.size, points=points, labels=labels, box=box, mask=mask)
        small = self._small.get(check_object_id(object_id))
        if small is not None and not small.sees(frame, given):
            given, small = self._begun_anew(small, frame, given, clear=clear), None
        known = small is not None or object_id in self._whole.tracks
        if not known and (given.mask is not None or given.box is not None):
            small = self._small_one(object_id, extent_of(given))
        if small is None:
            result = self._whole.prompt(frame, object_id, clear=clear, **spoken(given))
            found = box_of_mask(result.mask)
            small = None if known or found is None else self._small_one(object_id, _union(found, extent_of(given)))
            if small is None:
                self._prompted.setdefault(object_id, set()).add(frame)
                return result
            self._whole.remove(object_id)
        answer = small.prompt(frame, given, clear=clear)
        self._small[object_id] = small
        self._prompted.setdefault(object_id, set()).add(frame)
        return answer

    def _small_one(self, object_id: int, box: Box) -> SmallObject | None:
        """A session for a new object, if its window is smaller than the frame."""
        one = SmallObject(object_id, self.source, self.model, self._inner, self.around, box)
        return None if one.reader.window.share == 1 else one

    def _begun_anew(self, small: SmallObject, frame: int, given: UserPrompt, *, clear: bool) -> UserPrompt:
        """Forget an object, to be prompted again with what is returned."""
        if small.tracked:
            x0, y0, x1, y1 = small.reader.seen(frame).box
            raise ValueError(
                f"object {small.object_id} was looked for in x {x0} to {x1} and y {y0} to {y1} of frame {frame}, and "
                "the prompt reaches outside: prompt a new object, or track it in a VideoSession"
            )
        small.session.close()
        del self._small[small.object_id]
        self._prompted[small.object_id].clear()
        return small.with_earlier(frame, given, clear=clear)

    def propagate(
        self, *, start: int | None = None, stop: int | None = None, direction: Direction = "forward"
    ) -> Iterator[FrameResult]:
        """Follow all objects and yield each frame as it is done; an object added meanwhile waits for the next run.

        Args:
            start: First frame; None: the earliest prompted one.
            stop: Last frame, itself included; None: to the end of the video (its beginning, backward).
            direction: As in a session.

        Raises:
            ValueError: No object is prompted, or the range does not fit the direction.
            IndexError: A frame outside the video.
        """
        frames = [frame for prompted in self._prompted.values() for frame in prompted]
        if not frames:
            raise ValueError("there is nothing to track: prompt an object on a frame first")
        first = min(frames) if start is None else start
        if direction != "both":
            yield from self._one_way(first, stop, direction)
            return
        yield from self._one_way(first, stop, "forward")
        if first > 0:
            yield from self._one_way(first - 1, None, "backward")

    def _one_way(self, first: int, stop: int | None, direction: Direction) -> Iterator[FrameResult]:
        small = list(self._small.values())
        sessions = [one.session for one in small]
        if self._whole.objects:
            sessions.append(self._whole)
        with ExitStack() as stack:
            runs = [
                stack.enter_context(closing(session.propagate(start=first, stop=stop, direction=direction)))
                for session in sessions
            ]
            for one in small:
                one.begin(first)
            for results in zip(*runs, strict=False):  # a stream ends for all at once
                found = {one.object_id: one.followed(result) for one, result in zip(small, results, strict=False)}
                found |= results[-1].objects if self._whole.objects else {}
                ordered = {i: found[i] for i in self._prompted if i in found}
                apart = without_overlap(ordered) if self.options.non_overlap else ordered
                yield FrameResult(results[0].frame, self.size, apart)


def _union(a: Box, b: Box) -> Box:
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])
