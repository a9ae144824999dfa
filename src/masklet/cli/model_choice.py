"""Which model a command runs, and where."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .download_bar import download_bar

if TYPE_CHECKING:
    from ..model.sam2 import Sam2


@dataclass(frozen=True)
class ModelChoice:
    """A model as it was asked for.

    Attributes:
        name: Name, Hugging Face id or file.
        image_size: Side of its input; None: its own.
        device: As torch names it.
    """

    name: str = "nano"
    image_size: int | None = None
    device: str = "cpu"

    def load(self, *, quiet: bool = False) -> Sam2:
        """Load it; unless ``quiet``, a bar shows on standard error while weights are downloaded.

        Raises:
            OSError: Weights cannot be found, downloaded or read.
            ValueError: There is no such model, or it cannot have this input.
        """
        from ..checkpoints.load import load

        with nullcontext() if quiet else download_bar(self.name) as progress:
            return load(self.name, image_size=self.image_size, device=self.device, progress=progress)
