"""Prompts written as text: ``[OBJECT@]FRAME:VALUES``, as in ``0:210,350`` or ``2@14:300,0,500,400``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..video.images import DEFAULT_MAX_PIXELS
from ..video.mask_files import read_mask_file

_PLACE = re.compile(r"^(?:(?P<object>\d+)@)?(?P<frame>\d+):(?P<rest>.+)$")


@dataclass
class PromptText:
    """What is asked for one object on one frame; a mask says which file it is from."""

    points: list[tuple[float, float]] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    box: tuple[float, ...] | None = None
    mask: np.ndarray | None = None
    mask_file: Path | None = None


def place(text: str, example: str) -> tuple[int | None, int, str]:
    """Object (None: not named), frame and the rest.

    Raises:
        ValueError: Not of that form.
    """
    match = _PLACE.match(text.strip())
    if match is None:
        raise ValueError(f"cannot read the prompt {text!r}: expected [OBJECT@]FRAME:VALUES, such as {example}")
    named = match["object"]
    return (None if named is None else int(named)), int(match["frame"]), match["rest"]


def numbers(text: str, count: int, example: str) -> tuple[float, ...]:
    """Comma-separated numbers.

    Raises:
        ValueError: Another count, or not numbers.
    """
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if len(values) != count:
        raise ValueError(f"cannot read {text!r}: expected {count} numbers with commas between them, such as {example}")
    return values


def click(text: str, example: str) -> tuple[tuple[float, float], int]:
    """A click; a minus before x makes it a negative one (no pixel has a negative x)."""
    negative = text.startswith("-")
    x, y = numbers(text[1:] if negative else text, 2, example)
    return (x, y), 0 if negative else 1


def mask_from(file: Path, size: tuple[int, int], labels: np.ndarray) -> np.ndarray:
    """The labels or mask that were read from a file, if they have the size (height, width) of what they belong to.

    Raises:
        ValueError: They have another size.
    """
    if labels.shape != size:
        (height, width), (expected_height, expected_width) = labels.shape, size
        raise ValueError(
            f"the mask file {file} has {width} x {height} pixels, expected {expected_width} x {expected_height} as the "
            "image or video: resize it (nearest neighbour), or check that it belongs to this one"
        )
    return labels


def video_prompts(
    points: Sequence[str],
    negatives: Sequence[str],
    boxes: Sequence[str],
    masks: Sequence[str],
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> dict[tuple[int, int], PromptText]:
    """Prompts by frame and object; an unnamed object is object 1, a mask file brings an object for each label.

    Raises:
        ValueError: A prompt cannot be read, or two boxes or masks fall on one object and frame.
        OSError: A mask file cannot be read.
    """
    found: dict[tuple[int, int], PromptText] = {}

    def at(named: int | None, frame: int) -> PromptText:
        return found.setdefault((frame, 1 if named is None else named), PromptText())

    for texts, label in ((points, 1), (negatives, 0)):
        for text in texts:
            named, frame, rest = place(text, "0:210,350")
            xy, sign = click(rest, "210,350")
            prompt = at(named, frame)
            prompt.points.append(xy)
            prompt.labels.append(sign if label else 0)
    for text in boxes:
        named, frame, rest = place(text, "0:300,0,500,400")
        prompt = at(named, frame)
        if prompt.box is not None:
            raise ValueError(f"got a second box {text!r} for one object on one frame: name the objects, as in 2@{text}")
        prompt.box = numbers(rest, 4, "300,0,500,400")
    for text in masks:
        named, frame, rest = place(text, "0:first.png")
        path = Path(rest).expanduser()
        labels = read_mask_file(path, max_pixels=max_pixels)
        ids = [int(i) for i in np.unique(labels) if i > 0]
        if not ids:
            raise ValueError(f"the mask file {rest!r} holds no object: every pixel is 0")
        for i in ids if named is None else [named]:
            prompt = at(i, frame)
            if prompt.mask is not None:
                raise ValueError(f"got a second mask for object {i} on frame {frame}: give one")
            prompt.mask = labels > 0 if named is not None else labels == i
            prompt.mask_file = path
    return found
