"""masklet beside PyPI ``sam2`` 1.1.0 and ``transformers``, in the same run: seconds, memory, output differences.

    python benchmarks/peers.py --out DIR --rows click clicks64 video1 video4 --models tiny --sizes 512 --passes 5

Rows: ``encode`` (an image), ``click`` (one on an encoded image, to masks of the image's size), ``clicks64`` (any
number, to logits at stride 4 and predicted IoU), ``masks64`` (to the best mask of each at the image's size), ``video1``
(a frame with any number of objects and full memory), ``memories`` (frames while memory fills), ``prompts4`` (a frame of
an object that was clicked on any number of frames), ``long4`` (all of 200 frames with any number of objects, for what
memory peaks at), ``startup`` (import and load).

Each library is a process of its own, and passes go in turns: A B C A B C. Ratios are of passes of one turn. The floor
is the official code's multiply-adds over the best rate of matrix products in the same run; who needs less arithmetic
can beat it. That of ``startup`` is a Python that imports torch and reads the weights. Weights are random, the same for
all; frames are made up without ``--clip``. A row that is there with the same conditions is not run again, so a run can
be stopped and gone on with. Results: a JSON file a row, ``peers.md`` and ``peers.png``; ``--docs PAGE.md`` puts the
short table between the lines ``<!-- peers -->`` and ``<!-- /peers -->`` of a page, and the plot beside it.
``--kept-memory`` tells the C library to keep what is freed, which helps whoever allocates much.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))

from peer_report import around_markers, kind_and_count, write_docs, write_report

ROWS = (
    "startup",
    "encode",
    "click",
    "clicks64",
    "masks64",
    "video1",
    "video2",
    "video4",
    "video8",
    "video16",
    "memories",
    "prompts4",
    "long4",
)
PEERS = ("masklet", "sam2", "sam2-loop", "transformers")
LOOPED = ("clicks", "masks")  # rows in which the official code has two ways
WARM, FILLING, LONG = 8, 10, 200  # frames before memory is full; those of ``memories`` and of ``long4``
KEPT = {"MALLOC_MMAP_THRESHOLD_": "4000000000", "MALLOC_TRIM_THRESHOLD_": "4000000000"}
LETTERS = {"tiny": "t", "small": "s", "base_plus": "b+", "large": "l"}


@dataclass(frozen=True)
class Conditions:
    """What numbers of a row depend on beside the row."""

    threads: int
    passes: int
    clip: str | None
    kept_memory: bool
    peers: tuple[str, ...]


@dataclass(frozen=True)
class Job:
    """A row of a model at a size."""

    row: str
    model: str
    size: int

    @property
    def file(self) -> str:
        """Name of its results."""
        return f"{self.row}-{self.model}-{self.size}.json"

    @property
    def count(self) -> int:
        """Clicks, objects or prompted frames."""
        return kind_and_count(self.row)[1]

    def peers(self, asked: tuple[str, ...]) -> list[str]:
        """Who takes part."""
        return [peer for peer in asked if peer != "sam2-loop" or self.row.startswith(LOOPED)]

    def turns(self, passes: int) -> int:
        """How often everyone runs."""
        if self.row.startswith("long"):
            return LONG - WARM - 2
        return passes * (FILLING if self.row == "memories" else 1)

    def frames(self, passes: int) -> int:
        """Of the clip: those before the first pass, of the passes, and one on which multiply-adds are counted."""
        if self.row == "memories":
            return FILLING + 1
        return WARM + 2 + self.turns(passes) + (self.count if self.row.startswith("prompts") else 0)


class Worker:
    """A library in its process."""

    def __init__(self, task: dict[str, Any], environment: dict[str, str]) -> None:
        script = Path(__file__).resolve().parent / "peer_worker.py"
        self.process = subprocess.Popen(
            [sys.executable, str(script), json.dumps(task)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment, "TQDM_DISABLE": "1"},
        )
        self.first = self._line()

    def ask(self, what: str) -> dict[str, Any]:
        """Let it do something; after ``end`` it is gone."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": what}) + "\n")
        self.process.stdin.flush()
        answer = self._line()
        if what == "end":
            self.process.wait()
        return answer

    def stop(self) -> None:
        """End it, however far it is."""
        self.process.kill()
        self.process.wait()

    def _line(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"a library's process ended with code {self.process.wait()}: its message is above")
        return json.loads(line)


Start = Callable[[dict[str, Any]], Any]
"""Makes a worker of a task."""


def measure(job: Job, conditions: Conditions, folder: Path, start: Start) -> dict[str, Any]:
    """Run a row."""
    config = f"configs/sam2.1/sam2.1_hiera_{LETTERS[job.model]}.yaml"
    base = {
        "model": f"sam2.1_hiera_{job.model}", "size": job.size, "row": job.row, "clip": conditions.clip,
        "threads": conditions.threads, "weights": str(folder / "weights" / job.model), "official": config,
        "frames": job.frames(conditions.passes), "peers": conditions.peers,
    }  # fmt: skip
    peers, count = job.peers(conditions.peers), job.turns(conditions.passes)
    found = start_up(base, peers, count, start) if job.row == "startup" else turns(base, peers, count, folder, start)
    machine = start({**base, "do": "machine"}).ask("end")
    return json.loads(json.dumps({**asdict(job), "conditions": asdict(conditions), **machine, **found}))


def turns(base: dict[str, Any], peers: list[str], count: int, folder: Path, start: Start) -> dict[str, Any]:
    """Passes of all libraries in turns, then memory, multiply-adds and answers."""
    workers: dict[str, Any] = {}
    found: dict[str, dict[str, Any]] = {}
    rate, rates = start({**base, "do": "gemm"}), []
    try:
        for peer in peers:
            worker = start({**base, "do": "row", "peer": peer, "answer": str(folder / f"answer-{peer}.npz")})
            if "missing" in worker.first:
                found[peer] = worker.first
            else:
                workers[peer], found[peer] = worker, {"wall": [], "cpu": []}
        for _ in range(count):
            rates.append(rate.ask("run"))
            for peer, worker in workers.items():
                for clock, seconds in worker.ask("run").items():
                    found[peer][clock].append(seconds)
        for peer, worker in workers.items():
            found[peer].update(worker.ask("end"))
        rate.ask("end")
    finally:
        for worker in (*workers.values(), rate):
            worker.stop()
    answers = {peer: dict(np.load(folder / f"answer-{peer}.npz")) for peer in workers}
    for peer in workers:
        (folder / f"answer-{peer}.npz").unlink()
    return {
        "gflops": {clock: max(one[clock] for one in rates) for clock in ("wall", "cpu")},
        "peers": found,
        "differences": differences(answers),
    }


def start_up(base: dict[str, Any], peers: list[str], count: int, start: Start) -> dict[str, Any]:
    """Seconds from starting Python to a loaded model, in turns; the floor with them."""
    if not Path(base["weights"]).exists():
        start({**base, "do": "save"}).ask("end")
    found: dict[str, dict[str, Any]] = {peer: {"wall": [], "cpu": []} for peer in ("floor", *peers)}
    for turn, peer in product(range(count + 1), found):
        if "missing" in found[peer]:
            continue
        began = time.perf_counter()
        worker = start({**base, "do": "startup", "peer": peer})
        seconds = time.perf_counter() - began
        if "missing" in worker.first:
            found[peer] = worker.first
            continue
        answer = worker.ask("end")
        times = {"wall": seconds, "cpu": answer.pop("cpu")}
        found[peer].update(answer)
        for clock, value in times.items() if turn else ():  # the first reads files that the system then keeps
            found[peer][clock].append(value)
    return {"floor": found.pop("floor"), "peers": found, "differences": {}}


def differences(answers: dict[str, dict[str, np.ndarray]]) -> dict[str, dict[str, float]]:
    """From the official code, or from whoever comes first: the largest of numbers, the share of pixels of masks."""
    if not answers:
        return {}
    origin = "sam2" if "sam2" in answers else next(iter(answers))

    def difference(a: np.ndarray, b: np.ndarray) -> float:
        if a.shape != b.shape:
            raise ValueError(f"answers have shapes {a.shape} and {b.shape}: the libraries did not do the same")
        return float((a != b).mean() if a.dtype == bool else np.abs(a.astype(np.float64) - b).max())

    first = answers[origin]
    return {
        peer: {name: difference(first[name], value) for name, value in answer.items()}
        for peer, answer in answers.items()
        if peer != origin
    }


def done(path: Path, conditions: Conditions) -> bool:
    """Whether a row is there with these conditions."""
    return path.exists() and json.loads(path.read_text())["conditions"] == json.loads(json.dumps(asdict(conditions)))


def main(arguments: list[str] | None = None) -> None:
    """Run what is not there, and write the table and the plot of all that is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for results; goes on where it was left")
    parser.add_argument("--rows", nargs="*", default=ROWS, help="see above; none: only write the table and the plot")
    parser.add_argument("--models", nargs="+", choices=tuple(LETTERS), default=["tiny", "base_plus"])
    parser.add_argument("--sizes", nargs="+", type=int, default=[512, 1024])
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=PEERS)
    parser.add_argument("--passes", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--clip", help="a folder of frames or a movie")
    parser.add_argument("--kept-memory", action="store_true")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="of the table; cpu on a busy machine")
    parser.add_argument("--docs", type=Path, metavar="PAGE.md", help="a page with markers, for the short table")
    options = parser.parse_args(arguments)
    if options.docs is not None:
        around_markers(options.docs)  # before hours of measuring
    conditions = Conditions(options.threads, options.passes, options.clip, options.kept_memory, tuple(options.peers))
    options.out.mkdir(parents=True, exist_ok=True)
    environment = {"OMP_NUM_THREADS": str(options.threads), **(KEPT if options.kept_memory else {})}
    for row, model, size in product(options.rows, options.models, options.sizes):
        job = Job(row, model, size)
        path = options.out / job.file
        if done(path, conditions):
            continue
        print(f"{row} {model} {size}", file=sys.stderr, flush=True)
        result = measure(job, conditions, options.out, lambda task: Worker(task, environment))
        path.with_suffix(".part").write_text(json.dumps(result, indent=1))
        path.with_suffix(".part").replace(path)
    print(write_report(options.out, options.clock))
    if options.docs is not None:
        write_docs(options.out, options.docs, options.clock)


if __name__ == "__main__":
    main()
