"""What a format cannot hold, counted, so that nothing is lost in silence."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from .video_masks import VideoMasks

Kind = Literal[
    "overlap",
    "category",
    "unknown",
    "not_annotated",
    "interpolated",
    "no_objects",
    "tail",
    "step",
    "number",
    "apart",
    "bridge",
    "class",
]
SENTENCES: dict[Kind, tuple[str, str]] = {
    "overlap": (
        "frame had overlapping objects; the lower id keeps the pixels that they share",
        "frames had overlapping objects; the lower id keeps the pixels that they share",
    ),
    "category": (
        "object lost its category, which the format cannot name",
        "objects lost their categories, which the format cannot name",
    ),
    "unknown": (
        "time the source does not say whether an object is there; written as not visible",
        "times the source does not say whether an object is there; written as not visible",
    ),
    "not_annotated": (
        "frame that is not annotated is written as one without objects",
        "frames that are not annotated are written as ones without objects",
    ),
    "interpolated": (
        "frame that is not annotated shows outlines that the tool draws between its neighbours",
        "frames that are not annotated show outlines that the tool draws between their neighbours",
    ),
    "tail": (
        "frame after the last mask is not written; the format does not state the length of a video",
        "frames after the last mask are not written; the format does not state the length of a video",
    ),
    "no_objects": (
        "annotated frame without objects cannot be told from one that is not annotated",
        "annotated frames without objects cannot be told from ones that are not annotated",
    ),
    "step": (
        "annotated frame was left out; the format has every fourth frame",
        "annotated frames were left out; the format has every fourth frame",
    ),
    "number": (
        "object lost its id; the format numbers objects by their place in each image",
        "objects lost their ids; the format numbers objects by their place in each image",
    ),
    "apart": (
        "video became single images; nothing that other tools read ties them together",
        "videos became single images; nothing that other tools read ties them together",
    ),
    "bridge": (
        "mask with holes or several pieces has bridges of no width in its outline; other tools may draw them",
        "masks with holes or several pieces have bridges of no width in their outlines; other tools may draw them",
    ),
    "class": (
        "object is neither car nor pedestrian; its class has a number from 3 and no name",
        "objects are neither car nor pedestrian; their classes have numbers from 3 and no names",
    ),
}
"""What is counted, and what is said of it."""


class LossError(ValueError):
    """Something cannot be held by the format, and losses were forbidden."""


class Losses:
    """Counts what is lost, or refuses it."""

    def __init__(self, *, strict: bool = False) -> None:
        """Refuse the first loss where ``strict``."""
        self.counts: Counter[Kind] = Counter()
        self._strict = strict

    def add(self, kind: Kind, video: VideoMasks, place: str = "", count: int = 1) -> None:
        """Note a loss in a video; ``place`` names the frame and the object.

        Raises:
            LossError: Losses are forbidden.
        """
        if count and self._strict:
            where = f"{video.where}: {video.name}{', ' if place else ''}{place}"
            raise LossError(f"{where}: {_sentence(kind, count)} (refused because of strict)")
        if count:
            self.counts[kind] += count

    @property
    def sentences(self) -> list[str]:
        """A sentence for each kind of loss."""
        return [_sentence(kind, count) for kind, count in self.counts.items()]

    def nameless(self, video: VideoMasks) -> None:
        """Note the categories of a video, for a format that has none."""
        self.add("category", video, count=len(video.categories.keys() & {*video.objects}))

    def unsaid(self, video: VideoMasks) -> None:
        """Note objects of which nothing is known in a frame, for a format in which they are then not visible."""
        for frame, missing in video.unknown.items():
            self.add("unknown", video, f"frame {frame}, objects {sorted(missing)[:5]}", len(missing))

    def all_frames(self, video: VideoMasks) -> None:
        """Note frames that are not annotated, for a format that says something of every frame."""
        self.add("not_annotated", video, count=video.count - len(video.masks))

    def shown_frames(self, video: VideoMasks) -> None:
        """Note annotated frames without objects, for a format that lists masks only."""
        self.add("no_objects", video, count=sum(not masks for masks in video.masks.values()))


def _sentence(kind: Kind, count: int) -> str:
    return f"{count:,} {SENTENCES[kind][count != 1]}"
