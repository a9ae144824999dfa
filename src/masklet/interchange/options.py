"""How masks are written, where the format leaves a choice."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Target = Literal[
    "davis", "youtube_vos", "youtube_vis", "coco", "sa_v", "sa_v_folders", "mots", "yolo_seg", "cvat", "label_studio"
]
"""Formats that can be written."""


@dataclass(frozen=True)
class WriteOptions:
    """Choices.

    Attributes:
        polygons: Write outlines, not run lengths, where the format has both (COCO, CVAT).
        category: Category of objects that have none, where the format needs one.
        pictures: Copy the pictures too.
    """

    polygons: bool = False
    category: str = "object"
    pictures: bool = False


@dataclass
class CategoryNumbers:
    """Numbers for categories in the order in which they come.

    Attributes:
        first: The first number.
        numbers: What has been numbered.
    """

    first: int = 1
    numbers: dict[str, int] = field(default_factory=dict)

    def of(self, category: str) -> int:
        """Number of a category."""
        return self.numbers.setdefault(category, self.first + len(self.numbers))

    @property
    def table(self) -> list[dict[str, int | str]]:
        """Entries as files of COCO have them."""
        return [{"id": number, "name": name, "supercategory": ""} for name, number in self.numbers.items()]
