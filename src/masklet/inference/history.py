"""History of a session: what was done, and how to undo and redo it.

An event keeps what its objects remembered before, as references to values that nobody changes, and of the notes of
tracked frames only those that it replaced. A click costs some dozen references, a propagation what tracking can read
at its start.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal, Protocol, runtime_checkable

from ..interaction.prompts import UserPrompt
from .track import ObjectTrack, TrackState

Kind = Literal[
    "prompt", "clear", "remove", "reset", "propagate", "lock", "unlock", "absent", "present", "trim", "swap", "merge",
    "split", "end",
]  # fmt: skip


@dataclass(frozen=True)
class Event:
    """Something that a user did.

    Attributes:
        kind: What.
        object_id: To which object; None: to several.
        frame: On which frame, or the first one that was tracked or edited.
        last: The last one that was.
        reverse: Whether it was tracked backward.
        given: What the prompt gave; None, too, of an event that comes from a file.
        both: The two objects of a swap, a merge or a split.
    """

    kind: Kind
    object_id: int | None = None
    frame: int | None = None
    last: int | None = None
    reverse: bool = False
    given: UserPrompt | None = None
    both: tuple[int, int] | None = None


@dataclass(frozen=True)
class _State:
    """What there was: the objects in their order, and what those that an event touched remembered."""

    tracks: dict[int, ObjectTrack]
    touched: tuple[tuple[ObjectTrack, TrackState], ...]


Move = Literal["done", "undone", "redone"]


@runtime_checkable
class Backing(Protocol):
    """A file that the session is kept in."""

    def save_tracked(self) -> None:
        """Save the frames that were tracked, before something else is done: they are an event of their own."""
        ...

    def recall(self, *, back: bool) -> None:
        """Bring the session to the state before its newest event, or after the one that was undone last."""
        ...


class History:
    """Events of a session, the newest last.

    Args:
        tracks: The objects of the session, which undo and redo change in place.
        levels: Most events that can be undone; older ones are forgotten.
        most_bytes: What they may hold of memory maps and answers that the session itself no longer has. The newest
            event stays whatever it takes.
    """

    def __init__(self, tracks: dict[int, ObjectTrack], levels: int, most_bytes: int) -> None:
        self.levels, self.most_bytes = levels, most_bytes
        self.moves: list[Move] = []
        """What has happened since it was saved."""
        self.unsaved = False
        """Whether frames were tracked since it was saved."""
        self._tracks = tracks
        self._done: list[tuple[Event, _State | None, int]] = []  # without a state: that is in the file
        self._undone: list[tuple[Event, _State | None]] = []
        self._open: tuple[Event, _State | None] | None = None
        self._run: object | None = None
        self._rejoined = False
        self._backing: Backing | None = None

    @property
    def events(self) -> tuple[Event, ...]:
        """What was done and not undone, oldest first, as far back as it can be undone."""
        events = [event for event, _, _ in self._done] + ([] if self._open is None else [self._open[0]])
        return tuple(events[max(len(events) - self.levels, 0) :])

    @property
    def undone(self) -> tuple[Event, ...]:
        """What was undone and can be done again, the next one last."""
        return tuple(event for event, _ in self._undone)

    def rest_on(self, backing: Backing, done: Iterable[Event], undone: Iterable[Event]) -> None:
        """Let a file keep it, too, which may have events already: both oldest first."""
        self._backing = backing
        self._done = [(event, None, 0) for event in done]
        self._undone = [(event, None) for event in reversed([*undone])]
        self.moves.clear()

    def saved(self, done: int, undone: int) -> None:
        """It was saved; the file still has so many of its newest events."""
        self.moves.clear()
        self.unsaved = False
        while len(self._done) + (self._open is not None) > done and self._done and self._done[0][1] is None:
            del self._done[0]
        while len(self._undone) > undone and self._undone[0][1] is None:
            del self._undone[0]

    @contextmanager
    def event(self, event: Event) -> Iterator[None]:
        """Around the changes of an event; an error takes them back."""
        self.close()
        self._rejoined = False
        before = self._state(event.object_id)
        try:
            yield
        except BaseException:
            self._swap(before)
            raise
        self._undone.clear()
        self._note("done")
        self._add(event, before)

    def start(self) -> object:
        """A token for a new run of tracking."""
        self.close()
        self._run = object()
        return self._run

    def going_on(self) -> object:
        """The token of the run that is going on, or a new one."""
        return self._run or self.start()

    def tracked(self, run: object, t: int, *, reverse: bool) -> None:
        """Before a run tracks a frame. The frames of a run are one event, as long as nothing is done between them.

        Raises:
            RuntimeError: Something was undone or done again since the run started.
        """
        if run is not self._run:
            raise RuntimeError("the session was changed by undo, redo or another run since: call propagate() again")
        if self._open is None and self._rejoined and self._done:
            event, before, _ = self._done[-1]
            if event.kind == "propagate" and before is None:
                self._open = self._done.pop()[:2]
        if self._open is None:
            self._undone.clear()
            self._open = Event("propagate", frame=t, last=t, reverse=reverse), self._state(None)
            self._note("done")
        else:
            event, before = self._open
            self._open = replace(event, last=t), before
        self._rejoined, self.unsaved = False, True

    def rejoin(self) -> None:
        """Let the frames that are tracked next belong to the newest event, if that is tracking and from a file."""
        self._rejoined = True

    def close(self) -> None:
        """End the event of the run that is going on; the run itself may go on with another."""
        if self._open is not None:
            if self.unsaved and self._backing is not None:
                self._backing.save_tracked()
            event, before = self._open
            self._open = None
            self._add(event, before)

    def undo(self) -> Event:
        """Take the newest event back.

        Raises:
            ValueError: There is none.
            OSError: It is in the file, which cannot be written.
        """
        self.close()
        if not self._done:
            raise ValueError("there is nothing to undo")
        event, before, _ = self._done[-1]
        after = self._recalled(back=True) if before is None else self._swap(before)
        if before is not None:
            self._note("undone")
        self._done.pop()
        self._undone.append((event, after))
        self._run, self._rejoined = None, False
        return event

    def redo(self) -> Event:
        """Do again what was undone last.

        Raises:
            ValueError: Nothing was undone since the last event.
            OSError: It is in the file, which cannot be written.
        """
        self.close()
        if not self._undone:
            raise ValueError("there is nothing to do again")
        event, after = self._undone[-1]
        before = self._recalled(back=False) if after is None else self._swap(after)
        if after is not None:
            self._note("redone")
        self._undone.pop()
        self._done.append((event, before, 0 if before is None else self._held(before)))
        self._run, self._rejoined = None, False
        return event

    def clear(self) -> None:
        """Forget all events."""
        self._done.clear()
        self._undone.clear()
        self.moves.clear()
        self._open = self._run = self._backing = None

    def _recalled(self, *, back: bool) -> None:
        """Let the file do it. States in memory are of objects that are no more then."""
        assert self._backing is not None
        self._backing.recall(back=back)
        self._done = [(event, None, 0) for event, _, _ in self._done]
        self._undone = [(event, None) for event, _ in self._undone]

    def _state(self, object_id: int | None) -> _State:
        touched = [t for i, t in self._tracks.items() if object_id is None or i == object_id]
        return _State(dict(self._tracks), tuple((track, track.capture()) for track in touched))

    def _swap(self, state: _State) -> _State:
        """Go to a state; returns what to go back to."""
        now = _State(dict(self._tracks), tuple((track, track.restore(known)) for track, known in state.touched))
        self._tracks.clear()
        self._tracks.update(state.tracks)
        return now

    def _add(self, event: Event, before: _State | None) -> None:
        self._done.append((event, before, 0 if before is None else self._held(before)))
        del self._done[: max(len(self._done) - self.levels, 0)]
        over, gone = sum(held for _, _, held in self._done) - self.most_bytes, 0
        while over > 0 and gone < len(self._done) - 1:
            over -= self._done[gone][2]
            gone += 1
        in_file = [] if self._backing is None else [(event, None, 0) for event, _, _ in self._done[:gone]]
        self._done[:gone] = in_file

    def _note(self, move: Move) -> None:
        if self._backing is not None:
            self.moves.append(move)

    def _held(self, before: _State) -> int:
        """Bytes of what only this event keeps alive."""
        alive = {id(value) for track in self._tracks.values() for value in track.values()}
        kept = {id(value): value for _, state in before.touched for value in state.values() if id(value) not in alive}
        return sum(value.nbytes for value in kept.values())
