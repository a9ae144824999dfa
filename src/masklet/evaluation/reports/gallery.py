"""Frames worth looking at: the worst of a run and those its simulated user clicked on, with masks drawn over them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from ..scores import Click, ObjectScore
from .run_record import RunRecord

_PER_OBJECT = 2
_APART = 0.2  # of the scored frames lie at least between two shots of one object
_WIDTH, _QUALITY = 480, 80
_FILL, _OUTLINE, _CLICKS = (30, 120, 255), (255, 225, 0), ((225, 40, 40), (40, 180, 70))


@dataclass(frozen=True)
class Shot:
    """One object in one frame, under one protocol.

    Attributes:
        protocol: "mask", "3 clicks" ... of the semi-supervised runs; "offline" or "online".
        video: Name of the video.
        object_id: The object.
        frame: The frame.
        prompted: Frames prompted so far in an interactive run; 0 for the others.
        j: J in this frame, where it was scored.
        f: F in this frame, where it was scored.
        clicks: Clicks on this frame.
    """

    protocol: str
    video: str
    object_id: int
    frame: int
    prompted: int = 0
    j: float | None = None
    f: float | None = None
    clicks: tuple[Click, ...] = ()


Pictures = Callable[[Shot], bytes | None]
"""Gives the JPEG file of a shot (:func:`draw_shot` makes one), or None where there is none."""


def worst_frames(record: RunRecord, count: int) -> list[Shot]:
    """Frames with the lowest J of the first semi-supervised run (without one: of the first interactive one).

    At most two are of one object, a fifth of its frames apart, so that no single failure fills the gallery.
    """
    found: list[Shot] = []
    for protocol, video, score, prompted in _objects(record):
        kept: list[int] = []
        for at in np.argsort(score.j_frames, kind="stable").tolist():
            if len(kept) < _PER_OBJECT and all(abs(at - other) >= _APART * len(score.frames) for other in kept):
                kept.append(at)
        found += [_shot(protocol, video, score, score.frames[at], prompted) for at in kept]
    return sorted(found, key=lambda shot: shot.j or 0.0)[:count]


def clicked_frames(record: RunRecord, count: int) -> list[Shot]:
    """Frames that were clicked on: of the objects that came out worst, half of them of interactive runs if there are.

    Semi-supervised runs show the first frame of an object under the most clicks, interactive ones all of its rounds.
    """
    rounds = [shot for mode in record.interactive for shot in _worst_rounds(record, mode)]
    prompts = [p for p, score in record.vos.items() if any(o.clicks for s in score.sequences for o in s.objects)]
    first: list[Shot] = []
    if prompts:
        last = prompts[-1]
        scores = [(o.j, s.name, o) for s in record.vos[last].sequences for o in s.objects if o.clicks]
        first = [_shot(last, name, o, o.clicks[0].frame) for _, name, o in sorted(scores, key=lambda one: one[0])]
    share = min(len(first), max(count // 2, count - len(rounds)))
    return first[:share] + rounds[: count - share]


def draw_shot(
    shot: Shot,
    image: UInt8[np.ndarray, "h w 3"],
    prediction: Bool[np.ndarray, "h w"] | None,
    truth: Bool[np.ndarray, "h w"] | None,
) -> bytes:
    """JPEG of a frame, at most 480 pixels wide: prediction filled, truth outlined, positive clicks green, others red.

    Args:
        shot: What is shown.
        image: The frame, RGB.
        prediction: The tracker's mask, where it is known.
        truth: The true mask, where it is known.

    Raises:
        ValueError: A mask has another size than the image.
    """
    for mask in (prediction, truth):
        if mask is not None and mask.shape != image.shape[:2]:
            raise ValueError(f"{shot.video}, frame {shot.frame}: mask of {mask.shape}, image of {image.shape[:2]}")
    scale = min(1.0, _WIDTH / image.shape[1])
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    drawn = np.ascontiguousarray(cv2.resize(np.ascontiguousarray(image), size, interpolation=cv2.INTER_AREA))
    if prediction is not None:
        inside = _resized(prediction, size) > 0
        drawn[inside] = (0.45 * drawn[inside] + 0.55 * np.array(_FILL)).astype(np.uint8)
    if truth is not None:
        lines, _ = cv2.findContours(_resized(truth, size), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(drawn, lines, -1, (0, 0, 0), 4)
        cv2.drawContours(drawn, lines, -1, _OUTLINE, 2)
    for click in shot.clicks:
        at = round((click.x + 0.5) * scale), round((click.y + 0.5) * scale)
        cv2.circle(drawn, at, 8, (255, 255, 255), -1, cv2.LINE_AA)
        cv2.circle(drawn, at, 6, _CLICKS[click.label], -1, cv2.LINE_AA)
    _, data = cv2.imencode(".jpg", drawn[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return data.tobytes()


def _objects(record: RunRecord) -> Iterator[tuple[str, str, ObjectScore, int]]:
    """Protocol, video, score and number of prompted frames of every object."""
    for protocol, score in list(record.vos.items())[:1]:
        yield from ((protocol, s.name, o, 0) for s in score.sequences for o in s.objects)
    if not record.vos:
        for mode, scores in list(record.interactive.items())[:1]:
            yield from ((mode, s.name, s.rounds[-1].score, len(s.rounds)) for s in scores)


def _worst_rounds(record: RunRecord, mode: str) -> list[Shot]:
    """All rounds of the object with the lowest J in the end."""
    scores = [s for s in record.interactive[mode] if s.rounds]
    if not scores:
        return []
    worst = min(scores, key=lambda s: s.rounds[-1].score.j)
    return [
        _shot(mode, worst.name, each.score, each.frame, n)
        for n, each in enumerate(worst.rounds, 1)
        if each.frame is not None
    ]


def _shot(protocol: str, video: str, score: ObjectScore, frame: int, prompted: int = 0) -> Shot:
    at = score.frames.index(frame) if frame in score.frames else None
    j, f = (None, None) if at is None else (score.j_frames[at], score.f_frames[at])
    clicks = tuple(c for c in score.clicks if c.frame == frame)
    return Shot(protocol, video, score.object_id, frame, prompted, j, f, clicks)


def _resized(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
