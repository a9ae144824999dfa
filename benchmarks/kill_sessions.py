"""Kill processes that prompt and track with autosave, at random moments, and look at what is on disk.

    python benchmarks/kill_sessions.py --kills 200

Each process plays a random script of clicks, masks, corrections, tracking, undo and removal, and says after each action
that it is done. It is killed (SIGKILL) at a random moment. Then the session must open, and hold what an undisturbed run
holds after the last action that was said to be done, or something between that and the end of the next one.
"""

from __future__ import annotations

import argparse
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from hashlib import blake2b
from pathlib import Path

import numpy as np
import torch

import masklet
from masklet.inference import saving
from masklet.inference.packing import pack

FRAMES, SIDE = 12, 96
Action = Callable[[masklet.VideoSession], Iterator[object]]


def clip() -> list[np.ndarray]:
    """A bright disc that crosses a noisy ground."""
    rng = np.random.default_rng(0)
    ground = rng.integers(0, 90, (SIDE, SIDE, 3)).astype(np.uint8)
    frames = []
    for t in range(FRAMES):
        frame = ground.copy()
        frame[disc(t)] = (220, 180, 60)
        frames.append(frame)
    return frames


def disc(t: int) -> np.ndarray:
    """The disc's mask."""
    y, x = np.mgrid[:SIDE, :SIDE]
    return (x - 20 - 5 * t) ** 2 + (y - 40 - t) ** 2 < 15**2


def script(seed: int, length: int) -> list[Action]:
    """Random actions; each yields whenever the session has reached a state of its own."""
    rng = np.random.default_rng(seed)

    def prompt(t: int, i: int, kind: str) -> Action:
        point = [(20 + 5 * t, 40 + t)]
        given = {"click": {"points": point}, "mask": {"mask": disc(t)}, "away": {"points": [(5, 90)], "labels": [0]}}
        return lambda session: iter([session.prompt(t, i, **given[kind])])

    def track(start: int) -> Action:
        return lambda session: iter(session.propagate(start=start))

    def undo(session: masklet.VideoSession) -> Iterator[object]:
        return iter([session.undo() if session.history else None])

    def remove(session: masklet.VideoSession) -> Iterator[object]:
        return iter([session.remove(session.objects[-1]) if len(session.objects) > 1 else None])

    actions: list[Action] = [prompt(0, 1, "mask"), track(0)]
    while len(actions) < length:
        t, i = int(rng.integers(FRAMES)), int(rng.integers(1, 4))
        kind = rng.choice(["click", "mask", "away"])
        actions.append([prompt(t, i, str(kind)), track(t), undo, remove][rng.choice(4, p=[0.5, 0.3, 0.1, 0.1])])
    return actions


def digest(session: masklet.VideoSession) -> str:
    """All that the session remembers."""
    found = blake2b(digest_size=16)
    for i, track in session.tracks.items():
        found.update(repr((i, track.orders())).encode())
        for kind, table in track.everything().items():
            for t in sorted(table):
                found.update(f"{kind} {t} ".encode() + pack(table[t]))
    return found.hexdigest()


def play(actions: list[Action], model: masklet.Sam2, path: Path, pipe: int) -> None:
    """What the process does that is to be killed."""
    saving.PERIOD = 0.0
    session = masklet.VideoSession(clip(), model, autosave=path)
    for number, action in enumerate(actions):
        for _ in action(session):
            pass
        os.write(pipe, bytes([number]))


def states(actions: list[Action], model: masklet.Sam2) -> list[list[str]]:
    """Of an undisturbed run: the state at the beginning, and those that each action goes through, its last one last."""
    session = masklet.VideoSession(clip(), model)
    found = [[digest(session)]]
    for action in actions:
        found.append([digest(session) for _ in action(session)])
        found[-1].append(digest(session))
    return found


def killed(actions: list[Action], model: masklet.Sam2, path: Path, after: float) -> int:
    """Play in another process and kill it; returns how many actions were said to be done."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        play(actions, model, path, writing)
        os._exit(0)
    os.close(writing)
    time.sleep(after)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(reading, "rb") as pipe:
        return len(pipe.read())


def main(arguments: list[str] | None = None) -> None:
    """Kill, open and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--actions", type=int, default=8, help="of each script")
    parser.add_argument("--scripts", type=int, default=10)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    model = masklet.load("nano", image_size=SIDE)
    rng = np.random.default_rng(1)
    known = []
    for seed in range(options.scripts):
        actions, began = script(seed, options.actions), time.perf_counter()
        known.append((actions, states(actions, model), time.perf_counter() - began))
    counts = {"before the first action": 0, "between two actions": 0, "within an action": 0, "after the last": 0}
    lost = 0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.kills):
            actions, expected, seconds = known[number % len(known)]
            path = Path(folder) / f"{number}.session"
            done = killed(actions, model, path, float(rng.uniform(0, 1.3 * seconds)))
            if not path.exists() and done == 0:
                counts["before the first action"] += 1
                continue
            found = digest(masklet.VideoSession.load(path, clip(), model))
            if found == expected[done][-1]:
                counts["after the last" if done == len(actions) else "between two actions"] += 1
            elif done < len(actions) and found in expected[done + 1]:
                counts["within an action"] += 1
            else:
                lost += 1
                print(f"kill {number}: {done} actions were done, and the session holds something else")
    print(f"{options.kills} kills: {', '.join(f'{count} {name}' for name, count in counts.items())}; lost: {lost}")
    if lost:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
