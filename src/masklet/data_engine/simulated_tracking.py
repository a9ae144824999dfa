"""How a simulated annotator makes the masklets of a video: what is looked at, what is clicked, and what it costs.

Frames are looked at in order, once, as in the online protocol of appendix E.1.2 of the SAM 2 paper. One is stopped at
where a mask overlaps the truth by less than ``stop_below``; clicks fall in the middle of the error until the mask is as
good as ``wanted`` or ``most_clicks`` are given. Phase 1 stops at every annotated frame that shows the object and begins
each from nothing. Phase 2 begins a frame that it stops at from nothing, and propagates the mask from there. Phase 3
clicks on what was propagated, and propagates from there. Where a mask is shown and the object is not there, it is said
to be absent.

Simulated seconds: 1 for each frame and object that is stopped at, 1.5 for each click or absence, and in phases 2 and 3,
for each object, a tenth for each annotated frame, once. Waiting for the model costs nothing. A brush is not simulated,
so that phase 1 is cheaper than people's, and coarser.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool

from ..data.records import AnnotatedVideo
from ..evaluation.annotation_time import CLICK, EXAMINE, LOCATE
from ..evaluation.interactive import STOP_BELOW
from ..evaluation.metrics import jaccard
from ..interaction.clicks import center_click
from ..masks import rle
from .client_errors import EngineError
from .live_client import Reply

MaskArray = Bool[np.ndarray, "h w"]
_CHUNK = 32  # frames that are asked for at once
_SILENCE = 2.0  # seconds without a frame after which the server is asked whether it still tracks
_TRIES = 5  # of a propagation that its worker does not survive


@dataclass(frozen=True)
class Behaviour:
    """How somebody who is simulated works.

    Attributes:
        stop_below: Overlap (IoU) with the truth below which a frame is edited.
        wanted: Overlap at which clicking on a frame ends.
        most_clicks: Clicks on a frame and object after which it ends anyway.
        accept: Mean overlap of a masklet that a verifier accepts.
        rounds: Rounds of annotation after which what is not accepted is rejected.
        pace: Seconds really waited for each simulated one.
    """

    stop_below: float = STOP_BELOW
    wanted: float = 0.9
    most_clicks: int = 6
    accept: float = 0.8
    rounds: int = 2
    pace: float = 0.0


@runtime_checkable
class Session(Protocol):
    """What is needed of :class:`~masklet.data_engine.live_client.Live`."""

    events: asyncio.Queue[dict[str, Any]]

    async def act(self, kind: str, *, seconds: float = 0.0, **body: Any) -> Reply:
        """Do something, once."""
        ...

    async def masks(self, first: int, count: int) -> list[dict[str, Any]]:
        """Masks on some frames."""
        ...

    async def tracking(self) -> bool:
        """Whether a propagation is going on."""
        ...


@dataclass
class Tracking:
    """The work of one task of the stage ``track``.

    Attributes:
        live: The session.
        truth: The video with its true masks.
        numbers: Number in the session of each object of the truth.
        phase: 1, 2 or 3.
        every: Distance of annotated frames.
        behaviour: How it is done.
    """

    live: Session
    truth: AnnotatedVideo
    numbers: Mapping[int, int]
    phase: int
    every: int
    behaviour: Behaviour
    _shown: dict[int, dict[int, MaskArray]] = field(default_factory=dict)
    _running: bool = False
    _looked: bool = False

    async def annotate(self) -> None:
        """Go through the video.

        Raises:
            EngineError: The server refuses something, or the lease is lost.
            ServerGone: The server has not come back.
        """
        frames = [t for t in self.truth.annotated if t % self.every == 0]
        await self._halt()
        await self._fetch(0)
        for t, later in zip(frames, [*frames[1:], None], strict=True):
            await self._wait_for(t)
            truths = self.truth.masks(t, self.numbers.keys())
            edited = [one for one in self.numbers if self._is_wrong(t, one, truths.get(one))]
            if edited:
                await self._stop()
            for one in edited:
                if one in truths:
                    await self._correct(t, one, truths[one])
                else:
                    await self._say_absent(t, self.numbers[one])
            if self.phase > 1 and later is not None and (edited or await self._ends_at(t, later)):
                await self._propagate(t, EXAMINE * len(frames) * len(self.numbers))
        await self._wait_for(frames[-1])
        while self._running:
            await self._hear()

    def _is_wrong(self, t: int, one: int, truth: MaskArray | None) -> bool:
        shown = self._shown.get(t, {}).get(self.numbers[one])
        if one in self.truth.unknown(t):
            return False
        if truth is None:
            return shown is not None and bool(shown.any())
        return shown is None or float(jaccard(shown, truth)) < self.behaviour.stop_below

    async def _correct(self, t: int, one: int, truth: MaskArray) -> None:
        """Click on an object on a frame until it is good enough."""
        number, refine = self.numbers[one], self.phase == 3
        shown = self._shown.get(t, {}).get(number) if refine else None
        cost = LOCATE + CLICK
        for click in range(self.behaviour.most_clicks):
            (x, y), label = center_click(truth, shown)
            body: dict[str, Any] = {"frame": t, "object": number, "points": [[x, y]], "labels": [label]}
            if not refine and click == 0:
                body["clear"] = True
            answer = await self._act("prompt", cost, **body)
            shown = np.zeros(self.truth.size, bool) if answer["mask"] is None else self._mask(answer["mask"])
            if jaccard(shown, truth) >= self.behaviour.wanted:
                break
            cost = CLICK
        if shown is not None:
            self._shown.setdefault(t, {})[number] = shown

    async def _say_absent(self, t: int, number: int) -> None:
        await self._act("absent", LOCATE + CLICK, frame=t, object=number)
        self._shown.setdefault(t, {})[number] = np.zeros(self.truth.size, bool)

    async def _act(self, kind: str, seconds: float, **body: Any) -> Mapping[str, Any]:
        await asyncio.sleep(self.behaviour.pace * seconds)
        return (await self.live.act(kind, seconds=seconds, **body)).body

    # Propagation

    async def _propagate(self, start: int, looking: float) -> None:
        """Track from a frame on; the first time pays for looking through the video."""
        self._shown = {t: masks for t, masks in self._shown.items() if t == start}  # earlier ones are done with
        seconds, self._looked = 0.0 if self._looked else looking, True
        await asyncio.sleep(self.behaviour.pace * seconds)
        stop = max(t for t in self.truth.annotated if t % self.every == 0)
        await self.live.act("propagate", seconds=seconds, start=start, stop=stop, direction="forward")
        self._running = True

    async def _ends_at(self, t: int, later: int) -> bool:
        """Whether there are masks on a frame and none on the next, and nobody makes them."""
        if self._running or not self._shown.get(t):
            return False
        if later not in self._shown:
            await self._fetch(later)
        return not self._shown.get(later)

    async def _stop(self) -> None:
        """End the propagation that is going on, and hear the last of it."""
        if self._running:
            await self.live.act("stop")
            while self._running:
                await self._hear()

    async def _halt(self) -> None:
        """End what somebody who had the task before left going on."""
        if await self.live.tracking():
            self._running = True
            await self._stop()

    async def _wait_for(self, t: int) -> None:
        """Return when the masks of a frame are known, or there is nothing to make them."""
        for _ in range(_TRIES):
            while self._running and t not in self._shown:
                await self._hear()
            if t not in self._shown:
                await self._fetch(t)
            if t in self._shown or not self._looked:
                return
            await self._propagate(max(self._shown, default=0), 0.0)  # the worker died, and nobody went on
        raise EngineError(f"frame {t} was not tracked in {_TRIES} tries", "refused")

    async def _hear(self) -> None:
        """Take the next event of the propagation; silence may mean that its end was missed."""
        listening = asyncio.ensure_future(self.live.events.get())
        try:  # before Python 3.12 wait_for loses a cancellation that comes with the event
            heard, _ = await asyncio.wait({listening}, timeout=_SILENCE)
        finally:
            listening.cancel()
        if not heard:
            self._running = await self.live.tracking()
            return
        event = listening.result()
        if event["event"] == "frame":
            self._see(event["masks"], event["frame"])
        else:  # finished, or the connection is lost for good, which the next action says
            self._running = False

    async def _fetch(self, first: int) -> None:
        """Ask for masks that were not heard of."""
        for mask in await self.live.masks(first, _CHUNK):
            self._shown.setdefault(mask["frame"], {}).setdefault(mask["object"], self._mask(mask))

    def _see(self, masks: list[dict[str, Any]], t: int) -> None:
        self._shown[t] = {mask["object"]: self._mask(mask) for mask in masks}

    def _mask(self, mask: Mapping[str, Any]) -> MaskArray:
        return rle.decode({"size": list(self.truth.size), "counts": mask["counts"]})
