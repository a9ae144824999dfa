"""Find everything in a corpus with workers that are killed, and without: are the results the same, byte by byte?

    python benchmarks/automatic_corpus.py --clips DIR/videos --videos 100 --out runs/automatic_corpus

Cuts short videos out of clips (folders NAME/frames of images, at any depth), as movies and as folders of frames. Then
`masklet auto --ray local --workers 2` follows everything in them, while its workers are killed at random times
(SIGKILL); when half is done the command itself is killed, and given again. At last one process does the same
undisturbed. Linux only: processes are looked up in /proc.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from masklet.inference.corpus_files import names_below

OPTIONS = ["--image-size", "256", "--grid", "6,3", "--most-objects", "6", "--every", "4", "--format", "objects"]


def make_videos(clips: Path, out: Path, count: int) -> None:
    """Cut videos of 6 to 10 frames, 128 to 192 pixels high; those that are there are kept."""
    folders = sorted(path for path in clips.rglob("frames") if path.is_dir())
    if not folders:
        raise SystemExit(f"there is no folder NAME/frames below {clips}")
    for number in range(count):
        rng = np.random.default_rng(number)
        folder = folders[number % len(folders)]
        files = sorted(path for path in folder.iterdir() if path.suffix in (".jpg", ".png"))
        length, height = int(rng.integers(6, 11)), int(rng.choice([128, 160, 192]))
        start = int(rng.integers(0, max(1, len(files) - length)))
        frames = [cv2.imread(str(path)) for path in files[start : start + length]]
        width = 2 * round(height * frames[0].shape[1] / frames[0].shape[0] / 2)
        frames = [cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA) for frame in frames]
        place = out / f"{number // 50:03d}" / f"{folder.parent.name}_{number:04d}"
        if number % 2:
            write_movie(place.with_suffix(".mp4"), frames)
        else:
            place.mkdir(parents=True, exist_ok=True)
            for t, frame in enumerate(frames):
                cv2.imwrite(str(place / f"{t:05d}.png"), frame)


def write_movie(path: Path, frames: list[np.ndarray]) -> None:
    """A movie of BGR frames, 24 a second."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    with av.open(str(unfinished), "w", format="mp4") as file:
        stream = file.add_stream("libx264", rate=Fraction(24))
        stream.height, stream.width, stream.pix_fmt = *frames[0].shape[:2], "yuv420p"
        for frame in frames:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="bgr24")))
        file.mux(stream.encode())
    unfinished.replace(path)


def workers_below(pid: int) -> list[int]:
    """Processes of workers that a process has begun, itself or through others."""
    parents, titles = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                titles[int(entry.name)] = (entry / "cmdline").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
    below, found = [pid], []
    while below:
        one = below.pop()
        below += [child for child, parent in parents.items() if parent == one]
        if titles.get(one, "").startswith("ray::_Worker"):
            found.append(one)
    return sorted(found)


def done_in(out: Path) -> int:
    """Videos that are complete."""
    return sum(name.endswith("_auto.json") for name in names_below(out)) if out.exists() else 0


def disturbed(command: list[str], out: Path, count: int, period: float, rng: np.random.Generator) -> tuple[int, int]:
    """Run a command to its end while killing; returns how many workers and commands were killed."""
    workers, commands = 0, 0
    running = subprocess.Popen(command, start_new_session=True)
    due = time.monotonic() + rng.exponential(period)
    while running.poll() is None:
        time.sleep(0.2)
        if commands == 0 and done_in(out) >= count // 2:
            os.killpg(running.pid, signal.SIGKILL)
            running.wait()
            commands += 1
            running = subprocess.Popen(command, start_new_session=True)
        elif time.monotonic() >= due:
            found = workers_below(running.pid)
            if found:
                os.kill(int(rng.choice(found)), signal.SIGKILL)
                workers += 1
            due = time.monotonic() + rng.exponential(period)
    if running.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {running.returncode}")
    return workers, commands


def main(arguments: list[str] | None = None) -> None:
    """Cut, run with kills, run without, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, required=True, help="clips to cut videos out of")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--videos", type=int, default=100)
    parser.add_argument("--period", type=float, default=15.0, help="mean seconds between two kills")
    parser.add_argument("--model", default="nano")
    parser.add_argument("--seed", type=int, default=0, help="of the times of kills")
    options = parser.parse_args(arguments)
    videos, killed, alone = (options.out / name for name in ("videos", "killed", "alone"))
    if killed.exists() or alone.exists():
        raise SystemExit(f"{options.out} has results: remove {killed} and {alone}, or take another --out")
    make_videos(options.clips, videos, options.videos)
    masklet = [sys.executable, "-m", "masklet.cli.main", "auto", str(videos), "--model", options.model, *OPTIONS]
    began = time.perf_counter()
    spread = [*masklet, "-o", str(killed), "--ray", "local", "--workers", "2"]
    workers, commands = disturbed(spread, killed, options.videos, options.period, np.random.default_rng(options.seed))
    between = time.perf_counter()
    subprocess.run([*masklet, "-o", str(alone), "--workers", "1"], check=True)
    ended = time.perf_counter()
    found, wanted = (set(names_below(out)) for out in (killed, alone))
    other = [n for n in found & wanted if (killed / n).read_bytes() != (alone / n).read_bytes()]
    print(f"{options.videos} videos; killed: {workers} workers, {commands} commands")
    print(f"{between - began:.0f} s with kills (two workers), {ended - between:.0f} s without (one process)")
    print(f"{len(wanted)} files; missing {len(wanted - found)}, too many {len(found - wanted)}, different {len(other)}")
    if done_in(alone) != options.videos or found != wanted or other:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
