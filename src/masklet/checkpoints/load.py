"""``load`` and ``save``: a model from a name or a file, and a file from a model, in any of the three layouts."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ..model.config import CONFIGS, ModelConfig, with_image_size
from ..model.sam2 import Sam2, build
from . import config_text, weight_files
from .convert import KeyMismatchError, Layout, detect_layout, from_layout, our_name, some, to_layout
from .download import Progress
from .hub import SUFFIXES, Located, locate
from .infer import infer
from .registry import REGISTRY, entry
from .transformers_config import transformers_config
from .transformers_keys import MATRIX, MATRIX_AGAIN
from .weight_files import Weights

_MEMORY = ("memory_attention.", "memory_encoder.", "memory_tokens.")


class ModelMismatchError(ValueError):
    """A file that holds another model than the one asked for."""


def load(
    source: str | os.PathLike[str] = "nano",
    *,
    model: str | None = None,
    image_size: int | None = None,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
    progress: Progress | None = None,
) -> Sam2:
    """A model with weights, in evaluation mode.

    Args:
        source: A name (``nano``, ``sam2.1_hiera_tiny``), a Hugging Face id (``facebook/sam2.1-hiera-tiny``), a
            ``.safetensors`` or ``.pt`` file in any layout, or a folder with one.
        model: Name of the model that the source must hold; None: what the source names, else what its tensors show.
        image_size: Side of the square model input, a multiple of 32; None: the model's own (1024 for official ones).
        device: Where the weights go.
        dtype: What they become; files may be stored in half precision.
        progress: Called with bytes and size while a named official file is downloaded.

    Raises:
        ValueError: If the source is unknown, the file is damaged or no weight file, its keys or shapes do not fit
            (:class:`~masklet.checkpoints.convert.KeyMismatchError`) or it holds another model
            (:class:`ModelMismatchError`).
        OSError: If a file is missing, cannot be read or cannot be downloaded.
    """
    asked = None if model is None else entry(model).name
    found = locate(source, progress=progress)
    if asked is not None and found.name not in (None, asked):
        raise ModelMismatchError(f"got {os.fspath(source)!r}, which is {found.name}, and model={model!r}: drop one")
    weights = weight_files.read(found.path)
    return _assemble(weights, Located(found.path, found.name or asked), image_size, torch.device(device), dtype)


def save(
    model: Sam2, path: str | os.PathLike[str], layout: Layout = "masklet", *, dtype: torch.dtype | None = None
) -> Path:
    """Write a model's weights; the file is complete or absent.

    Args:
        model: The model.
        path: A ``.safetensors``, ``.pt`` or ``.pth`` file, or, for the ``transformers`` layout, a folder that
            ``Sam2VideoModel.from_pretrained`` reads.
        layout: Whose names the tensors get.
        dtype: What to store; None: as they are.

    Raises:
        ValueError: If the path's ending is another, or the model has parts that the layout has no names for.
        OSError: If the file cannot be written.

    Returns:
        The path written.
    """
    target = Path(path).expanduser()
    if layout not in ("masklet", "official", "transformers"):
        raise ValueError(f"layout must be 'masklet', 'official' or 'transformers', got {layout!r}")
    folder = layout == "transformers" and (target.is_dir() or not target.suffix)
    if not folder and (target.is_dir() or target.suffix not in SUFFIXES):
        raise ValueError(f"got {str(target)!r}; expected a file that ends in {', '.join(SUFFIXES)}")
    state = {key: value.detach().to(dtype=dtype) for key, value in model.state_dict().items()}
    named = to_layout(state, layout)
    text = config_text.write(model.config)
    if not folder:
        target.parent.mkdir(parents=True, exist_ok=True)
        weight_files.write(target, named, text)
        return target
    stored = str(next(iter(state.values())).dtype).removeprefix("torch.")
    description = transformers_config(model.config) | {"dtype": stored}
    target.mkdir(parents=True, exist_ok=True)
    weight_files.write(target / "model.safetensors", named, text)
    with weight_files.whole(target / "config.json") as part:
        part.write_text(json.dumps(description, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return target


class _Unfilled(TorchFunctionMode):
    """Leaves new parameters as memory happens to be: a file replaces them, and to fill a large model takes seconds."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__module__", None) == "torch.nn.init":
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


def _assemble(
    weights: Weights, found: Located, image_size: int | None, device: torch.device, dtype: torch.dtype
) -> Sam2:
    path = found.path
    try:
        layout = detect_layout(weights.state)
    except KeyMismatchError as error:
        raise KeyMismatchError(f"{path}: {error}") from error
    _refuse_image_part(weights.state, layout, path)
    config = _configuration(weights, layout, found)
    with _Unfilled():
        model = build(with_image_size(config, image_size))
    _compare(weights.state, to_layout(model.state_dict(), layout), layout, path, config_text.name_of(config))
    try:
        state = from_layout(weights.state, layout)
    except KeyMismatchError as error:
        raise KeyMismatchError(f"{path}: {error}") from error
    model.load_state_dict({key: value.to(device, dtype, copy=True) for key, value in state.items()}, assign=True)
    return model


def _configuration(weights: Weights, layout: Layout, found: Located) -> ModelConfig:
    """From the file's own text, which says more than shapes can; else from its shapes."""
    asked = found.name
    try:
        shapes = {our_name(key, layout) or key: tuple(value.shape) for key, value in weights.state.items()}
        config = CONFIGS[infer(shapes)] if weights.config is None else config_text.read(weights.config)
    except ValueError as error:
        raise ValueError(f"{found.path}: {error}") from error
    held = config_text.name_of(config)
    if asked is not None and held != asked:
        raise ModelMismatchError(
            f"{found.path}: got {_describe(held, config)}, expected {_describe(asked, CONFIGS[asked])}; "
            f"load the file by its path with {'no model' if held is None else f'model={held!r}'}, or put one of "
            f"{asked} in its place"
        )
    return config


def _describe(name: str | None, config: ModelConfig) -> str:
    return f"{name or 'a model without a name'} (SAM {config.version})"


def _refuse_image_part(state: Mapping[str, Tensor], layout: Layout, path: Path) -> None:
    ours = [our_name(key, layout) or "" for key in state]
    if any(name.startswith(_MEMORY) for name in ours) or not any(name.startswith("mask_decoder.") for name in ours):
        return
    repositories = ", ".join(str(known.repository) for known in REGISTRY.values() if known.repository)
    raise KeyMismatchError(
        f"{path}: got the image part of a model (as Sam2Model saves it); missing are the memory parts: "
        "memory_attention, memory_encoder, the time codes and the object pointers; load the whole model "
        f"(Sam2VideoModel), as in {repositories}"
    )


def _compare(
    state: Mapping[str, Tensor], expected: Mapping[str, Tensor], layout: Layout, path: Path, name: str | None
) -> None:
    """Raise unless the file has the expected tensors, all in the file's own names."""
    keys, wanted = set(state), set(expected)
    if layout == "transformers" and keys & {MATRIX, MATRIX_AGAIN}:
        wanted -= {MATRIX, MATRIX_AGAIN} - keys  # one copy is enough
    problems = []
    if missing := wanted - keys:
        problems.append(f"missing ({len(missing)}): {some(missing)}")
    if unexpected := keys - wanted:
        problems.append(f"unexpected ({len(unexpected)}): {some(unexpected)}")
    wrong = [
        f"{key} is {tuple(state[key].shape)}, expected {tuple(expected[key].shape)}"
        for key in sorted(keys & wanted)
        if state[key].shape != expected[key].shape
    ]
    if wrong:
        problems.append(f"of another shape ({len(wrong)}): {some(wrong)}")
    whole_numbers = [key for key in sorted(keys & wanted) if not state[key].is_floating_point()]
    if whole_numbers:
        problems.append(f"not floating point ({len(whole_numbers)}): {some(whole_numbers)}")
    if problems:
        raise KeyMismatchError(
            f"{path}: its keys ({layout} layout) do not fit {name or 'its configuration'}: {'; '.join(problems)}; "
            "get a complete file of this model, or name the model that it holds"
        )
