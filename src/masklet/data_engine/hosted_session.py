"""A session in a worker: actions once each, a propagation that goes on after a crash, and who listens.

What was done is known by its name, and the names lie in the session's tag, which is saved with what was done. So an
action that is sent again after a crash is answered, and done if it was not.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from ..inference.job import Job
from ..inference.results import FrameResult
from ..inference.scheduler import Scheduler
from ..inference.session import VideoSession
from .bodies import number, optional, span_of
from .phases import Annotating, as_json
from .propagation import Leg, frames_of, left_of, new_run
from .session_view import SessionView

log = logging.getLogger(__name__)
R = TypeVar("R")

REMEMBERED = 100
"""Names of actions that are known."""
MOST_UNREAD = 8
"""Frames that a listener may be behind before tracking waits for it."""
MOST_MASKS = 256
"""Frames whose masks are sent at a time."""
_BUFFER = 2

Send = Callable[[dict[str, Any]], Awaitable[None]]
OnRunning = Callable[[dict[str, Any] | None], Awaitable[None]]


class Subscriber:
    """Somebody who is told what happens in a session.

    Attributes:
        unread: Frames that were sent and not asked for more after.
    """

    def __init__(self, send: Send) -> None:
        self.send, self.unread = send, 0


class HostedSession:
    """A session in the hands of a worker. Its methods belong to the thread of an event loop.

    Args:
        annotating: The session and its phase; from now on it is worked on by the scheduler only.
        path: Its file.
        scheduler: Does the work, in turn with that for other sessions.
        on_running: Told of a propagation that begins, and of its end with None.
    """

    def __init__(self, annotating: Annotating, path: Path, scheduler: Scheduler, on_running: OnRunning) -> None:
        self.annotating, self.session = annotating, annotating.session
        self.subscribers: dict[object, Subscriber] = {}
        self._path, self._scheduler, self._on_running = path, scheduler, on_running
        self._view = SessionView(annotating)
        self._changed = asyncio.Event()
        self._job: Job | None = None
        self._following: asyncio.Task[None] | None = None
        self._looking: Future[Any] | None = None
        self._telling: asyncio.Task[None] | None = None
        self._closing = self._stale = False
        self.waiting = 0
        self.describe: Callable[[dict[str, Any]], Awaitable[dict[str, Any]]] = _as_it_is

    @property
    def running(self) -> dict[str, Any] | None:
        """The propagation that is going on."""
        return self.session.tag.get("running")

    def go_on(self) -> None:
        """Go on with the propagation that was going on when the session's process ended."""
        run = self.running
        if run is not None and self._following is None:
            log.info("session %s goes on with the propagation after frame %s", self._path.stem, run["frame"])
            self._follow(run)

    # Requests

    async def act(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Do an action; the answer holds its mask where it has one, and what was ``undone`` or done again."""
        kind, name = message.get("kind"), _name(message)
        if kind in ("undo", "redo") and self._job is not None:
            self._job.cancel()  # it ends before the action begins
            self._changed.set()
        undone, mask = await self._do(self._act, name, str(kind), message)
        self.tell_state()
        return {"ok": True, "mask": mask, "undone": undone}

    async def propagate(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Begin to propagate."""
        run = await self._do(self._begin, _name(message), message)
        await self._on_running(self.running)
        if run is not None:
            self._follow(run)
        return {"ok": True}

    async def stop(self, _message: Mapping[str, Any]) -> dict[str, Any]:
        """Stop the propagation, and wait until it has."""
        following = self._following
        if self._job is not None:
            self._job.cancel()
            self._changed.set()
        if following is not None:
            await asyncio.wait([following])
        return {"ok": True}

    async def look(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Encode a frame soon, before it is clicked on; of many the last one counts."""
        t = number(message, "frame")
        if self._looking is not None:
            self._looking.cancel()
        self._looking = self._scheduler.submit(self.session, VideoSession.look, t)
        return {"ok": True}

    async def state(self, _message: Mapping[str, Any]) -> dict[str, Any]:
        """The state."""
        return {"ok": True, "state": await self.describe(await self._do(self._state))}

    async def masks(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Masks on some frames."""
        length = self.session.source.length
        assert length is not None
        span = span_of(message, length, MOST_MASKS)
        return {"ok": True, "first": span.start, "count": len(span), "masks": await self._look_at("masks", span)}

    async def scores(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Confidence on every frame, of one object or of all."""
        return {"ok": True, **await self._look_at("scores", optional(message, "object"))}

    async def suggest(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Frames to correct next."""
        k, target = optional(message, "k"), optional(message, "object")
        return {"ok": True, "suggestions": await self._look_at("suggestions", 1 if k is None else k, target)}

    async def collect(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Masks of all objects, for them to be handed in."""
        if self.running is not None:
            raise ValueError("a propagation is going on: wait for its end or stop it")
        return {"ok": True, "masklets": await self._look_at("collected", number(message, "every"))}

    def more(self, who: object, count: int) -> None:
        """A listener has read some frames."""
        if who in self.subscribers:
            one = self.subscribers[who]
            one.unread = max(0, one.unread - count)
            self._changed.set()

    def leave(self, who: object) -> None:
        """A listener is gone."""
        self.subscribers.pop(who, None)
        self._changed.set()

    async def close(self, why: str) -> None:
        """Save and close; a propagation goes on when the session is opened again."""
        self._closing = True
        if self._job is not None:
            self._job.cancel()
        self._changed.set()
        tasks = [task for task in (self._following, self._telling) if task is not None]
        if tasks:
            await asyncio.wait(tasks)
        try:
            await self._do(VideoSession.close)
        finally:
            await self._tell({"event": "closed", "why": why})

    # On the scheduler's thread

    def _act(
        self, session: VideoSession, name: str, kind: str, body: Mapping[str, Any]
    ) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        if name in session.tag.get("names", ()):
            session.save(self._path)  # it may be that saving failed the first time
            return session.tag.get("undone", {}).get(name), self._view.mask(body)
        before, known = session.tag, session.history
        undone = self._next(kind)
        session.tag = _named(before, name, undone)
        try:
            self.annotating.act(kind, body)
            return undone, self._view.mask(body)
        except BaseException:
            if [*map(id, session.history)] == [*map(id, known)]:  # else it was done, and could not be saved
                session.tag = before
            raise

    def _next(self, kind: str) -> dict[str, Any] | None:
        """What an action undoes or does again; it is noted with its name, for it may be asked again after a crash."""
        match kind:
            case "undo":
                return as_json(self.annotating.next_undo)
            case "redo":
                return as_json(self.annotating.next_redo)
        return None

    def _begin(self, session: VideoSession, name: str, body: Mapping[str, Any]) -> dict[str, Any] | None:
        """Note a propagation; None: it was begun before."""
        if name in session.tag.get("names", ()):
            return None
        if self.running is not None:
            raise ValueError("a propagation is going on: stop it first")
        run = new_run(session, name, body)
        self.annotating.check_propagate()
        session.tag = {**_named(session.tag, name), "running": run}
        session.save(self._path)
        return run

    def _ended(self, session: VideoSession) -> None:
        session.tag = {**session.tag, "running": None}
        session.save(self._path)

    def _state(self, _session: VideoSession) -> dict[str, Any]:
        run = self.running
        return self._view.state(run and {key: run[key] for key in ("direction", "start", "stop", "frame")})

    # Tracking

    def _follow(self, run: dict[str, Any]) -> None:
        self._following = asyncio.create_task(self._follow_all(run))

    async def _follow_all(self, run: dict[str, Any]) -> None:
        error, count = None, 0
        try:
            count = await self._follow_legs(run)
        except (ValueError, LookupError, RuntimeError, OSError) as caught:
            log.warning("a propagation of session %s ended with an error: %s", self._path.stem, caught)
            error = str(caught).replace(str(self._path.parent.parent), "workspace")
        self._job = None
        if self._closing:
            return
        await self._do(self._ended)
        await self._on_running(None)
        self._following = None
        await self._tell({"event": "finished", "name": run["name"], "frames": count, "error": error})
        self.tell_state()

    async def _follow_legs(self, run: dict[str, Any]) -> int:
        assert self.session.source.length is not None
        length, count = self.session.source.length, 0
        legs = left_of(run, length)
        left = frames_of(legs, length)
        for leg in legs:
            if run["frame"] is not None:  # its process has ended since: it is one action all the same
                await self._do(VideoSession.rejoin)
            job = self._job = self._track(leg)
            async for result in job:
                count += 1
                await self._room(job)
                run["frame"] = result.frame  # noted only here: a frame that nobody was shown is done again
                await self._tell(self._frame_event(result, left - count))
            if job.cancelled or self._closing:
                break
        return count

    def _frame_event(self, result: FrameResult, left: int) -> dict[str, Any]:
        masks = [self._view.result(one) for one in result.values()]
        return {"event": "frame", "frame": result.frame, "masks": masks, "left": max(left, 0)}

    def _track(self, leg: Leg) -> Job:
        start, stop, direction = leg
        return self._scheduler.propagate(self.session, start=start, stop=stop, direction=direction, buffer=_BUFFER)

    async def _room(self, job: Job) -> None:
        """Wait until no listener is far behind."""
        while not job.cancelled and any(one.unread >= MOST_UNREAD for one in self.subscribers.values()):
            self._changed.clear()
            await self._changed.wait()

    # Telling

    def tell_state(self) -> None:
        """Tell all of the state soon; of many times at once one is enough."""
        self._stale = True
        if self.subscribers and not self._closing and (self._telling is None or self._telling.done()):
            self._telling = asyncio.create_task(self._tell_state())

    async def _tell_state(self) -> None:
        await asyncio.sleep(0)  # what asked for it is answered first
        while self._stale:
            self._stale = False
            await self._tell({"event": "state", "state": (await self.state({}))["state"]})

    async def _tell(self, event: dict[str, Any]) -> None:
        for who, one in list(self.subscribers.items()):
            one.unread += event["event"] == "frame"
            try:
                await one.send(event)
            except ConnectionError:
                self.subscribers.pop(who, None)

    async def _look_at(self, what: str, *args: Any) -> Any:
        return await self._do(lambda _: getattr(self._view, what)(*args))

    async def _do(self, function: Callable[..., R], *args: Any) -> R:
        self.waiting += 1
        try:
            return await asyncio.wrap_future(self._scheduler.submit(self.session, function, *args))
        finally:
            self.waiting -= 1


def _named(tag: Mapping[str, Any], name: str, undone: dict[str, Any] | None = None) -> dict[str, Any]:
    names = [*tag.get("names", ()), name][-REMEMBERED:]
    known = {**tag.get("undone", {}), name: undone}
    return {**tag, "names": names, "undone": {one: known[one] for one in names if known.get(one) is not None}}


def _name(message: Mapping[str, Any]) -> str:
    name = message.get("name")
    if not isinstance(name, str) or not 1 <= len(name) <= 64:
        raise ValueError(f"an action has a 'name' of its own, a UUID, got {name!r:.80}")
    return name


async def _as_it_is(state: dict[str, Any]) -> dict[str, Any]:
    return state
