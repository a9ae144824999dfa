"""What a command may ask of the machine: a device that is there, and an input that it can hold."""

from __future__ import annotations

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


def devices() -> list[str]:
    """Devices that torch can use on this machine, as ``--device`` takes them."""
    import torch

    found = ["cpu"]
    if torch.cuda.is_available():
        found += ["cuda", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        found.append("mps")
    return found
