"""An annotator without a person: does the tasks of every stage by the truth, through the client only.

Objects are called ``truth 3`` after their number in the truth, which is how one stage knows what another was about; of
masklets that the engine proposed, the object is meant that they overlap most. What each action costs a person is told
with it (:mod:`~masklet.data_engine.simulated_tracking`); a project with the setting ``simulated`` believes it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..data.records import AnnotatedVideo, Mask
from ..evaluation.annotation_time import CLICK, EXAMINE, LOCATE
from ..evaluation.metrics import jaccard
from ..interaction.clicks import center_click
from ..masks import rle
from .client import Client
from .client_errors import EngineError
from .finished_masks import stem
from .schema import STAGES, Verdict
from .simulated_tracking import Behaviour, Tracking

_NAMED = re.compile(r"truth (\d+)")
_TO_DO = ("selected", "unsatisfactory")
_TARGET = 0.5
"""Overlap with every object of the truth below which a masklet is of none of them."""


@dataclass
class SimulatedAnnotator:
    """Somebody who works on the tasks of projects.

    Attributes:
        client: Who is signed in.
        truths: The videos with their masks, by name without the suffix.
        behaviour: How the work is done.
        done: Number of tasks done, by stage.
        lost: Leases that were lost, so that somebody else does the task.
    """

    client: Client
    truths: Mapping[str, AnnotatedVideo]
    behaviour: Behaviour = field(default_factory=Behaviour)
    done: dict[str, int] = field(default_factory=dict)
    lost: int = 0

    async def work(
        self,
        project_id: int,
        stages: Sequence[str] = STAGES,
        *,
        wait: float = 1.0,
        go_on: Callable[[], bool] | None = None,
    ) -> None:
        """Do tasks, those of later stages first, until none is left.

        Args:
            project_id: The project.
            stages: Stages to take tasks of.
            wait: Seconds between looks when there is none.
            go_on: Whether to wait for more when none is left; None: not.

        Raises:
            EngineError: The server refuses something.
            ServerGone: The server has not come back.
        """
        project = await self.client.get(f"projects/{project_id}")
        while go_on is None or go_on():
            task = await self._claim(project_id, [one for one in reversed(STAGES) if one in stages])
            if task is not None:
                await self.do(project, task)
            elif go_on is None:
                return
            else:
                await asyncio.sleep(wait)

    async def resume(self, project_id: int) -> None:
        """Do the tasks that one had when one was interrupted, under new leases; errors as for ``work``."""
        project = await self.client.get(f"projects/{project_id}")
        for task in await self.client.get(f"projects/{project_id}/tasks", state="leased", mine=True):
            await self.do(project, await self.client.post(f"tasks/{task['id']}/claim"))

    async def do(self, project: Mapping[str, Any], task: Mapping[str, Any]) -> None:
        """Do one task that is leased; a lost lease is no error."""
        stages = {"select": self._select, "track": self._track, "verify": self._verify}
        try:
            await stages[task["stage"]](project, task)
        except EngineError as error:
            if error.kind != "lease_lost":
                raise
            self.lost += 1
        else:
            self.done[task["stage"]] = self.done.get(task["stage"], 0) + 1

    async def _claim(self, project_id: int, stages: Sequence[str]) -> dict[str, Any] | None:
        for stage in stages:
            task = await self.client.claim(project_id, stage)
            if task is not None:
                return task
        return None

    def _truth(self, task: Mapping[str, Any]) -> AnnotatedVideo:
        name = task["video"]["name"]
        try:
            return self.truths[stem(name)]
        except KeyError:
            raise ValueError(f"the truth of the video {name} is not known: give its masks") from None

    # Stages

    async def _select(self, project: Mapping[str, Any], task: Mapping[str, Any]) -> None:
        """Point at every object of the truth that no proposal covers: a click in its middle, where it is first seen."""
        truth, every = self._truth(task), project["every"]
        proposals = await self._masks(task, 0, 1)
        async with self.client.live(task) as live:
            for one, first in _first_frames(truth, every).items():
                mask = truth.masks(first, (one,))[one]
                shown = [masks[0] for masks in proposals.values() if 0 in masks]
                if first == 0 and any(jaccard(proposal, mask) >= self.behaviour.accept for proposal in shown):
                    continue
                made = await live.act("object_add", label=f"truth {one}")
                (x, y), label = center_click(mask)
                body = {"frame": first, "object": made.body["object"], "points": [[x, y]], "labels": [label]}
                await self._pause(LOCATE + CLICK)
                await live.act("prompt", seconds=LOCATE + CLICK, **body)
        await self.client.finish(task)

    async def _track(self, project: Mapping[str, Any], task: Mapping[str, Any]) -> None:
        truth = self._truth(task)
        async with self.client.live(task) as live:
            known = {one["name"]: one for one in live.state["objects"]}
            numbers: dict[int, int] = {}
            for one in _first_frames(truth, project["every"]):
                there = known.get(f"truth {one}")
                if there is None and task["round"] == 1 and "select" not in project["settings"]["stages"]:
                    numbers[one] = (await live.act("object_add", label=f"truth {one}")).body["object"]
                elif there is not None and there["state"] in _TO_DO:
                    numbers[one] = there["number"]
            most_clicks = task["round"] * self.behaviour.most_clicks  # the same again would come to the same
            behaviour = replace(self.behaviour, most_clicks=most_clicks)
            await Tracking(live, truth, numbers, project["phase"], project["every"], behaviour).annotate()
        await self.client.finish(task)

    async def _verify(self, project: Mapping[str, Any], task: Mapping[str, Any]) -> None:
        """Look through the masklet: mean overlap with its object over the annotated frames decides."""
        truth, number = self._truth(task), task["object"]["number"]
        masks = (await self._masks(task, 0, task["video"]["frames"])).get(number, {})
        frames = [t for t in truth.annotated if t % project["every"] == 0]
        named = _NAMED.fullmatch(task["object"]["name"])
        wanted = [int(named[1])] if named else list(_first_frames(truth, project["every"]))
        scores = {one: _scores(truth, one, frames, masks) for one in wanted}
        best = max(scores.values(), key=lambda values: float(np.mean([*values.values()])))
        mean = float(np.mean([*best.values()]))
        verdict = self._verdict(mean, task["round"], known=named is not None)
        seconds = EXAMINE * len(frames)
        await self._pause(seconds)
        comment = "" if verdict == "satisfactory" else f"mean overlap {mean:.2f}"
        worst = min(best, key=lambda t: best[t])
        body = {"verdict": verdict, "comment": comment, "frame": worst, "seconds": seconds}
        await self.client.finish(task, "verdict", **body)

    def _verdict(self, mean: float, round: int, *, known: bool) -> Verdict:
        if mean >= self.behaviour.accept:
            return "satisfactory"
        rejected = round >= self.behaviour.rounds or (not known and mean < _TARGET)
        return "ill_defined" if rejected else "unsatisfactory"

    async def _masks(self, task: Mapping[str, Any], first: int, count: int) -> dict[int, dict[int, Mask]]:
        """Masks that were handed in or proposed, by object and frame."""
        size = [task["video"]["height"], task["video"]["width"]]
        found: dict[int, dict[int, Mask]] = {}
        for mask in await self.client.masks(task["video"]["id"], first, count):
            drawn = rle.decode({"size": size, "counts": mask["counts"]})
            found.setdefault(mask["object"], {})[mask["frame"]] = drawn
        return found

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(self.behaviour.pace * seconds)


def _first_frames(truth: AnnotatedVideo, every: int) -> dict[int, int]:
    """First annotated frame of the project that shows each object, by object."""
    first: dict[int, int] = {}
    for t in truth.annotated:
        for one in truth.masks(t) if t % every == 0 else ():
            first.setdefault(one, t)
    return first


def _scores(truth: AnnotatedVideo, one: int, frames: Sequence[int], masks: Mapping[int, Mask]) -> dict[int, float]:
    """Overlap of a masklet with an object by frame; where neither is, it is 1."""
    nothing = np.zeros(truth.size, bool)
    known = [t for t in frames if one not in truth.unknown(t)]
    return {t: float(jaccard(masks.get(t, nothing), truth.masks(t, (one,)).get(one, nothing))) for t in known}
