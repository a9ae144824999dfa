"""Masks drawn over a frame: translucent fill, contour and object number."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from jaxtyping import Bool, Int, UInt8

from ..masks.palette import davis_palette, object_colors


def overlay(
    frame: UInt8[np.ndarray, "h w 3"],
    masks: Mapping[int, Bool[np.ndarray, "h w"]],
    alpha: float = 0.5,
    *,
    contour: bool = True,
    labels: bool = False,
) -> UInt8[np.ndarray, "h w 3"]:
    """Draw the masks of a frame over it, in the colours of the DAVIS palette; the frame itself is not changed.

    Args:
        frame: RGB.
        masks: Mask of each object id; of two that overlap, the lower id is drawn on top.
        alpha: Opacity of the fill, 0 to 1.
        contour: Draw the outline too, one pixel for every 400 of the shorter side, at least one.
        labels: Write each object's id at its mask.

    Raises:
        ValueError: A mask has another size than the frame, an id is below 1, or alpha is out of range.
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"The opacity of an overlay is 0 to 1, got {alpha}.")
    drawn = np.array(frame, dtype=np.uint8, order="C")
    colors = object_colors(masks)
    width = max(1, round(min(frame.shape[:2]) / 400))
    for object_id in sorted(masks, reverse=True):
        mask = np.asarray(masks[object_id]) != 0
        if mask.shape != frame.shape[:2]:
            raise ValueError(f"The mask of object {object_id} has shape {mask.shape}, the frame has {frame.shape[:2]}.")
        if not mask.any():
            continue
        color = np.array(colors[object_id], dtype=np.float32)
        drawn[mask] = np.rint(frame[mask] * np.float32(1 - alpha) + color * np.float32(alpha)).astype(np.uint8)
        if contour:
            lines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
            cv2.drawContours(drawn, lines, -1, colors[object_id], width)
    if labels:
        taken = np.any([np.asarray(mask) != 0 for mask in masks.values()], axis=0) if masks else np.zeros(0)
        for object_id in sorted(masks):
            _write_label(drawn, object_id, np.asarray(masks[object_id]) != 0, taken)
    return drawn


def overlay_labels(
    frame: UInt8[np.ndarray, "h w 3"], labels: Int[np.ndarray, "h w"], alpha: float = 0.5
) -> UInt8[np.ndarray, "h w 3"]:
    """Draw a label map over a frame as :func:`overlay` draws masks, for hundreds of them; 0 is nothing.

    Args:
        frame: RGB.
        labels: Object of each pixel.
        alpha: Opacity of the fill, 0 to 1.

    Raises:
        ValueError: The sizes differ.
    """
    if labels.shape != frame.shape[:2]:
        raise ValueError(f"The label map has shape {labels.shape}, the frame has {frame.shape[:2]}.")
    inside, edge = labels > 0, np.zeros(labels.shape, bool)
    edge[:, 1:] = labels[:, 1:] != labels[:, :-1]
    edge[1:] |= labels[1:] != labels[:-1]
    colors = davis_palette()[np.where(inside, (labels - 1) % 255 + 1, 0)]
    drawn = cv2.addWeighted(frame, 1 - alpha, colors, alpha, 0)
    drawn[~inside] = frame[~inside]
    drawn[edge & inside] = colors[edge & inside]
    return drawn


def _write_label(
    image: UInt8[np.ndarray, "h w 3"], object_id: int, mask: Bool[np.ndarray, "h w"], taken: Bool[np.ndarray, "h w"]
) -> None:
    """Write the id in white on black where the mask is widest, or beside it where it is too narrow for that."""
    if not mask.any():
        return
    scale = max(0.4, min(image.shape[:2]) / 900)
    thick = max(1, round(scale * 1.5))
    (width, height), _ = cv2.getTextSize(str(object_id), cv2.FONT_HERSHEY_SIMPLEX, scale, thick)
    depth = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, 5)[
        1:-1, 1:-1
    ]  # edges of the image too
    row, column = np.unravel_index(depth.argmax(), depth.shape)
    if 2 * depth[row, column] > max(width, 2 * height):
        x, y = int(column) - width // 2, int(row) + height // 2
    else:
        x, y = _beside(mask, taken, (width, height))
    for color, stroke in (((0, 0, 0), thick + 2), ((255, 255, 255), thick)):
        cv2.putText(image, str(object_id), (x, y), cv2.FONT_HERSHEY_SIMPLEX, scale, color, stroke, cv2.LINE_AA)


def _beside(mask: Bool[np.ndarray, "h w"], taken: Bool[np.ndarray, "h w"], size: tuple[int, int]) -> tuple[int, int]:
    """Where a label of a width and height hides the least of all objects at the box of a mask's largest piece."""
    width, height = size
    _, _, boxes, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))  # left, top, width, height, area
    x0, y0, w, h, _ = max(boxes[1:].tolist(), key=lambda box: box[-1])  # the first is what is no object
    x1, y1 = x0 + w, y0 + h

    def inside(x: int, y: int) -> tuple[int, int]:
        return min(max(0, x), max(0, mask.shape[1] - width)), min(max(height + 2, y), mask.shape[0])

    def hidden(place: tuple[int, int]) -> int:
        x, y = place
        return int(np.count_nonzero(taken[max(0, y - height) : y, x : x + width]))

    middle, centre = (x0 + x1 - width) // 2, (y0 + y1 + height) // 2
    beside = (middle, y0 - 4), (x0, y0 - 4), (x1 - width, y0 - 4), (middle, y1 + height + 4)
    return min((inside(*place) for place in (*beside, (x0 - width - 4, centre), (x1 + 4, centre))), key=hidden)
