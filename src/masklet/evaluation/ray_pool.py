"""An evaluation over several machines, by Ray."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from .runs import Done, Prepare, Unit, attempt


@dataclass(frozen=True)
class RayPool:
    """A :class:`~masklet.evaluation.runs.Pool` of actors on a Ray cluster.

    Videos and weights must be found at the same path or address on all its machines; results come back to this one.

    Attributes:
        address: Of the cluster: ``auto`` for the one this machine belongs to, ``local`` for one made here.
        workers: Actors, each with its own tracker; None: one for each CPU of the cluster.
        cpus: CPUs that each takes.
        gpus: GPUs that each takes; a fraction shares one.
    """

    address: str = "auto"
    workers: int | None = None
    cpus: float = 1
    gpus: float = 0

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise ValueError(f"expected at least 1 worker, got {self.workers}")

    def results(self, prepare: Prepare, units: Iterable[Unit]) -> Iterator[Done]:
        """Do the units; closing the iterator ends the actors.

        Raises:
            ModuleNotFoundError: Ray is not installed.
            ConnectionError: There is no cluster at the address.
            RuntimeError: An actor has died.
        """
        try:
            import ray
            from ray.exceptions import RayActorError
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError("Ray is not installed: pip install 'masklet[ray]'") from error
        mine = not ray.is_initialized()
        if mine:
            ray.init(address=self.address, log_to_driver=False)
        count = self.workers or max(1, int(ray.cluster_resources().get("CPU", 1) / self.cpus))
        actor: Any = ray.remote(num_cpus=self.cpus, num_gpus=self.gpus)(_Worker)
        workers = [actor.remote(prepare) for _ in range(count)]
        running: dict[Any, Any] = {}
        left = iter(units)
        try:
            for worker, unit in zip(workers * 2, left, strict=False):  # one waits while the other is done
                running[worker.do.remote(unit)] = worker
            while running:
                (ready,), _ = ray.wait(list(running), num_returns=1)
                worker = running.pop(ready)
                done = ray.get(ready)
                for unit in left:
                    running[worker.do.remote(unit)] = worker
                    break
                yield done
        except RayActorError as error:
            raise RuntimeError(f"a worker on the Ray cluster has died ({error}); what was finished is kept") from error
        finally:
            for worker in workers:
                ray.kill(worker)
            if mine:
                ray.shutdown()


class _Worker:
    """What runs on the cluster."""

    def __init__(self, prepare: Prepare) -> None:
        self._do = prepare()

    def do(self, unit: Unit) -> Done:
        return attempt(self._do, unit)
