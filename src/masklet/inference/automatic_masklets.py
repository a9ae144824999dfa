"""AutomaticMasklets: everything in a video, as the automatic stage of the data engine (SAM 2, section 5.1) finds it.

What happens on a frame follows from the frame and from what the session holds, and doing a part of it again changes
nothing. So a run goes on from its session's file, wherever it was stopped.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from ..data.settings import keep_settings
from ..masks import rle
from ..masks.components import repair_rle
from ..video.frames import FrameSource, open_source
from ..video.reader import EndOfStream
from .automatic import AutomaticMask, AutomaticMasks
from .crops import points_of
from .lives import Lives, is_seen, overlaps
from .masklet_options import MaskletOptions
from .masklets import Masklets, MaskletsProgress, repaired
from .named_model import ModelOrName, as_model
from .results import FrameResult
from .session import VideoSession

log = logging.getLogger(__name__)

SESSION, SETTINGS = "masklets.session", "masklets.json"
"""Files of an unfinished run, in its folder."""


class AutomaticMasklets:
    """Finds objects in videos and follows all of them.

    Masks of the first frame become objects; later keyframes and scene cuts add what none of them covers. Objects that
    are lost, and doubles of others, end. Memory is that of a session with at most ``most_objects`` objects.

    Args:
        model: A model from :func:`masklet.load`, or a name or path for it.
        options: What becomes an object and when it ends; None: as :meth:`MaskletOptions.suited` says.
    """

    def __init__(self, model: ModelOrName = "nano", options: MaskletOptions | None = None) -> None:
        self.model = as_model(model)
        self.options = options or MaskletOptions.suited(self.model)
        self._masks = AutomaticMasks(self.model, self.options.masks)

    def generate(self, source: Any, folder: str | os.PathLike[str] | None = None) -> Masklets:
        """All masklets of a video.

        Args:
            source: As :class:`~masklet.inference.session.VideoSession` takes it; not live.
            folder: Where progress is kept: a run that was stopped there, even by a kill, goes on, and gives what it
                would have given. The files stay there when it is done.

        Raises:
            ValueError: The source cannot be read as video, or the folder is of another video, model or other options.
            OSError: The folder cannot be written.
        """
        *_, last = self.stream(source, folder)
        assert last.masklets is not None
        return last.masklets

    def stream(self, source: Any, folder: str | os.PathLike[str] | None = None) -> Iterator[MaskletsProgress]:
        """The same as :meth:`generate` frame by frame; to stop, ask no further (and ``close()`` the iterator).

        After the last frame comes its progress once more, with the result.
        """
        session = self._session(source, None if folder is None else Path(folder))
        handed_over = False
        try:
            masklets = Masklets(session, self.options.least_area(session.size))
            progress = None
            for progress in self._frames(session, masklets):
                yield progress
            assert progress is not None  # a video has a frame
            handed_over = True
            yield replace(progress, total=progress.frame + 1, masklets=masklets)
        finally:
            if not handed_over:
                session.close()

    def _session(self, source: Any, folder: Path | None) -> VideoSession:
        """A session for a video, where there is one as it was left."""
        video = open_source(source)
        options = replace(self.options.session, undo_levels=0)
        if folder is None:
            return VideoSession(video, self.model, options=options)
        if video.length is None:
            raise ValueError(f"{video.name} is a stream, which cannot be gone on with: leave the folder out")
        settings, saved = folder / SETTINGS, folder / SESSION
        begun = saved.exists()
        if begun and not settings.exists():
            raise ValueError(f"{settings} is missing, so that the run cannot go on: remove {folder}")
        plain = json.loads(json.dumps(asdict(self.options), default=np.ndarray.tolist))
        keep_settings(settings, plain, "give the same, or another folder", anew=not begun)
        if begun:
            return VideoSession.load(saved, video, self.model, autosave=True)
        return VideoSession(video, self.model, options=options, autosave=saved)

    def _frames(self, session: VideoSession, masklets: Masklets) -> Iterator[MaskletsProgress]:
        """Follow, end and begin objects, frame by frame from where the session is."""
        source, lives, least_area = masklets.source, Lives(self.options), self.options.least_area(session.size)
        start = max((max(track.shown) for track in session.tracks.values()), default=0)
        for t in range(max(0, start - lives.memory + 1), start):
            lives.observe(_followed(masklets.frame(t)))
        run = None
        for t in count(start):
            if not _is_there(source, t):
                return
            followed = t > start and bool(_living(session, t))
            run = (run or session.propagate(start=t)) if followed else None
            frame = _followed(masklets.frame(t) if run is None else repaired(next(run), least_area))
            lives.observe(frame)
            ends = lives.ends(t)
            for i, last in ends.items():
                session.edit.end(i, last)
            staying = {i: one for i, one in frame.items() if i not in ends}
            shown = {i: _rle(one) for i, one in staying.items()}
            if self._is_keyframe(t, session):
                begun = self._begin(session, FrameResult(t, frame.size, staying))
                shown |= {i: repair_rle(session.tracks[i].shown[t].rle, least_area) for i in begun}
            living = tuple(_living(session, t + 1))
            yield MaskletsProgress(t, source.length, living, len(session.objects), shown)

    def _is_keyframe(self, t: int, session: VideoSession) -> bool:
        every = self.options.every
        return t == 0 or (every is not None and t % every == 0) or session.is_cut(t)

    def _begin(self, session: VideoSession, frame: FrameResult) -> list[int]:
        """Make objects of what none covers; those that were begun on this frame before stay as they are.

        Args:
            session: Where to.
            frame: The objects that live on it and began before it.

        Returns:
            The objects that began on it.
        """
        t, options = frame.frame, self.options
        room = options.most_objects - len(frame)
        if room <= 0:
            return []
        covering = [_rle(one) for one in frame.values() if is_seen(one, options)]
        found = self._candidates(session.source.frame(t), t, covering)
        chosen = choose(found, covering, options, options.least_area(session.size))
        if len(chosen) > room:
            most = options.most_objects
            log.info("%d masks of frame %d become no objects: at most %d live at a time", len(chosen) - room, t, most)
        earlier = [i for i, track in session.tracks.items() if min(track.shown) < t]
        for object_id, one in enumerate(chosen[:room], max(earlier, default=0) + 1):
            if object_id in session.tracks:
                continue
            try:
                session.prompt(t, object_id, mask=one.mask)
            except ValueError as error:
                log.info("a mask of frame %d becomes no object: %s", t, error)
        return [i for i in session.objects if i not in earlier]

    def _candidates(self, image: np.ndarray, t: int, covering: list[rle.Rle]) -> list[AutomaticMask]:
        """Masks of a frame: of the first as the options say, of others from clicks on what nothing covers."""
        if t == 0:
            return self._masks.generate(image)
        points = uncovered(points_of(self.options.later_grid), covering, image.shape[:2])
        if not len(points):
            return []
        return self._masks.generate(image, (points,))


def choose(
    found: list[AutomaticMask], covering: list[rle.Rle], options: MaskletOptions, least_area: int
) -> list[AutomaticMask]:
    """Masks that become objects, the preferred one first: large enough, mostly uncovered, and no two the same.

    Args:
        found: Masks of a frame.
        covering: Masks of the objects that are there.
        options: See :class:`MaskletOptions`.
        least_area: Pixels of the smallest.
    """
    taken = rle.union(covering) if covering else None
    free = [one for one in found if one.area >= max(least_area, 1)]
    if taken is not None:
        free = [one for one in free if _shared(one, taken) <= options.most_covered * one.area]
    value = {"confident": lambda one: one.predicted_iou * one.stability, "large": lambda one: one.area}[options.prefer]
    free.sort(key=value, reverse=True)
    same = overlaps([one.rle for one in free]) > options.most_overlap
    kept: list[int] = []
    for k in range(len(free)):
        if not same[k, kept].any():
            kept.append(k)
    return [free[k] for k in kept]


def uncovered(
    points: Float[np.ndarray, "n 2"], covering: list[rle.Rle], size: tuple[int, int]
) -> Float[np.ndarray, "k 2"]:
    """Points, as shares of width and height, that no mask covers."""
    if not covering:
        return points
    x, y = (points * size[::-1]).astype(int).T
    return points[~rle.decode(rle.union(covering))[y, x]]


def _shared(one: AutomaticMask, taken: rle.Rle) -> int:
    """Pixels of a mask that are taken."""
    return one.area + rle.area(taken) - rle.area(rle.union((one.rle, taken)))


def _followed(frame: FrameResult) -> FrameResult:
    """A frame without the objects that begin on it."""
    return FrameResult(frame.frame, frame.size, {i: one for i, one in frame.items() if not one.prompted})


def _living(session: VideoSession, t: int) -> list[int]:
    return [i for i, track in session.tracks.items() if track.started and track.lives(t)]


def _is_there(source: FrameSource, t: int) -> bool:
    """Whether there is such a frame; that of a stream is waited for."""
    if source.length is not None:
        return t < source.length
    try:
        source.frame(t)
    except EndOfStream:
        return False
    return True


def _rle(one: Any) -> rle.Rle:
    return one.rle()
