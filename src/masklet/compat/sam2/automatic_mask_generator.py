"""The official generator of automatic masks: ``sam2/automatic_mask_generator.py``."""

from __future__ import annotations

from typing import Any, NoReturn


class SAM2AutomaticMaskGenerator:
    """Not here yet."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _refuse()

    @classmethod
    def from_pretrained(cls, model_id: str, **kwargs: Any) -> NoReturn:
        """Not here yet."""
        _refuse()


def _refuse() -> NoReturn:
    raise NotImplementedError("masklet has no automatic masks yet: prompt with points, boxes or masks")
