"""What moves otherwise than the picture as a whole, which moves as the camera does."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float

_EVERY = 8  # pixels between the points that the motion of the camera is fitted to
_NEAR = 1.0  # pixels within which a point moves with the camera


def own_motion(flow: Float[np.ndarray, "h w 2"]) -> Float[np.ndarray, "h w"]:
    """How far each pixel moved beyond what the camera did, in pixels.

    The camera's motion is the affine map that most of the flow follows, so that a thing that fills most of a frame is
    taken for the background.

    Args:
        flow: As :func:`~masklet.video.flow.flow_to` gives it.
    """
    height, width = flow.shape[:2]
    places = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)
    step = max(1, min(height // 3, width // 3, _EVERY))  # a map needs three points
    some = places[step // 2 :: step, step // 2 :: step].reshape(-1, 2)
    moved = some + flow[step // 2 :: step, step // 2 :: step].reshape(-1, 2)
    camera, _ = cv2.estimateAffine2D(some, moved, method=cv2.RANSAC, ransacReprojThreshold=_NEAR)
    if camera is None:  # there is no motion that points agree on
        camera = np.eye(2, 3)
    expected = places @ camera[:, :2].T + camera[:, 2] - places
    return np.linalg.norm(flow - expected, axis=-1)
