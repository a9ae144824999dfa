"""Resident memory of a long session, and whether dropping memories changes a mask.

    python benchmarks/memory.py --model nano --frames 2000

Frames are synthetic and made on the fly, so that only the session can grow. ``--compare N`` tracks the first N frames
also with a session that never drops anything and counts logits that differ.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import time
from collections.abc import Iterator

import numpy as np

import masklet
from masklet.inference.options import SessionOptions


def frames(count: int, size: tuple[int, int] = (360, 640)) -> Iterator[np.ndarray]:
    """A textured disc on a textured ground, moving in a circle."""
    h, w = size
    yy, xx = np.mgrid[0:h, 0:w]
    rng = np.random.default_rng(0)
    ground = rng.integers(60, 120, (h, w, 3), dtype=np.uint8)
    for t in range(count):
        frame = np.roll(ground, t % w, axis=1)
        x, y = w / 2 + w / 4 * np.cos(t / 40), h / 2 + h / 4 * np.sin(t / 40)
        disc = (xx - x) ** 2 + (yy - y) ** 2 < (h / 8) ** 2
        frame[disc] = (220, 60 + t % 40, 40)
        yield frame


def resident() -> float:
    """Resident set of this process in MB, after garbage and freed memory that the C library keeps were given back."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) / 1024


def track(model: masklet.Sam2, count: int, prune: bool) -> Iterator[tuple[int, np.ndarray]]:
    """Logits of the disc, frame by frame, from a live session."""
    session = masklet.VideoSession(None, model, options=SessionOptions(prune=prune))
    for t, frame in enumerate(frames(count)):
        if t == 0:
            session.step(frame)
            h, w = frame.shape[:2]
            session.prompt(0, 1, points=[(w * 0.75, h / 2)])
            continue
        yield t, session.step(frame)[1].low_logits.numpy()


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--frames", type=int, default=2000)
    parser.add_argument("--compare", type=int, default=300)
    parser.add_argument("--image-size", type=int, default=None)
    args = parser.parse_args()
    model = masklet.load(args.model, image_size=args.image_size)
    seen: dict[int, float] = {}
    began = time.perf_counter()
    for t, _ in track(model, args.frames, prune=True):
        if t in (50, 200, 500, 1000, 1500, args.frames - 1):
            seen[t] = resident()
            print(f"frame {t}: {seen[t]:.0f} MB, {t / (time.perf_counter() - began):.1f} frames/s", flush=True)
    if 200 in seen:
        print(
            f"growth from frame 200 to frame {args.frames - 1}: {100 * (seen[args.frames - 1] / seen[200] - 1):+.1f} %"
        )
    pairs = zip(track(model, args.compare, True), track(model, args.compare, False), strict=True)
    different = sum(not np.array_equal(a, b) for (_, a), (_, b) in pairs)
    print(f"frames whose logits differ from a session that keeps everything: {different} of {args.compare - 1}")


if __name__ == "__main__":
    main()
