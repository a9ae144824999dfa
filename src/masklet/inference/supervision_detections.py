"""Results as ``Detections`` of the ``supervision`` package, and its detections as prompts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..interaction.prompts import check_object_id

if TYPE_CHECKING:
    from supervision import Detections

    from .results import FrameResult


def to_detections(result: FrameResult) -> Detections:
    """The objects that are seen on a frame.

    Masks are kept whole where they overlap. Boxes are tight, right and bottom edges exclusive. ``tracker_id`` is the
    object id, ``confidence`` the predicted IoU; ``data["presence"]`` has the presence logits. There is no ``class_id``:
    give annotators ``color_lookup=sv.ColorLookup.TRACK``.

    Raises:
        ImportError: ``supervision`` is not installed.
    """
    try:
        from supervision import Detections
    except ImportError as error:
        raise ImportError(f"supervision cannot be imported ({error}): pip install supervision") from error

    seen = [one for one in result.values() if one.box is not None]
    if not seen:
        return Detections.empty()
    return Detections(
        xyxy=np.array([one.box for one in seen], np.float32),
        mask=np.stack([one.mask for one in seen]),
        confidence=np.array([one.iou for one in seen], np.float32),
        tracker_id=np.array([one.object_id for one in seen]),
        data={"presence": np.array([one.presence for one in seen], np.float32)},
    )


def prompts_of(detections: Detections) -> dict[int, dict[str, Any]]:
    """What to give ``session.prompt`` for each object: its mask where there is one, else its box.

    ``for object_id, given in prompts_of(detections).items(): session.prompt(frame, object_id, **given)``

    Object ids are the tracker ids; without them objects are numbered from 1.

    Raises:
        ValueError: A tracker id is below 1 or occurs twice.
    """
    count = len(detections.xyxy)
    ids = range(1, count + 1) if detections.tracker_id is None else detections.tracker_id.tolist()
    prompts: dict[int, dict[str, Any]] = {}
    for row, given in enumerate(ids):
        object_id = check_object_id(given)
        if object_id in prompts:
            raise ValueError(f"tracker id {object_id} occurs twice: a frame has each object once")
        mask = None if detections.mask is None else np.asarray(detections.mask[row], bool)
        prompts[object_id] = {"box": detections.xyxy[row]} if mask is None else {"mask": mask}
    return prompts
