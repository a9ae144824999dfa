"""The record of an evaluation: what was run on what, and the score of every video, object and frame, as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...video.atomic import write_bytes
from ..images import ImageScore
from ..plain_values import from_plain, to_plain
from ..recall import RecallScore
from ..scores import InteractiveScore, VosScore

_FORMAT, _VERSION = "masklet evaluation run", 1


@dataclass(frozen=True)
class RunRecord:
    """All that is known of one run: reports are made from it alone, without the tracker and mostly without the data.

    Attributes:
        suite: Name of the set of videos and images, and of its scoring rule.
        tracker: Name of what was scored.
        settings: What it was scored with, in plain values (numbers, texts, lists, mappings).
        hardware: What it ran on, in words.
        vos: Scores by prompt: "mask", "box", "1 click", "3 clicks", "5 clicks".
        interactive: Scores of every object by mode: "offline", "online".
        images: Scores by name of the image set.
        automatic: Scores of masks to be found by automatic ones, by name of the image set.
        headlines: The numbers that the suite's rule asks for, by prompt; scores are 0 to 1.
        speed: Frames or images a second, by what was timed.
        data: Address of the data set from which the frames can be read again.
    """

    suite: str
    tracker: str
    settings: Mapping[str, Any]
    hardware: str
    vos: Mapping[str, VosScore] = field(default_factory=dict)
    interactive: Mapping[str, tuple[InteractiveScore, ...]] = field(default_factory=dict)
    images: Mapping[str, ImageScore] = field(default_factory=dict)
    automatic: Mapping[str, tuple[RecallScore, ...]] = field(default_factory=dict)
    headlines: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    speed: Mapping[str, float] = field(default_factory=dict)
    data: str = ""


def write_run(record: RunRecord, path: Path) -> None:
    """Write a record as JSON, complete or not at all.

    Raises:
        ValueError: A setting is no plain value, or a number is infinite.
        OSError: The file cannot be written.
    """
    content = {"format": _FORMAT, "version": _VERSION, **to_plain(record)}
    write_bytes(path, json.dumps(content, allow_nan=False, separators=(",", ":")).encode())


def read_run(path: Path) -> RunRecord:
    """Read a record that :func:`write_run` wrote.

    Raises:
        ValueError: The file is damaged, is something else, or is of another version; the message names it.
        OSError: The file is missing or cannot be read.
    """
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is no JSON or is damaged ({error}): run the evaluation again") from error
    if not isinstance(content, dict) or content.pop("format", None) != _FORMAT:
        raise ValueError(f"{path} is JSON, but no record of an evaluation: pass a file that `masklet eval` wrote")
    version = content.pop("version", None)
    if version != _VERSION:
        raise ValueError(
            f"{path} is a record of version {version!r}, expected {_VERSION}: "
            "read it with the release of masklet that wrote it, or run the evaluation again"
        )
    try:
        return from_plain(RunRecord, content, "record")
    except ValueError as error:
        raise ValueError(f"{path} is a damaged record: {error}") from error
