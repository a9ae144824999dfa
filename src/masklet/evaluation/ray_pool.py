"""Pieces of work over several machines, by Ray; a worker that dies is replaced, and its piece done again."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from .runs import Do, Done, Prepare, Unit, attempt


@dataclass(frozen=True)
class RayPool:
    """A :class:`~masklet.evaluation.runs.Pool` of actors on a Ray cluster.

    Videos and weights must be found at the same path or address on all its machines; results come back to this one.
    A worker has one unit at a time, so that what waits never waits behind a long one.

    Attributes:
        address: Of the cluster: ``auto`` for the one this machine belongs to, ``local`` for one made here.
        workers: Actors, each with its own tracker; None: one for each CPU of the cluster.
        cpus: CPUs that each takes.
        gpus: GPUs that each takes; a fraction shares one.
        tries: A unit during which so many workers have died has a fault: it may be what kills them.
    """

    address: str = "auto"
    workers: int | None = None
    cpus: float = 1
    gpus: float = 0
    tries: int = 5

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise ValueError(f"expected at least 1 worker, got {self.workers}")

    def results(self, prepare: Prepare, units: Iterable[Unit]) -> Iterator[Done]:
        """Do the units, each at least once; closing the iterator ends the actors.

        Raises:
            ModuleNotFoundError: Ray is not installed.
            ConnectionError: There is no cluster at the address.
            RuntimeError: Workers die and nothing else.
        """
        try:
            import ray
            from ray import exceptions
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError("Ray is not installed: pip install 'masklet[ray]'") from error
        lost = (
            exceptions.RayActorError,
            exceptions.WorkerCrashedError,
            exceptions.OutOfMemoryError,
            exceptions.ObjectLostError,
        )
        mine = not ray.is_initialized()
        if mine:
            count = math.ceil(self.cpus * self.workers) if self.workers and self.address == "local" else None
            ray.init(address=self.address, log_to_driver=False, num_cpus=count)
        actor: Any = ray.remote(num_cpus=self.cpus, num_gpus=self.gpus)(_Worker)
        count = self.workers or max(1, int(ray.cluster_resources().get("CPU", 1) / self.cpus))
        idle = [actor.remote(prepare) for _ in range(count)]
        running: dict[Any, tuple[Any, Unit]] = {}
        left, again = iter(units), list[Unit]()
        deaths, in_a_row = Counter[Unit](), 0
        try:
            while True:
                while idle and (unit := again.pop() if again else next(left, None)) is not None:
                    worker = idle.pop()
                    running[worker.do.remote(unit)] = worker, unit
                if not running:
                    return
                (ready,), _ = ray.wait(list(running), num_returns=1)
                worker, unit = running.pop(ready)
                try:
                    done = ray.get(ready)
                    idle.append(worker)
                    in_a_row = 0
                except exceptions.RayTaskError as error:
                    raise error.cause or error from error
                except lost as error:
                    ray.kill(worker)  # it may only be out of reach
                    idle.append(actor.remote(prepare))
                    deaths[unit] += 1
                    in_a_row += 1
                    if in_a_row > 4 * (count + self.tries):
                        raise RuntimeError(
                            f"{in_a_row} workers on the Ray cluster have died one after the other ({error}); what was "
                            "finished is kept"
                        ) from error
                    if deaths[unit] < self.tries:
                        again.append(unit)
                        continue
                    done = Done(unit, fault=f"{self.tries} workers died while they did it, perhaps of memory")
                yield done
        finally:
            for worker in [*idle, *(worker for worker, _ in running.values())]:
                ray.kill(worker)
            if mine:
                ray.shutdown()


class _Worker:
    """What runs on the cluster."""

    def __init__(self, prepare: Prepare) -> None:
        self._prepare = prepare
        self._do: Do | None = None

    def do(self, unit: Unit) -> Done:
        """Prepared with the first unit: what goes wrong then is an error of its kind, not the death of a worker."""
        self._do = self._do or self._prepare()
        return attempt(self._do, unit)
