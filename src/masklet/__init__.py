"""Promptable visual segmentation: click an object in an image or a video and get its mask in every frame.

Every public name is imported on first use: ``import masklet`` costs nothing, and an image needs no video library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from masklet.checkpoints.convert import KeyMismatchError
    from masklet.checkpoints.download import DownloadError
    from masklet.checkpoints.load import ModelMismatchError, load, save
    from masklet.checkpoints.weight_files import WeightFileError
    from masklet.inference.automatic import AutomaticMasks, AutomaticOptions
    from masklet.inference.automatic_masklets import AutomaticMasklets
    from masklet.inference.image import ImagePredictor
    from masklet.inference.masklet_options import MaskletOptions
    from masklet.inference.options import SessionOptions
    from masklet.inference.region_session import RegionSession
    from masklet.inference.scheduler import Scheduler
    from masklet.inference.session import VideoSession
    from masklet.interchange.convert import convert
    from masklet.model.sam2 import Sam2

__version__ = "0.1.0"
__all__ = [
    "load",
    "save",
    "ImagePredictor",
    "AutomaticMasks",
    "AutomaticOptions",
    "AutomaticMasklets",
    "MaskletOptions",
    "VideoSession",
    "SessionOptions",
    "RegionSession",
    "Scheduler",
    "convert",
    "Sam2",
    "DownloadError",
    "WeightFileError",
    "KeyMismatchError",
    "ModelMismatchError",
    "__version__",
]

_HOMES = {
    "load": "masklet.checkpoints.load",
    "save": "masklet.checkpoints.load",
    "ImagePredictor": "masklet.inference.image",
    "AutomaticMasks": "masklet.inference.automatic",
    "AutomaticOptions": "masklet.inference.automatic",
    "AutomaticMasklets": "masklet.inference.automatic_masklets",
    "MaskletOptions": "masklet.inference.masklet_options",
    "VideoSession": "masklet.inference.session",
    "SessionOptions": "masklet.inference.options",
    "RegionSession": "masklet.inference.region_session",
    "Scheduler": "masklet.inference.scheduler",
    "convert": "masklet.interchange.convert",
    "Sam2": "masklet.model.sam2",
    "DownloadError": "masklet.checkpoints.download",
    "WeightFileError": "masklet.checkpoints.weight_files",
    "KeyMismatchError": "masklet.checkpoints.convert",
    "ModelMismatchError": "masklet.checkpoints.load",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'masklet' has no attribute {name!r}; its public names are {', '.join(__all__)}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
