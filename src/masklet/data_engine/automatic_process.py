"""The process that finds automatic masklets; see :mod:`~masklet.data_engine.automatic_job`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from ..checkpoints.load import load
from ..inference.automatic import AutomaticOptions
from ..inference.automatic_masklets import AutomaticMasklets
from ..inference.masklet_options import MaskletOptions
from ..inference.masklets import Masklets
from ..model.sam2 import Sam2
from ..video.frames import FrameSource
from .child import requested, say
from .frame_pack import FramePack
from .session_view import result_json

_KEPT = ("object", "frame", "counts", "area", "iou", "presence", "stability", "prompted")


def main() -> None:
    """Find what the request asks for."""
    request = requested()
    if request["threads"] is not None:
        torch.set_num_threads(request["threads"])
    try:
        model = load(request["model"], device=request["device"])
        finder = AutomaticMasklets(model, _options(model, request["options"]))
        last = None
        for last in finder.stream(FrameSource(FramePack(request["pack"])), request["folder"]):
            say(frame=last.frame, of=last.total)
        assert last is not None and last.masklets is not None
        with last.masklets as masklets:
            for masks in _masks(masklets, request["every"]):
                say(masks=masks)
    except (ValueError, TypeError, OSError) as error:
        say(error=str(error).replace(request["folder"], "the earlier run").replace(request["pack"], "the video"))
    else:
        say(done=True)


def _options(model: Sam2, changes: dict[str, Any]) -> MaskletOptions:
    masks = AutomaticOptions.suited(model, **changes["masks"]) if "masks" in changes else None
    return MaskletOptions.suited(model, **{**changes, **({} if masks is None else {"masks": masks})})


def _masks(masklets: Masklets, every: int) -> Iterator[list[dict[str, Any]]]:
    """Masks of all objects, frame by frame; none of those that a user prompted, for no user did."""
    for t in range(0, len(masklets.source), every):
        found = [result_json(one) for one in masklets.frame(t).values()]
        yield [{**{name: one[name] for name in _KEPT}, "prompted": False} for one in found]


if __name__ == "__main__":
    main()
