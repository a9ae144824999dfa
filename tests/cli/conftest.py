"""A model file, a folder of frames and an image for the command line."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from masklet.checkpoints.load import save
from masklet.model.sam2 import Sam2
from tiny_model import clip


@pytest.fixture(scope="session")
def model_file(tiny: Sam2, tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save(tiny, tmp_path_factory.mktemp("model") / "tiny.safetensors"))


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six frames as PNG files."""
    path = tmp_path_factory.mktemp("frames")
    for t, frame in enumerate(clip(6)):
        cv2.imwrite(str(path / f"{t}.png"), np.ascontiguousarray(frame[..., ::-1]))
    return path
