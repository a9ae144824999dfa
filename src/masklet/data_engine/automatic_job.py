"""Automatic masklets of a video: found in a process of its own, and stored as objects that people verify."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .child import ChildLimits, run_child
from .database import Db, found
from .objects import add_object
from .schema import Object, Video
from .stored_masks import StoredMask, store_masklet

OnProgress = Callable[[int, int], object]
"""Called with the frames that are done, and how many there are."""

_SECONDS = 7 * 24 * 3600.0


@dataclass(frozen=True)
class FoundMasklet:
    """An object that was found, and its masks by frame."""

    masks: Sequence[StoredMask]


def find_masklets(
    pack: Path,
    model: str,
    folder: Path,
    every: int = 1,
    on_progress: OnProgress | None = None,
    *,
    options: Mapping[str, Any] | None = None,
    device: str = "cpu",
    threads: int | None = None,
) -> list[FoundMasklet]:
    """Everything in a video, as :class:`~masklet.inference.automatic_masklets.AutomaticMasklets` finds it.

    Args:
        pack: Frames of the video.
        model: Name or path of the model.
        folder: Where progress is kept: what was stopped, however, goes on there.
        every: Masks are given of frames 0, every, 2 every ...
        on_progress: Called with each frame; its error stops the work, and is raised.
        options: What is other than :meth:`~masklet.inference.masklet_options.MaskletOptions.suited` says, in JSON; of
            ``masks`` likewise. The same for a run that goes on.
        device: Where the model computes.
        threads: Threads of torch on a CPU; None: as it sees fit.

    Raises:
        ChildError: It cannot be done; the message says why.
    """
    masks: dict[int, list[StoredMask]] = {}

    def line(said: dict) -> None:
        if "frame" in said and on_progress is not None:
            on_progress(said["frame"] + 1, said["of"])
        for one in said.get("masks", ()):
            i, mask = one.pop("object"), StoredMask(**{**one, "counts": one["counts"].encode()})
            masks.setdefault(i, []).append(mask)

    request = {"pack": str(pack), "model": model, "folder": str(folder), "every": every}
    request |= {"options": dict(options or {}), "device": device, "threads": threads}
    run_child("masklet.data_engine.automatic_process", request, ChildLimits(seconds=_SECONDS), line)
    return [FoundMasklet(masks[i]) for i in sorted(masks)]


def propose(db: Db, video_id: int, masklets: Sequence[FoundMasklet]) -> list[Object]:
    """Store what was found as proposed objects.

    Raises:
        NotFound: There is no such video.
    """
    found(db, Video, video_id)
    objects = []
    for one in masklets:
        if not any(mask.area for mask in one.masks):
            continue  # on none of the annotated frames
        target = add_object(db, video_id, None, origin="automatic", state="proposed")
        store_masklet(db, target.id, one.masks)
        objects.append(target)
    return objects
