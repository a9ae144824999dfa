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

from ..model.config import CONFIGS, HieraConfig, ModelConfig, with_image_size
from ..model.int8 import to_int8
from ..model.precision import precision_of
from ..model.sam2 import Sam2, build
from ..video.atomic import write_bytes
from . import config_text, weight_files
from .convert import KeyMismatchError, Layout, detect_layout, from_layout, our_name, some, to_layout
from .download import Progress, verify
from .hub import SUFFIXES, Located, locate
from .infer import closest, infer
from .registry import REGISTRY, entry
from .transformers_config import transformers_config
from .transformers_keys import MATRIX, MATRIX_AGAIN
from .weight_files import WeightFileError, Weights

_MEMORY = ("memory_attention.", "memory_encoder.", "memory_tokens.")
_OTHER_KINDS = (".bin", ".ckpt", ".gguf", ".gz", ".h5", ".json", ".npz", ".onnx", ".pkl", ".safetensor", ".tar", ".zip")
"""Endings that show that a file is meant; anything else after a dot may be part of a folder's name."""


class ModelMismatchError(ValueError):
    """A file that holds another model than the one asked for."""


def load(
    source: str | os.PathLike[str] = "nano",
    *,
    model: str | None = None,
    image_size: int | None = None,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
    precision: str | None = None,
    progress: Progress | None = None,
) -> Sam2:
    """A model with weights, in evaluation mode.

    Whole models only: a file of transformers' ``Sam2Model``, which has the image part alone, is refused; that of
    ``Sam2VideoModel`` has the same weights and the memory parts.

    Args:
        source: A name (``nano``, ``sam2.1_hiera_tiny``), a Hugging Face id (``facebook/sam2.1-hiera-tiny``), a
            ``.safetensors`` or ``.pt`` file in any layout, or a folder with one.
        model: Name of the model that the source must hold; None: what the source names, else what its tensors show.
        image_size: Side of the square model input, a multiple of 32; None: the model's own (1024 for official ones).
            For an input that is not square see ``fit`` of the session's options and of the image predictor.
        device: Where the weights go.
        dtype: What they become, and what the model computes in: ``torch.float32``, ``float16``, ``bfloat16`` or
            ``float64``, whatever the file stores.
        precision: ``float32``, ``bfloat16`` or ``float16``: the model computes in it by an autocast of its own,
            whatever autocast surrounds it; weights stay ``dtype``. None: as surroundings and weights say. ``int8``, on
            a CPU: linear layers of the image encoder in int8, an approximation (:mod:`~masklet.model.int8`), the rest
            in float32.
        progress: Called with bytes and size while a named official file is downloaded.

    Raises:
        ValueError: If the source is unknown, the file is damaged or no weight file
            (:class:`~masklet.checkpoints.weight_files.WeightFileError`), its keys or shapes do not fit
            (:class:`~masklet.checkpoints.convert.KeyMismatchError`) or it holds another model
            (:class:`ModelMismatchError`).
        OSError: If a file is missing, cannot be read or cannot be downloaded
            (:class:`~masklet.checkpoints.download.DownloadError`).
    """
    if not dtype.is_floating_point:
        raise ValueError(f"dtype must be a floating-point type such as torch.float32 or torch.bfloat16, got {dtype}")
    computing = precision_of(precision)
    asked = None if model is None else entry(model).name
    found = locate(source, progress=progress)
    if asked is not None and found.name not in (None, asked):
        raise ModelMismatchError(f"got {os.fspath(source)!r}, which is {found.name}, and model={model!r}: drop one")
    try:
        weights = weight_files.read(found.path)
        made = _assemble(weights, Located(found.path, found.name or asked), image_size, torch.device(device), dtype)
        made.precision = computing
        return to_int8(made) if precision == "int8" else made
    except (WeightFileError, KeyMismatchError, ModelMismatchError) as error:
        if verify(found.path) is False:
            raise WeightFileError(
                f"{error}; the file has changed since it was downloaded (its SHA-256 is no longer that in "
                f"{found.path.name}.sha256): delete it and load {found.path.stem!r} again to download it anew"
            ) from error
        raise


def save(
    model: Sam2, path: str | os.PathLike[str], layout: Layout = "masklet", *, dtype: torch.dtype | None = None
) -> Path:
    """Write a model's weights; the file is complete or absent.

    Args:
        model: The model.
        path: A ``.safetensors``, ``.pt`` or ``.pth`` file, or, for the ``transformers`` layout, a folder that
            ``Sam2VideoModel.from_pretrained`` reads; a folder's name may have dots. Missing folders are made.
        layout: Whose names the tensors get.
        dtype: What to store; None: as they are.

    Raises:
        ValueError: If the path ends as another kind of file, or the model has parts that the layout has no names for.
        OSError: If the file cannot be written.

    Returns:
        The path written.
    """
    target = Path(path).expanduser()
    if layout not in ("masklet", "official", "transformers"):
        raise ValueError(f"layout must be 'masklet', 'official' or 'transformers', got {layout!r}")
    file_like = target.suffix.lower() in (*SUFFIXES, *_OTHER_KINDS)
    folder = layout == "transformers" and (target.is_dir() or not file_like)
    if not folder and (target.is_dir() or target.suffix not in SUFFIXES):
        raise ValueError(f"got {str(target)!r}; expected a file that ends in {', '.join(SUFFIXES)}")
    state = {key: value.detach().to(dtype=dtype) for key, value in model.state_dict().items()}
    named = to_layout(state, layout)
    text = config_text.write(model.config)
    if not folder:
        weight_files.write(target, named, text)
        return target
    stored = str(next(iter(state.values())).dtype).removeprefix("torch.")
    description = transformers_config(model.config) | {"dtype": stored}
    weight_files.write(target / "model.safetensors", named, text)
    write_bytes(target / "config.json", (json.dumps(description, indent=2, sort_keys=True) + "\n").encode())
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
    config, doubt = _configuration(weights, layout, found)
    with _Unfilled():
        model = build(with_image_size(config, image_size))
    if problems := _differences(weights.state, to_layout(model.state_dict(), layout), layout):
        name = config_text.name_of(config)
        head = f"its keys ({layout} layout) do not fit {name or 'its configuration'}"
        advice = "get a complete file of this model"
        if doubt is not None:
            head = f"{doubt}; closest is {name} ({layout} layout)"
            advice = "get a complete file, or give the name of the model that it should hold to compare it with that"
        raise KeyMismatchError(f"{path}: {head}: {'; '.join(problems)}; {advice}")
    try:
        state = from_layout(weights.state, layout)
    except KeyMismatchError as error:
        raise KeyMismatchError(f"{path}: {error}") from error
    model.load_state_dict({key: value.to(device, dtype, copy=True) for key, value in state.items()}, assign=True)
    return model


def _configuration(weights: Weights, layout: Layout, found: Located) -> tuple[ModelConfig, str | None]:
    """From the file's own text, which says more than shapes can; else from its shapes.

    Where shapes do not tell, it is that of the model asked for, so that the error to come names what is missing; else
    that of the closest model, together with the reason why they do not.
    """
    asked = found.name
    shapes = {our_name(key, layout) or key: tuple(value.shape) for key, value in weights.state.items()}
    try:
        config = CONFIGS[infer(shapes)] if weights.config is None else config_text.read(weights.config)
    except ValueError as error:
        if weights.config is not None:
            raise WeightFileError(f"{found.path}: {error}") from error
        possible = [
            key for key, known in CONFIGS.items() if layout == "masklet" or isinstance(known.trunk, HieraConfig)
        ]
        if asked is None:
            return CONFIGS[closest(shapes, possible)], str(error)
        if asked not in possible:
            raise ModelMismatchError(
                f"{found.path}: got a file in the {layout} layout, expected {asked}, which has no names there; "
                f"give a file of {asked}, or no model"
            ) from error
        return CONFIGS[asked], None
    held = config_text.name_of(config)
    if asked is not None and held != asked:
        raise ModelMismatchError(
            f"{found.path}: got {_describe(held, config)}, expected {_describe(asked, CONFIGS[asked])}; "
            f"load the file by its path with {'no model' if held is None else f'model={held!r}'}, or put one of "
            f"{asked} in its place"
        )
    return config, None


def _describe(name: str | None, config: ModelConfig) -> str:
    return f"{name or 'a model without a name'} (SAM {config.version})"


def _refuse_image_part(state: Mapping[str, Tensor], layout: Layout, path: Path) -> None:
    ours = [our_name(key, layout) or "" for key in state]
    if any(name.startswith(_MEMORY) for name in ours) or not any(name.startswith("mask_decoder.") for name in ours):
        return
    raise KeyMismatchError(
        f"{path}: got the image part of a model alone, as transformers' Sam2Model saves it; masklet loads whole "
        "models, and missing are memory_attention, memory_encoder, the time codes and the object pointers; give the "
        f"whole model (Sam2VideoModel has it), as in {REGISTRY['sam2.1_hiera_tiny'].repository}"
    )


def _differences(state: Mapping[str, Tensor], expected: Mapping[str, Tensor], layout: Layout) -> list[str]:
    """What of the expected tensors a file lacks, has besides or has otherwise, all in the file's own names."""
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
    return problems
