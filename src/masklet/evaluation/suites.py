"""Suites: what ``masklet eval`` asks of a tracker, by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .runs import Unit

if TYPE_CHECKING:
    from collections.abc import Collection

    from ..data.records import VideoDataset
    from .vos import Later, Prompt

PROMPTS: dict[str, tuple[Prompt, int]] = {
    "mask": ("mask", 1),
    "box": ("box", 1),
    "1 click": ("click", 1),
    "3 clicks": ("click", 3),
    "5 clicks": ("click", 5),
}
"""First-frame prompts of semi-supervised segmentation, with their number of clicks."""
MODES = ("offline", "online")
IMAGES = "images"
AUTOMATIC = "automatic"
PREDICTIONS = "predictions"


@dataclass(frozen=True)
class Suite:
    """What is asked.

    Attributes:
        summary: A line for the help.
        groups: Of ``PROMPTS``, ``MODES``, ``IMAGES`` and ``AUTOMATIC``.
        rule: Name of the rule that scores videos.
        later: How objects that appear later than others are tracked.
    """

    summary: str
    groups: tuple[str, ...] = ("mask",)
    rule: str = "plain"
    later: Later = "together"


SUITES = {
    "vos": Suite("any videos, from the first-frame mask, box, 1, 3 and 5 clicks", tuple(PROMPTS)),
    "interactive": Suite("any videos, corrected by clicks on up to 8 frames, offline and online", MODES),
    "images": Suite("any images, or the first frames of videos: 1, 3 and 5 clicks, and the box", (IMAGES,)),
    "automatic": Suite("any images, or the first frames of videos: recall of automatic masks", (AUTOMATIC,)),
    "davis16": Suite("DAVIS 2016, from the mask", rule="davis16"),
    "davis17": Suite("DAVIS 2017, from the mask", rule="davis17"),
    "youtube_vos": Suite("YouTube-VOS, from the mask", rule="youtube_vos", later="separately"),
    "mose": Suite("MOSE, from the mask", rule="mose"),
    "lvos_v1": Suite("LVOS v1, from the mask", rule="lvos_v1", later="separately"),
    "lvos_v2": Suite("LVOS v2, from the mask", rule="lvos_v2", later="separately"),
    "sa_v": Suite("SA-V, from the mask", rule="sa_v", later="separately"),
    "vost": Suite("VOST, from the mask; J only", rule="vost"),
}


def units_of(
    groups: tuple[str, ...], dataset: VideoDataset, most: int | None = None, names: Collection[str] | None = None
) -> list[Unit]:
    """The pieces of work: every video under every group, in the order of the groups.

    Args:
        groups: What is asked of each video.
        dataset: The videos.
        most: Take the first so many only.
        names: Take these only; None: all.

    Raises:
        ValueError: A group is unknown, or needs videos and the data set holds images; a name is not there, or
            nothing is taken.
    """
    known = (*PROMPTS, *MODES, IMAGES, AUTOMATIC, PREDICTIONS)
    for group in groups:
        if group not in known:
            raise ValueError(f"there is no prompt or mode {group!r}: expected some of {', '.join(known[:-1])}")
        if dataset.stills and group not in (IMAGES, AUTOMATIC):
            raise ValueError(
                f"{dataset.root} holds images ({dataset.format}), {group!r} needs videos: take `images` or `automatic`"
            )
    wanted = {*dataset.names} if names is None else {*names}
    missing = sorted(wanted - {*dataset.names})
    if missing:
        raise ValueError(f"{dataset.root} has none of these names ({dataset.format}): {', '.join(missing)}")
    taken = [(index, name) for index, name in enumerate(dataset.names) if name in wanted][:most]
    if not taken:
        raise ValueError(f"nothing of {dataset.root} is taken: expected at least one video or image to score")
    return [Unit(group, index, name) for group in groups for index, name in taken]
