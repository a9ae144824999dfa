"""Resident memory of a long session, and whether dropping memories changes a mask.

    python benchmarks/memory.py --frames 10000 --clip DIR/videos/dev/davis16_dog/frames

A movie is made of the clip, to and fro (without one: of a disc that moves), and an object is followed through it from
one prompt, with autosave, as a user would. ``--live`` hands the frames to a live session instead. ``--compare N``
tracks the first N frames also with a session that never drops anything and counts logits that differ. ``--read-only``
reads the frames and does nothing with them: what decoding alone keeps.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np

import masklet
from masklet.inference.options import SessionOptions
from masklet.video.frames import open_source
from masklet.video.mask_files import read_mask_file


def disc_frames(size: tuple[int, int] = (360, 640)) -> Iterator[np.ndarray]:
    """A disc on a textured ground, moving in a circle for ever."""
    h, w = size
    yy, xx = np.mgrid[0:h, 0:w]
    rng = np.random.default_rng(0)
    ground = rng.integers(60, 120, (h, w, 3), dtype=np.uint8)
    t = 0
    while True:
        frame = np.roll(ground, t % w, axis=1)
        x, y = w / 2 + w / 4 * np.cos(t / 40), h / 2 + h / 4 * np.sin(t / 40)
        disc = (xx - x) ** 2 + (yy - y) ** 2 < (h / 8) ** 2
        frame[disc] = (220, 60 + t % 40, 40)
        yield frame
        t += 1


def clip_frames(folder: Path) -> Iterator[np.ndarray]:
    """A clip to and fro for ever."""
    with open_source(folder) as source:
        while True:
            yield from (source.frame(t) for t in range(len(source) - 1))
            yield from (source.frame(t) for t in range(len(source) - 1, 0, -1))


def write_movie(path: Path, frames: Iterator[np.ndarray]) -> None:
    """H.264 of ordinary quality."""
    container, stream = av.open(str(path), "w"), None
    with container:
        for image in frames:
            if stream is None:
                quality = {"preset": "ultrafast", "crf": "23"}
                h, w = (side // 2 * 2 for side in image.shape[:2])
                stream = container.add_stream("libx264", rate=Fraction(30), options=quality)
                stream.width, stream.height, stream.pix_fmt = w, h, "yuv420p"
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(image[:h, :w]))))
        assert stream is not None
        container.mux(stream.encode())


def resident() -> float:
    """Resident set of this process in MB, after garbage and freed memory that the C library keeps were given back."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) / 1024


def live(model: masklet.Sam2, frames: Iterator[np.ndarray], prompt: dict[str, Any], **options: Any) -> Iterator[Any]:
    """Results of a live session."""
    with masklet.VideoSession(None, model, options=SessionOptions(**options)) as session:
        session.step(next(frames))
        session.prompt(0, 1, **prompt)
        yield from (session.step(frame) for frame in frames)


def filed(
    model: masklet.Sam2, movie: Path, count: int, prompt: dict[str, Any], autosave: Path | None = None, **options: Any
) -> Iterator[Any]:
    """Results of a session on a file."""
    with masklet.VideoSession(movie, model, options=SessionOptions(**options), autosave=autosave) as session:
        session.prompt(0, 1, **prompt)
        yield from session.propagate(start=1, stop=count - 1)


def read(movie: Path, asked: list[int]) -> None:
    """Read all frames as a session does, the next one on a second thread, and print what is resident."""
    with open_source(movie) as source:
        for t in range(len(source)):
            source.frame(t)
            if t + 1 < len(source):
                source.prepare(t + 1)
            if t in asked:
                print(f"frame {t}: {resident():.0f} MB", flush=True)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--frames", type=int, default=10000)
    parser.add_argument("--compare", type=int, default=500)
    parser.add_argument("--clip", type=Path, help="folder of frames; the object's mask lies in ../masks")
    parser.add_argument("--image-size", type=int, default=None)
    parser.add_argument("--live", action="store_true")
    parser.add_argument("--read-only", action="store_true")
    args = parser.parse_args()
    model = masklet.load(args.model, image_size=args.image_size)

    def frames() -> Iterator[np.ndarray]:
        return disc_frames() if args.clip is None else clip_frames(args.clip)

    h, w = next(frames()).shape[:2]
    prompt: dict[str, Any] = {"points": [(w * 0.75, h / 2)]}
    if args.clip is not None:
        first = sorted((args.clip.parent / "masks").iterdir())[0]
        prompt = {"mask": read_mask_file(first)[: h // 2 * 2, : w // 2 * 2] == 1}
    with tempfile.TemporaryDirectory() as folder:
        movie, autosave = Path(folder, "movie.mp4"), Path(folder, "session")
        if args.read_only or not args.live:
            write_movie(movie, islice(frames(), args.frames))

        def results(count: int, saved: Path | None = None, **options: Any) -> Iterator[Any]:
            if args.live:
                return live(model, islice(frames(), count), prompt, **options)
            return filed(model, movie, count, prompt, saved, **options)

        asked = sorted({50, 200, 2000, args.frames - 1})
        if args.read_only:
            read(movie, asked)
            return
        seen, times, present = {}, [], 0
        began = time.perf_counter()
        for result in results(args.frames, autosave):
            times.append(time.perf_counter())
            present += result[1].area > 0
            if result.frame in asked:
                seen[result.frame] = resident()
                size = 0 if args.live else sum(p.stat().st_size for p in Path(folder).glob("session*")) / 1e6
                rate = result.frame / (times[-1] - began)
                said = f"{seen[result.frame]:.0f} MB, {rate:.1f} frames/s, saved in {size:.1f} MB"
                print(f"frame {result.frame}: {said}", flush=True)
        steps = np.sort([b - a for a, b in pairwise(times)])
        usual, most = 1e3 * np.median(steps), 1e3 * steps[int(0.99 * len(steps))]
        print(f"the object is seen on {present} of {len(times)} frames")
        print(f"a frame takes {usual:.0f} ms, 99 % of them at most {most:.0f} ms")
        if 200 in seen:
            growth = 100 * (seen[args.frames - 1] / seen[200] - 1)
            print(f"growth from frame 200 to frame {args.frames - 1}: {growth:+.1f} %")
        kept = results(args.compare, prune=False, max_ram_mb=None)
        pairs = [(a[1], b[1]) for a, b in zip(results(args.compare), kept, strict=True)]
        different = sum(not np.array_equal(a.low_logits.numpy(), b.low_logits.numpy()) for a, b in pairs)
        print(f"frames whose logits differ from a session that keeps everything: {different} of {len(pairs)}")


if __name__ == "__main__":
    main()
