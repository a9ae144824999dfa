"""Time of a tracked frame with 1, 4, 16 and 64 objects in one session, beside that with one object.

    python benchmarks/objects.py nano:384 nano:256

Each object is a mask on a clip that moves; memory is full before the clock runs. The frame itself is encoded once,
whatever the number of objects; results are read as masks at the video's size. Sizes take turns in one run.
"""

from __future__ import annotations

import statistics
import sys
import time

import numpy as np

import masklet
from masklet.evaluation.hardware import hardware

COUNTS = (1, 4, 16, 64)
FULL = 16  # frames after which memory is full
TIMED = 8


def frames(count: int, size: tuple[int, int] = (480, 854)) -> list[np.ndarray]:
    """A texture that moves."""
    ground = np.random.default_rng(0).integers(0, 255, (size[0] // 8, size[1] // 8, 3), np.uint8)
    large = np.kron(ground, np.ones((8, 8, 1), np.uint8))
    large = np.pad(large, ((0, size[0] - large.shape[0]), (0, size[1] - large.shape[1]), (0, 0)), mode="edge")
    return [np.roll(large, 2 * t, axis=1) for t in range(count)]


def measure(model: masklet.Sam2, count: int) -> float:
    """Median seconds of a frame with so many objects."""
    clip = frames(FULL + TIMED)
    session = masklet.VideoSession(clip, model)
    h, w = session.size
    side = int(np.ceil(np.sqrt(count)))
    for k in range(count):
        mask = np.zeros((h, w), bool)
        y, x = (k // side) * h // side, (k % side) * w // side
        mask[y : y + max(h // side - 4, 24), x : x + max(w // side - 4, 24)] = True
        session.prompt(0, k + 1, mask=mask)
    times = []
    began = time.perf_counter()
    for result in session.propagate():
        _ = [one.mask for one in result.values()]
        times.append(time.perf_counter() - began)
        began = time.perf_counter()
    return statistics.median(times[FULL:])


def main() -> None:
    """Run and print."""
    print(hardware())
    for given in sys.argv[1:] or ["nano:384"]:
        name, _, size = given.partition(":")
        model = masklet.load(name, image_size=int(size) if size else None)
        one = None
        for count in COUNTS:
            seconds = measure(model, count)
            one = one or seconds
            each = 1e3 * seconds / count
            print(
                f"{given}, {count} objects: {1e3 * seconds:.0f} ms a frame ({1 / seconds:.2f} frames/s), "
                f"{seconds / one:.1f} times one object, {each:.0f} ms an object",
                flush=True,
            )


if __name__ == "__main__":
    main()
