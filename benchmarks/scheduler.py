"""How long a click waits for its answer while other sessions propagate: by the scheduler, and by one global lock.

    python benchmarks/scheduler.py --others 1 4 8

One user clicks on a frame of a video, again and again; others track an object through theirs, again and again. With the
global lock a whole propagation holds it, as in the demo of the official code. All share one model; frames are counted
of all others together.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from concurrent.futures import Future
from threading import Event, Lock, Thread

import numpy as np

import masklet
from masklet.evaluation.hardware import hardware

SIDE = (270, 480)
CLICKS = 0.3  # mean seconds from an answer to the next click


def clip(frames: int, seed: int) -> list[np.ndarray]:
    """A bright disc that crosses a noisy ground."""
    rng = np.random.default_rng(seed)
    ground = rng.integers(0, 90, (*SIDE, 3)).astype(np.uint8)
    y, x = np.mgrid[: SIDE[0], : SIDE[1]]
    made = []
    for t in range(frames):
        frame = ground.copy()
        frame[(x - 80 - 6 * t) ** 2 + (y - 120 - t) ** 2 < 40**2] = (220, 180, 60)
        made.append(frame)
    return made


class Lane:
    """What the two ways have in common: sessions, and threads that track until they are told to stop."""

    def __init__(self, model: masklet.Sam2, others: int, frames: int) -> None:
        self.clicker = masklet.VideoSession(clip(frames, 0), model)
        self.others = [masklet.VideoSession(clip(frames, seed), model) for seed in range(1, others + 1)]
        for session in self.others:
            session.prompt(0, 1, points=[(80, 120)])
        self.stop, self.frames = Event(), 0

    def measure(self, seconds: float, click: Callable[[Callable[[], object]], None], track: Callable) -> list[float]:
        """Seconds that each click took while the others tracked."""
        threads = [Thread(target=track, args=(session,)) for session in self.others]
        for thread in threads:
            thread.start()
        rng, waits, ends = np.random.default_rng(0), [], time.perf_counter() + seconds
        time.sleep(1)
        while time.perf_counter() < ends:
            time.sleep(rng.exponential(CLICKS))
            t, began = int(rng.integers(self.clicker.source.length or 1)), time.perf_counter()
            click(lambda t=t: self.clicker.prompt(t, 1, points=[(80 + 6 * t, 120 + t)], clear=True))
            waits.append(time.perf_counter() - began)
        self.stop.set()
        for thread in threads:
            thread.join()
        return waits


def by_lock(lane: Lane, seconds: float) -> list[float]:
    """One lock around whatever a user does."""
    lock = Lock()

    def click(prompt: Callable[[], object]) -> None:
        with lock:
            prompt()

    def track(session: masklet.VideoSession) -> None:
        while not lane.stop.is_set():
            with lock:
                for _ in session.propagate(start=0):
                    lane.frames += 1
            time.sleep(0.001)  # the next request of this user; else the thread itself would take the lock again

    return lane.measure(seconds, click, track)


def by_scheduler(lane: Lane, seconds: float) -> list[float]:
    """One scheduler with one thread."""
    with masklet.Scheduler() as scheduler:

        def click(prompt: Callable[[], object]) -> None:
            future: Future[object] = scheduler.submit(lane.clicker, lambda _: prompt())
            future.result()

        def track(session: masklet.VideoSession) -> None:
            while not lane.stop.is_set():
                with scheduler.propagate(session, start=0) as job:
                    for _ in job:
                        lane.frames += 1
                        if lane.stop.is_set():
                            break

        return lane.measure(seconds, click, track)


def main(arguments: list[str] | None = None) -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--others", type=int, nargs="+", default=[1, 4, 8])
    parser.add_argument("--seconds", type=float, default=20, help="for each number of others and each way")
    parser.add_argument("--frames", type=int, default=40, help="of a video")
    parser.add_argument("--image-size", type=int, default=256)
    options = parser.parse_args(arguments)
    model = masklet.load("nano", image_size=options.image_size)
    print(f"{hardware()}; nano at {options.image_size} px, propagations of {options.frames} frames")
    print("| others | way | clicks | p50 ms | p95 ms | longest ms | frames/s of the others |")
    print("|" + "---|" * 7)
    for others in options.others:
        for name, way in (("global lock", by_lock), ("scheduler", by_scheduler)):
            lane, began = Lane(model, others, options.frames), time.perf_counter()
            waits = 1000 * np.array(way(lane, options.seconds))
            rate = lane.frames / (time.perf_counter() - began)
            p50, p95 = np.percentile(waits, [50, 95])
            cells = f"{len(waits)} | {p50:.0f} | {p95:.0f} | {waits.max():.0f} | {rate:.1f}"
            print(f"| {others} | {name} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
