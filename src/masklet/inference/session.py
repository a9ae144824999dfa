"""VideoSession: prompt any object on any frame of a video and follow it, in a file or live.

One engine serves both: :meth:`VideoSession.propagate` walks over a source, :meth:`VideoSession.step` takes frames as
they come. What is kept of the past is bounded: see :mod:`masklet.model.memory_bank`.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from ..interaction.prompts import check_object_id, user_prompt
from ..structures import FrameFeatures, Prediction
from ..tracker import Direction
from ..video.frames import open_source
from ..video.live import LiveFrames
from ..video.reader import EndOfStream
from .consistency import consistency
from .corrections import Correction, check_correction
from .edits import Edits
from .engine import Engine
from .history import Event, History
from .named_model import ModelOrName, as_model
from .options import SessionOptions
from .results import FrameResult, ObjectResult
from .run import Run, checked_range, frames_in_order
from .saving import Autosave, Parts, check_fits, header_of, model_of, options_of, source_of, tracks_of
from .session_file import SessionFile, opened
from .showing import answered, check_seen, known
from .suggestions import Suggestion, suggest
from .track import ObjectTrack, track_of
from .turns import Turns, in_turn


class VideoSession:
    """Objects, prompts and memory of one video. Threads that share it take turns, an action or a frame each.

    Args:
        source: A video file, a folder or glob of images, arrays, an iterator of frames, a camera (``"camera:0"`` or an
            RTSP address), or an opened :class:`~masklet.video.frames.FrameSource`; None for live input by :meth:`step`.
        model: A model from :func:`masklet.load`, or a name or path for it; it may serve many sessions.
        options: Post-processing and memory policy.
        autosave: A new file that is brought up to date after every action, and every second while frames are tracked,
            whatever happens to the process then: go on with :meth:`load`.

    Attributes:
        tag: What a program notes of a session, as JSON. It is saved with the action that comes next, both or neither.

    Raises:
        ValueError: The source cannot be read as video.
        OSError: The file for ``autosave`` exists or cannot be written.
    """

    def __init__(
        self,
        source: Any = None,
        model: ModelOrName = "nano",
        *,
        options: SessionOptions | None = None,
        autosave: str | os.PathLike[str] | None = None,
    ) -> None:
        self.model = as_model(model)
        self.options = options or SessionOptions()
        live = LiveFrames() if source is None else source
        self.source = live if isinstance(live, LiveFrames) else open_source(live)
        self.tag: dict[str, Any] = {}
        self._tracks: dict[int, ObjectTrack] = {}
        self._engine = Engine(self.model, self.source, self.options, self._tracks)
        self._history = History(self._tracks, self.options.undo_levels, round(1e6 * self.options.undo_mb))
        self._parts = Parts((source, model), self._engine, self._tracks, self._history, self._progress)
        self._turns = Turns()
        self.edit = Edits(self._tracks, self._engine, self._history, self._autosave, self._turns)
        self._run_start: int | None = None
        self._autosaved: Autosave | None = None
        if autosave is not None:
            self._autosaved = Autosave.new(Path(autosave), self._parts)

    # What there is

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the video."""
        return self.source.size

    @property
    def objects(self) -> list[int]:
        """Ids of the objects, in the order in which they were first prompted."""
        return list(self._tracks)

    @property
    def tracks(self) -> Mapping[int, ObjectTrack]:
        """State of each object, to look at; change it through the session."""
        return MappingProxyType(self._tracks)

    @in_turn
    def frame_result(self, frame: int) -> FrameResult:
        """What was shown last of a frame: masks and scores of every prompted or tracked one (``keep_results``).

        Logits are there for prompted frames and the last few tracked ones.
        """
        return known(self._engine.checked_frame(frame), self._engine.fit, self._tracks, apart=self.options.non_overlap)

    def consistency(self, frame: int) -> dict[int, float]:
        """Overlap of each mask with the one before it, moved as the picture did; :func:`~.consistency.consistency`."""
        return consistency(self._engine.checked_frame(frame), self._tracks, self.source, self.frame_result)

    def is_cut(self, frame: int) -> bool:
        """Whether a scene begins with a frame; False where ``SessionOptions.scene_cuts`` is off."""
        return self.options.scene_cuts and self._engine.cuts.look(self._engine.checked_frame(frame))

    def suggest_frames(self, k: int = 1, object_id: int | None = None) -> list[Suggestion]:
        """Frames to correct next, of all objects or for the sake of one: see :func:`~.suggestions.suggest`."""
        return suggest(k, self._tracks if object_id is None else {object_id: track_of(self._tracks, object_id)})

    @in_turn
    @torch.inference_mode()
    def look(self, frame: int) -> FrameFeatures:
        """Encode a frame ahead; it is kept with a few that were looked at before, for prompts on them to be quick."""
        return self._engine.look(self._engine.checked_frame(frame))

    def __enter__(self) -> VideoSession:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @in_turn
    def close(self) -> None:
        """Release the source and all memory; an autosaved file is brought up to date and closed."""
        if self._autosaved is not None:
            try:
                self._autosave()
            finally:
                self._autosaved.file.close()
                self._autosaved = None
        self._tracks.clear()
        self._history.clear()
        self._engine.close()
        self.source.close()

    # What a user does

    @in_turn
    @torch.inference_mode()
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
        correction: Correction | None = None,
    ) -> ObjectResult:
        """Prompt an object on a frame, add to what was given there, or correct what tracking made of it.

        On a frame that was tracked the answer is made in the light of memory, elsewhere from the image alone. An object
        that was said to be absent there no longer is. Nothing is propagated until :meth:`propagate` or :meth:`step`.

        Args:
            frame: Index of the frame.
            object_id: Any integer above 0; a new one adds an object, at any time.
            points: ``(n, 2)`` clicks in pixels of the video.
            labels: 1 on the object, 0 off it; None: all on it.
            box: ``(x0, y0, x1, y1)`` in pixels of the video.
            mask: The object itself, at the video's size.
            clear: Replace what was given on this frame before instead of adding to it. The answer to it is forgotten,
                too, unless the same clicks come again with new ones.
            correction: On a tracked frame: ``blend``, ``override`` or ``barrier``
                (:mod:`~masklet.inference.corrections`); None: as the session's options say.

        Returns:
            The object on this frame.

        Raises:
            ValueError: A prompt of wrong shape or value, or a mask that vanishes at the model's input size.
            IndexError: No such frame.
        """
        object_id, frame = check_object_id(object_id), self._engine.checked_frame(frame)
        given = user_prompt(self.size, points=points, labels=labels, box=box, mask=mask)
        effect = check_correction(correction or self.options.correction)
        track = self._tracks.get(object_id) or self._engine.new_track()
        track.check_open(frame)
        before = track.prompts.get(frame)
        replaced = clear and before is not None and not given.extends(before)
        anew = replaced and not self.options.refine_replaced
        whole = given if before is None or before.mask is not None or clear else before.extended(given)
        with self._history.event(Event("prompt", object_id, frame, given=given)):
            answer = self._engine.answer(track, frame, whole, anew=anew)
            check_seen(object_id, whole, answer, self.model.config.image_size)
            track.prompts[frame] = whole
            if frame in track.notes and self.options.keep_corrections:
                track.corrections[frame] = effect
            track.pending[frame] = answer
            self._tracks[object_id] = track
            result = self._result(frame, {object_id: answer})[object_id]
        self._autosave()
        return result

    @in_turn
    def clear(self, frame: int, object_id: int) -> None:
        """Take back all prompts of an object on a frame; it stays known, and must be prompted again if none is left.

        Raises:
            KeyError: Unknown object, or it has no prompt on that frame.
        """
        track = track_of(self._tracks, object_id)
        if frame not in track.prompts:
            raise KeyError(f"object {object_id} has no prompt on frame {frame}: it has on {sorted(track.prompts)}")
        with self._history.event(Event("clear", object_id, frame)):
            track.demote(frame) if self.options.keep_cleared else track.forget(frame)
        self._autosave()

    @in_turn
    def remove(self, object_id: int) -> None:
        """Forget an object; the others are not affected.

        Raises:
            KeyError: Unknown object.
        """
        track_of(self._tracks, object_id)
        with self._history.event(Event("remove", object_id)):
            del self._tracks[object_id]
        self._autosave()

    @in_turn
    def reset(self) -> None:
        """Forget all objects and all memory; the source stays open."""
        with self._history.event(Event("reset")):
            self._tracks.clear()
        self._engine.drop_features()
        self._run_start = None
        self._autosave()

    @property
    @in_turn
    def history(self) -> tuple[Event, ...]:
        """What was done and can be undone, oldest first."""
        return self._history.events

    @property
    @in_turn
    def undone(self) -> tuple[Event, ...]:
        """What was undone and can be done again, the next one last."""
        return self._history.undone

    @in_turn
    def undo(self) -> Event:
        """Take back the newest action: masks and memory are again, to the last bit, what they were before it.

        Frames that were tracked one after the other without another action in between are one action. A propagation
        that is still going on ends: going on with it is an error. The frames of a live video stay taken.

        Raises:
            ValueError: There is nothing to undo.
        """
        event = self._history.undo()
        self._autosave()
        return event

    @in_turn
    def redo(self) -> Event:
        """Do again what was undone last, to the last bit; any new action makes that impossible.

        Raises:
            ValueError: There is nothing to do again.
        """
        event = self._history.redo()
        self._autosave()
        return event

    @in_turn
    def rejoin(self) -> None:
        """Let a propagation that begins next be one action with the newest one of the file, if that is one, too."""
        self._history.rejoin()

    @in_turn
    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a file with everything that :meth:`load` needs to go on; the history is in the autosaved one only.

        Prompts, every mask that was shown, and the memory that frames can still read: no pixels and no weights. The
        file that is autosaved is brought up to date.

        Raises:
            OSError: It cannot be written; what was there before still is.
        """
        if self._autosaved is not None and Path(path).absolute() == self._autosaved.file.path.absolute():
            self._autosave()
        else:
            SessionFile.create(Path(path), header_of(self._parts), self._tracks)

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], source: Any = None, model: Any = None, *, autosave: bool = False
    ) -> VideoSession:
        """Go on with a saved session, on any device: its masks are those that the session itself would have given.

        Args:
            path: A file that :meth:`save` or ``autosave`` wrote.
            source: The video; None: where it was. Live video goes on with the next frame.
            model: The model; None: the name or file that it had.
            autosave: Keep the file itself up to date from here on; what it has of the history can be undone.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It is no session, damaged, or of another video, model or version; a source or a model that was
                in memory has to be given.
        """
        with opened(Path(path)) as file:
            header = file.header()
            parts = source_of(header, file.path, source), model_of(header, file.path, model)
            session = cls(*parts, options=options_of(header))
            check_fits(header, file.path, session.source, session.model)
            session._tracks.update(tracks_of(file, session._engine))
            session._engine.cuts.found.update(header["cuts"])
        session._run_start, session.tag = header["run_start"], header.get("tag", {})
        if autosave:
            session._autosaved = Autosave(Path(path), header, session._parts)
        return session

    def _progress(self) -> dict[str, Any]:
        return {"run_start": self._run_start, "cuts": sorted(self._engine.cuts.found), "tag": self.tag}

    @in_turn
    def _autosave(self, *, rarely: bool = False) -> None:
        if self._autosaved is not None:
            self._autosaved.save(rarely=rarely)

    # Tracking

    @in_turn
    def propagate(self, *, start: int | None = None, stop: int | None = None, direction: Direction = "forward") -> Run:
        """Follow all objects and yield each frame as it is done; stop iterating to stop, or ``cancel()`` it.

        An object that is prompted only later is followed on the earlier frames too, from that prompt (as officially).
        To get what a live session gives, prompt each object when its frame has come: inside the loop over the results.
        The run ends early when no object is left.

        Args:
            start: First frame; None: the earliest prompted one.
            stop: Last frame, itself included; None: to the end of the video (its beginning, backward). With direction
                ``both`` it bounds the forward part.
            direction: ``both`` goes forward, then backward from ``start``.

        Raises:
            ValueError: No object is prompted, or the range does not fit the direction.
            IndexError: A frame outside the video.
        """
        first, stop = checked_range(self._engine.checked_frame, self._tracks.values(), start, stop, direction)
        return Run(self._propagate(first, stop, direction), self._turns)

    def _propagate(self, first: int, stop: int | None, direction: Direction) -> Generator[FrameResult, None, None]:
        self._run_start, run = first, self._history.start()
        try:
            for t, reverse in frames_in_order(self.source.length, first, stop, direction):
                if not self._tracks:
                    return
                yield self._track_frame(t, run, reverse=reverse)
        except EndOfStream:
            return
        finally:
            self._autosave()

    @in_turn
    def step(self, frame: Any) -> FrameResult:
        """Take the next live frame and follow all objects in it: bit for bit what a file session gives.

        Prompts on the newest frames (by :meth:`prompt`) count from the next step on.

        Raises:
            ValueError: The session has a source of its own, or the frame is not an image of the first frame's size.
        """
        if not isinstance(self.source, LiveFrames):
            raise ValueError("step() is for live input: open the session without a source, or use propagate()")
        t = self.source.append(frame)
        self._run_start = t
        return self._track_frame(t, self._history.going_on(), reverse=False)

    @torch.inference_mode()
    def _track_frame(self, t: int, run: object, *, reverse: bool) -> FrameResult:
        """Follow all objects to a frame, then drop what no frame can read any more."""
        self._engine.checked_frame(t)
        self._history.tracked(run, t, reverse=reverse)
        result = self._result(t, self._engine.follow(t, reverse=reverse))
        self._engine.prune(t, self._run_start)
        self._autosave(rarely=True)
        return result

    def _result(self, t: int, answers: dict[int, Prediction]) -> FrameResult:
        apart, kept = self.options.non_overlap, self.options.keep_results
        return answered(t, self._engine.fit, answers, self._tracks, apart=apart, kept=kept)
