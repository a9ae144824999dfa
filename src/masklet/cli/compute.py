"""What a command may ask of the machine and the model: a device that is there, and an input that it can hold."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import tyro

if TYPE_CHECKING:
    from ..video.fitting import Fitting

FitText = Annotated[str, tyro.conf.arg(metavar="stretch|letterbox|native|HxW")]

LARGEST_INPUT = 4096  # four times what the official models were trained at; the cost rises with the fourth power


def check_compute(device: str, image_size: int | None) -> None:
    """Refuse a device or a size of the model's input before anything is loaded.

    Raises:
        ValueError: The device is not here, or the size is above ``LARGEST_INPUT``.
    """
    there = devices()
    if device not in there:
        raise ValueError(
            f"got --device {device}, but torch can use only {', '.join(there)} here: choose one of these, or install a "
            "torch for your accelerator (see `masklet doctor`)"
        )
    if image_size is not None and image_size > LARGEST_INPUT:
        raise ValueError(
            f"got --image-size {image_size}, expected at most {LARGEST_INPUT}: images and masks keep their own size "
            "whatever the model's input is"
        )


def fitting(text: str) -> Fitting:
    """How frames fill the model's input, as ``--fit`` takes it.

    Raises:
        ValueError: It is none of the three words and no height and width.
    """
    from ..video.fitting import check_fitting

    pair = re.fullmatch(r"(\d{1,4})x(\d{1,4})", text)
    try:
        fit = check_fitting(text if pair is None else (int(pair[1]), int(pair[2])))
    except ValueError:
        raise ValueError(
            f"got --fit {text}, expected stretch, letterbox, native or HEIGHTxWIDTH in multiples of 32, as in 288x512"
        ) from None
    if isinstance(fit, tuple) and max(fit) > LARGEST_INPUT:
        raise ValueError(f"got --fit {text}, expected at most {LARGEST_INPUT} for a side")
    return fit


def devices() -> list[str]:
    """Devices that torch can use on this machine, as ``--device`` takes them."""
    import torch

    found = ["cpu"]
    if torch.cuda.is_available():
        found += ["cuda", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        found.append("mps")
    return found
