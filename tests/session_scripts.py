"""Random scripts of what users do in a session, and all that a session's answers can depend on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st

from masklet.inference.options import SessionOptions
from masklet.inference.results import ObjectResult
from masklet.inference.session import VideoSession
from tiny_model import DISC, SQUARE, disc

FRAMES = 9
ALONE = SessionOptions(object_batch=1, max_ram_mb=0.004)  # a few masks in memory, the others in a file


def plain(value: Any) -> Any:
    """Whatever a session holds, as values that compare by their bytes."""
    if isinstance(value, torch.Tensor):
        return str(value.dtype), tuple(value.shape), value.contiguous().view(torch.uint8).numpy().tobytes()
    if isinstance(value, np.ndarray):
        return str(value.dtype), value.shape, value.tobytes()
    if isinstance(value, dict):
        return tuple((key, plain(one)) for key, one in value.items())
    if hasattr(value, "__dataclass_fields__"):
        return tuple(plain(getattr(value, f.name)) for f in fields(value))
    return value


def state(session: VideoSession) -> Any:
    """Everything that an answer can depend on, in the order in which it is read; and the notes."""
    return tuple(
        (
            i,
            *(
                plain(table)
                for table in (
                    t.prompts,
                    t.corrections,
                    t.locks,
                    t.active,
                    t.pending,
                    t.answers,
                    t.bank.prompted,
                    t.bank.recent,
                )
            ),
            plain(dict(sorted(t.notes.items()))),
            plain(dict(sorted(t.shown.items()))),
        )
        for i, t in session.tracks.items()
    )


def seen(one: ObjectResult) -> bytes:
    """Logits of a result; where the user said that the object is absent there are none."""
    return (one.mask if one.low_logits is None else one.logits).tobytes()


Action = Callable[[VideoSession], object]


def prompt(frame: int, object_id: int, kind: str) -> Action:
    what = {"click": {"points": [DISC]}, "away": {"points": [SQUARE], "labels": [0]}, "mask": {"mask": disc(frame)}}
    return lambda session: session.prompt(frame, object_id, **what[kind])


def track(start: int, count: int, reverse: bool) -> Action:
    def go(session: VideoSession) -> None:
        if any(t.started for t in session.tracks.values()):
            direction = "backward" if reverse else "forward"
            for _, _ in zip(range(count), session.propagate(start=start, direction=direction), strict=False):
                pass

    return go


def clear(frame: int, object_id: int) -> Action:
    def go(session: VideoSession) -> None:
        if object_id in session.tracks and frame in session.tracks[object_id].prompts:
            session.clear(frame, object_id)

    return go


def absent(frame: int, object_id: int) -> Action:
    return lambda session: session.edit.absent(object_id, frame, min(frame + 2, FRAMES - 1))


def remove(object_id: int) -> Action:
    return lambda session: session.remove(object_id) if object_id in session.tracks else None


FRAME, OBJECT = st.integers(0, FRAMES - 1), st.integers(1, 3)
PROMPT = st.builds(prompt, FRAME, OBJECT, st.sampled_from(["click", "away", "mask"]))
TRACK = st.builds(track, FRAME, st.integers(3, 7), st.booleans())
RARE = st.one_of(
    st.builds(clear, FRAME, OBJECT),
    st.builds(absent, FRAME, OBJECT),
    st.builds(remove, OBJECT),
    st.just(lambda session: session.reset()),
)
ACTIONS = st.builds(
    lambda first, others: [first, *others],
    PROMPT,
    st.lists(st.one_of(PROMPT, TRACK, TRACK, TRACK, RARE), min_size=4, max_size=7),
)
