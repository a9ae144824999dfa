"""What a user gives (clicks, a box, a mask in pixels of the video) checked and turned into the model's prompts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..structures import Prompts
from ..video.fitting import Fit

BOX_LABELS = (2, 3)
MOST_LOGIT = 32.0  # earlier answers are clamped before they are refined. Parity: sam2_video_predictor.py:262


def _no_points() -> np.ndarray:
    return np.zeros((0, 2), np.float32)


def _no_labels() -> np.ndarray:
    return np.zeros(0, np.int64)


@dataclass(frozen=True)
class UserPrompt:
    """All that a user gave for one object on one frame, in pixels of that frame.

    Attributes:
        points: Clicks ``(x, y)``.
        labels: 1 on the object, 0 off it.
        box: ``(x0, y0, x1, y1)``.
        mask: The object itself; goes with neither clicks nor a box.
    """

    points: Float[np.ndarray, "n 2"] = field(default_factory=_no_points)
    labels: Int[np.ndarray, " n"] = field(default_factory=_no_labels)
    box: Float[np.ndarray, "4"] | None = None
    mask: Bool[np.ndarray, "h w"] | None = None

    def extended(self, newer: UserPrompt) -> UserPrompt:
        """This prompt with newer clicks added; a newer box or mask replaces what it must."""
        if newer.mask is not None:
            return newer
        points = np.concatenate((self.points, newer.points))
        labels = np.concatenate((self.labels, newer.labels))
        return replace(newer, points=points, labels=labels, box=self.box if newer.box is None else newer.box)

    def extends(self, older: UserPrompt) -> bool:
        """Whether this is the older prompt with, perhaps, more clicks: whoever gives all of them each time goes on."""
        n = len(older.points)
        same_box = older.box is None if self.box is None else older.box is None or np.array_equal(self.box, older.box)
        clicks = np.array_equal(self.points[:n], older.points) and np.array_equal(self.labels[:n], older.labels)
        return self.mask is None and older.mask is None and same_box and clicks

    def to_model(self, fit: Fit, device: torch.device, previous: Tensor | None = None) -> Prompts:
        """Prompts in pixels of the model's input: box corners first, then clicks.

        Args:
            fit: Where the frame lies in the model's input.
            device: Where the model is.
            previous: Logits of the answer that this prompt refines.
        """
        if self.mask is not None:
            return Prompts(mask=fit.mask(self.mask).to(device))
        points, labels = self.points, self.labels
        if self.box is not None:
            points = np.concatenate((self.box.reshape(2, 2), points))
            labels = np.concatenate((BOX_LABELS, labels))
        return Prompts(
            points=fit.points(points)[None].to(device),
            labels=torch.from_numpy(labels.astype(np.int64))[None].to(device),
            previous_logits=None if previous is None else previous.clamp(-MOST_LOGIT, MOST_LOGIT),
        )


def user_prompt(
    frame: tuple[int, int], *, points: Any = None, labels: Any = None, box: Any = None, mask: Any = None
) -> UserPrompt:
    """Check what a user gave for a frame of the given height and width.

    Args:
        frame: Height and width in pixels.
        points: ``(n, 2)`` clicks ``(x, y)`` within the frame; one pair is taken as one click.
        labels: A 1 (on the object) or a 0 (off it) for each click; without labels every click is on the object.
        box: ``(x0, y0, x1, y1)`` within the frame, ``x0 < x1`` and ``y0 < y1``.
        mask: Boolean, 0/1 or 0/255 array of the frame's size, not empty.

    Raises:
        ValueError: Something has the wrong shape or value; the message says what was got and expected.
    """
    if mask is not None:
        if points is not None or box is not None:
            raise ValueError("a mask prompt goes with neither clicks nor a box: give the mask alone, then correct it")
        return UserPrompt(mask=check_mask(mask, frame))
    if points is None and box is None:
        hint = " (labels were given without points)" if labels is not None else ""
        raise ValueError(f"nothing to prompt with{hint}: give points, a box or a mask")
    checked, marks = _no_points(), _no_labels()
    if points is not None:
        checked = check_points(points, frame)
        marks = check_labels(labels, len(checked))
    elif labels is not None:
        raise ValueError("labels were given without points: give one label for each point")
    return UserPrompt(checked, marks, None if box is None else check_box(box, frame))


def check_object_id(object_id: Any) -> int:
    """An object's id: a whole number of at least 1.

    Raises:
        ValueError: It is not.
    """
    if isinstance(object_id, bool) or not isinstance(object_id, (int, np.integer)) or object_id < 1:
        raise ValueError(f"object_id must be an integer of at least 1, got {object_id!r}")
    return int(object_id)


def numbers_of(value: Any, what: str, expected: str) -> np.ndarray:
    """Whatever a user gave as an array of finite float32 numbers.

    Raises:
        ValueError: Not numbers, or not finite; the message calls the value ``what``.
    """
    if isinstance(value, Tensor):
        value = value.detach().cpu().numpy()
    try:
        with np.errstate(over="ignore"):  # becomes infinite, which is refused below
            array = np.asarray(value, dtype=np.float32)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{what} must be {expected}, got {value!r:.80}") from None
    if not np.isfinite(array).all():
        raise ValueError(f"{what} must be finite numbers, got {array.tolist()!s:.120}")
    return array


def check_points(points: Any, frame: tuple[int, int]) -> Float[np.ndarray, "n 2"]:
    """Clicks as an array, all within the frame.

    Raises:
        ValueError: Not ``(n, 2)`` finite numbers within the frame.
    """
    expected = "an array of (x, y) pairs in pixels"
    array = numbers_of(points, "points", expected)
    if array.shape == (2,):
        array = array[None]
    if array.ndim != 2 or array.shape[1] != 2 or len(array) == 0:
        raise ValueError(f"points must be {expected} of shape (n, 2), got shape {array.shape}")
    height, width = frame
    outside = (array < 0).any(1) | (array[:, 0] >= width) | (array[:, 1] >= height)
    if outside.any():
        x, y = array[outside.argmax()]
        raise ValueError(
            f"point ({x:g}, {y:g}) is outside the frame of {width} x {height} pixels: points are (x, y) with "
            f"0 <= x < {width} and 0 <= y < {height}"
        )
    return array


def check_labels(labels: Any, count: int) -> Int[np.ndarray, " n"]:
    """One 0 or 1 for each click; all 1 without labels.

    Raises:
        ValueError: Another number of labels, or other values.
    """
    if labels is None:
        return np.ones(count, np.int64)
    array = np.atleast_1d(numbers_of(labels, "labels", "0 (off the object) or 1 (on it)"))
    if array.shape != (count,):
        raise ValueError(f"labels must be one for each of the {count} points, got shape {array.shape}")
    if not np.isin(array, (0, 1)).all():
        raise ValueError(f"labels must be 1 (on the object) or 0 (off it), got {array.tolist()}; for a box use box=")
    return array.astype(np.int64)


def check_box(box: Any, frame: tuple[int, int]) -> Float[np.ndarray, "4"]:
    """A box as an array, within the frame and with an area.

    Raises:
        ValueError: Not four finite numbers, corners swapped, no area, or outside the frame.
    """
    expected = "(x0, y0, x1, y1) in pixels"
    array = numbers_of(box, "box", expected)
    if array.size != 4:
        raise ValueError(f"box must be {expected}, got shape {array.shape}")
    x0, y0, x1, y1 = (float(v) for v in array.reshape(4))
    shown = f"({x0:g}, {y0:g}, {x1:g}, {y1:g})"
    if x1 < x0 or y1 < y0:
        raise ValueError(
            f"box {shown} has its corners swapped: it must be (x0, y0, x1, y1) with the top-left corner first, not "
            f"(x, y, width, height); did you mean ({min(x0, x1):g}, {min(y0, y1):g}, {max(x0, x1):g}, {max(y0, y1):g})?"
        )
    if x1 == x0 or y1 == y0:
        raise ValueError(f"box {shown} has no area: it must be {expected} with x0 < x1 and y0 < y1")
    height, width = frame
    if x0 < 0 or y0 < 0 or x1 > width or y1 > height:
        raise ValueError(f"box {shown} reaches outside the frame of {width} x {height} pixels: clip it to the frame")
    return array.reshape(4)


def check_mask(mask: Any, frame: tuple[int, int]) -> Bool[np.ndarray, "h w"]:
    """A mask as a boolean array of the frame's size.

    Raises:
        ValueError: Another shape, values that are not a mask's, or nothing in it.
    """
    if isinstance(mask, Tensor):
        mask = mask.detach().cpu().numpy()
    try:
        array = np.asarray(mask)
    except ValueError:
        raise ValueError(f"mask must be an array of height and width {tuple(frame)}, got {mask!r:.80}") from None
    if array.ndim == 3 and array.size == frame[0] * frame[1]:
        array = next((one for one in (array[0], array[..., 0]) if one.shape == tuple(frame)), array)
    if array.shape != tuple(frame):
        raise ValueError(
            f"mask must have the frame's height and width {tuple(frame)}, got shape {array.shape}: resize it "
            "(nearest neighbour) or check that it belongs to this frame"
        )
    if array.dtype != np.bool_:
        if array.dtype.kind not in "iuf" or (array.dtype.kind == "f" and not np.isfinite(array).all()):
            raise ValueError(f"mask must be boolean or finite numbers, got {array.dtype} with other values")
        values = np.unique(array)
        if len(values) > 2 or (len(values) == 2 and values[0] != 0):
            raise ValueError(
                f"mask must hold one object (False/True, 0/1 or 0/255), got {len(values)} values from {values[0]} to "
                f"{values[-1]}: threshold logits at 0, split label maps by label"
            )
        array = array != 0
    if not array.any():
        raise ValueError("mask is empty: paint the object, or prompt on a frame in which it can be seen")
    return array
