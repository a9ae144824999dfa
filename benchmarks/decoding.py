"""What reading training samples costs at 1024 px: a JPEG an image, and movies of which every fourth frame is used.

    python benchmarks/decoding.py

Pictures are made up: noise as rough as photos are (its amplitude falls with the inverse of the frequency), which a
camera pans over. A movie is 1401 x 1037 at 24 frames a second, the mean size of SA-V; a clip of 8 annotated frames is
29 frames of it, from any of the movie's frames on. Processor time of the readers that training uses, decoding alone.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from masklet.data.frames import MovieFrames, single_frame
from masklet.data.sa_v import STEP
from masklet.video.encoded_video import Coding, EncodedVideo

MOVIE = (1037, 1401)
CODING = Coding("mp4", "libx264", "yuv420p", {"preset": "veryfast", "crf": "23"})


def picture(height: int, width: int) -> np.ndarray:
    """Noise whose spectrum falls as that of photos."""
    rng = np.random.default_rng(0)
    pitch = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    pitch[0, 0] = 1.0
    waves = np.fft.rfft2(rng.normal(size=(3, height, width))) / pitch
    values = np.fft.irfft2(waves, s=(height, width))
    values = 128 + 50 * (values - values.mean()) / values.std()
    return np.ascontiguousarray(values.clip(0, 255).astype(np.uint8).transpose(1, 2, 0))


def write_movie(path: Path, frames: int) -> None:
    """A slow pan."""
    height, width = (side - side % 2 for side in MOVIE)  # yuv420p takes even sides
    ground = picture(height, width + 2 * frames)
    movie = EncodedVideo(path, (height, width), CODING, rate=Fraction(24))
    for t in range(frames):
        shown = np.ascontiguousarray(ground[:, 2 * t : 2 * t + width])
        movie.add(av.VideoFrame.from_ndarray(shown, format="rgb24"))
    movie.close()


def seconds(call: Callable[[], object], repeats: int) -> float:
    """Median processor time of a call."""
    taken = []
    for _ in range(repeats):
        began = time.process_time()
        call()
        taken.append(time.process_time() - began)
    return float(np.median(taken))


def main() -> None:
    """Write the files, read them, print a line each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--frames", type=int, default=331, help="of the movie; SA-V's are 13.8 s in the mean")
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()
    cv2.setNumThreads(0)
    rng = np.random.default_rng(1)
    span = STEP * 7 + 1
    with tempfile.TemporaryDirectory() as folder:
        still, movie = Path(folder, "still.jpg"), Path(folder, "movie.mp4")
        cv2.imwrite(str(still), picture(1024, 1024), [cv2.IMWRITE_JPEG_QUALITY, 90])
        write_movie(movie, options.frames)

        def read_clip() -> None:
            frames = MovieFrames(movie)  # opened anew, as a data set does
            first = int(rng.integers(frames.count() - span + 1))
            for step in range(8):
                frames.image(first + STEP * step)

        one = seconds(lambda: single_frame(still).image(0), options.repeats)
        clip = seconds(read_clip, options.repeats)
        print(f"1024-px JPEG of {still.stat().st_size / 1e6:.2f} MB: {1e3 * one:.1f} ms")
        print(f"8 frames of a movie, {movie.stat().st_size / options.frames / 1e3:.1f} kB a frame: {1e3 * clip:.0f} ms")


if __name__ == "__main__":
    main()
