"""Builders of the official package: ``sam2/build_sam.py``."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from typing import Any

import torch

from ...checkpoints.load import load
from ...checkpoints.registry import entry
from ...model.config import with_image_size
from ...model.sam2 import Sam2, build
from .sam2_video_predictor import SAM2VideoPredictor
from .settings import IMAGE_POSTPROCESSING, VIDEO_POSTPROCESSING, Settings, model_name, settings_of

log = logging.getLogger(__name__)


class SAM2Base:
    """A model with what its configuration says; anything else is the model's.

    Attributes:
        model: The network.
        settings: The rest.
    """

    def __init__(self, model: Sam2, settings: Settings) -> None:
        self.model, self.settings = model, settings

    @property
    def image_size(self) -> int:
        """Side of the input."""
        return self.model.config.image_size

    def to(self, *args: Any, **kwargs: Any) -> SAM2Base:
        """Move the network."""
        self.model.to(*args, **kwargs)
        return self

    def eval(self) -> SAM2Base:
        """Evaluation mode."""
        self.model.eval()
        return self

    def __getattr__(self, name: str) -> Any:
        if name == "model":
            raise AttributeError(name)
        return getattr(self.model, name)


def build_sam2(
    config_file: str,
    ckpt_path: str | os.PathLike[str] | None = None,
    device: str | torch.device = "cuda",
    mode: str = "eval",
    hydra_overrides_extra: Sequence[str] = (),
    apply_postprocessing: bool = True,
    **kwargs: Any,
) -> SAM2Base:
    """A model for images.

    Args:
        config_file: Name of an official configuration.
        ckpt_path: Weights in any layout that :func:`masklet.load` takes; None: random ones.
        device: Where to; without CUDA ``cuda`` falls back to the CPU, with a warning.
        mode: ``eval``, else training mode.
        hydra_overrides_extra: Those that :mod:`.settings` understands.
        apply_postprocessing: Stability fallback.
        kwargs: Ignored, as officially.

    Raises:
        ValueError: An unknown configuration or override, or weights of another model.
    """
    postprocessing = IMAGE_POSTPROCESSING if apply_postprocessing else ()
    settings = settings_of((*hydra_overrides_extra, *postprocessing))
    return SAM2Base(_model(model_name(config_file), ckpt_path, device, mode, settings), settings)


def build_sam2_video_predictor(
    config_file: str,
    ckpt_path: str | os.PathLike[str] | None = None,
    device: str | torch.device = "cuda",
    mode: str = "eval",
    hydra_overrides_extra: Sequence[str] = (),
    apply_postprocessing: bool = True,
    vos_optimized: bool = False,
    **kwargs: Any,
) -> SAM2VideoPredictor:
    """A predictor for videos.

    Args:
        config_file: As for :func:`build_sam2`, and so are the next four.
        ckpt_path: Weights.
        device: Where to.
        mode: ``eval``, else training mode.
        hydra_overrides_extra: Overrides.
        apply_postprocessing: Stability fallback, sharp memories of prompted frames, closed holes.
        vos_optimized: Officially a compiled model; without effect here.
        kwargs: ``prune=True`` for constant memory (not official; re-tracking after a jump back is then close to, not
            equal to, the official result); everything else is ignored, as officially.
    """
    postprocessing = VIDEO_POSTPROCESSING if apply_postprocessing else ()
    settings = settings_of((*hydra_overrides_extra, *postprocessing))
    if vos_optimized:
        log.info("vos_optimized has no effect here")
    model = _model(model_name(config_file), ckpt_path, device, mode, settings)
    return SAM2VideoPredictor(model, settings, prune=bool(kwargs.get("prune", False)))


def build_sam2_hf(model_id: str, **kwargs: Any) -> SAM2Base:
    """:func:`build_sam2` with weights of the Hugging Face hub, such as ``facebook/sam2.1-hiera-tiny``."""
    return build_sam2(config_file=_config_of(model_id), ckpt_path=model_id, **kwargs)


def build_sam2_video_predictor_hf(model_id: str, **kwargs: Any) -> SAM2VideoPredictor:
    """:func:`build_sam2_video_predictor` with weights of the Hugging Face hub."""
    return build_sam2_video_predictor(config_file=_config_of(model_id), ckpt_path=model_id, **kwargs)


def _config_of(model_id: str) -> str:
    family, _, size = entry(model_id).name.partition("_hiera_")
    letter = "b+" if size == "base_plus" else size[:1]
    return f"configs/{family}/{family}_hiera_{letter}.yaml"


def _model(
    name: str, weights: str | os.PathLike[str] | None, device: str | torch.device, mode: str, settings: Settings
) -> Sam2:
    place = torch.device(device)
    if place.type == "cuda" and not torch.cuda.is_available():
        log.warning("there is no CUDA device: the model goes to the CPU")
        place = torch.device("cpu")
    if weights is None:
        model = build(with_image_size(entry(name).config, settings.image_size)).to(place)
    else:
        model = load(weights, model=name, image_size=settings.image_size, device=place)
    return model.eval() if mode == "eval" else model.train()
