"""Weight files: ``.safetensors`` and PyTorch ``.pt``, known by content, read without running code, written whole."""

from __future__ import annotations

import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor

from ..video.atomic import replacing
from . import config_text

_STATES = ("model", "state_dict")  # where a file may keep its tensors
_AGAIN = "download or copy it again"
_WRAPPERS = ("module.", "_orig_mod.")  # what parallel training and compilation put before each key


class WeightFileError(ValueError):
    """A file that is no weight file, or is damaged; the message says what it is and what to do."""


@dataclass(frozen=True)
class Weights:
    """The tensors of a file, in its own names, and the configuration text that it may hold."""

    state: dict[str, Tensor]
    config: str | None = None


def read(path: Path) -> Weights:
    """The tensors of a file, on the CPU and backed by the file: copy them before the file may change.

    Raises:
        WeightFileError: If the file is no weight file, is damaged, or holds anything but tensors.
        OSError: If it cannot be opened.
    """
    if path.exists() and not path.is_file():
        _refuse(path, "something that is no file", "give the file itself")
    with path.open("rb") as file:
        head = file.read(512)
    kind = _recognise(path, head)
    weights = _read_safetensors(path) if kind == "safetensors" else _read_pickled(path)
    state = weights.state
    for wrapper in _WRAPPERS:
        if state and all(key.startswith(wrapper) for key in state):
            state = {key.removeprefix(wrapper): value for key, value in state.items()}
    return Weights(state, weights.config)


def write(path: Path, state: Mapping[str, Tensor], config: str | None) -> None:
    """Write tensors to ``.safetensors``, ``.pt`` or ``.pth``; the file is complete or absent, an older one is replaced.

    Missing parent folders are made.

    Raises:
        OSError: If it cannot be written.
    """
    alone = {key: value.detach().to("cpu").clone(memory_format=torch.contiguous_format) for key, value in state.items()}
    extra = {} if config is None else {config_text.ENTRY: config}
    with replacing(path) as part:
        if path.suffix == ".safetensors":
            from safetensors.torch import save as serialized

            part.write_bytes(serialized(alone, metadata={"format": "pt", **extra}))  # save_file hides it from others
        else:
            try:
                torch.save({"model": alone, **extra}, part)
            except RuntimeError as error:
                raise OSError(str(error)) from error


def _recognise(path: Path, head: bytes) -> str:
    size = path.stat().st_size
    if size == 0:
        _refuse(path, "an empty file", _AGAIN)
    if head[8:9] == b"{":
        length = int.from_bytes(head[:8], "little")
        if 8 + length > size:
            _refuse(path, f"a truncated safetensors file ({size} bytes end inside its header)", _AGAIN)
        return "safetensors"
    if head.startswith(b"PK"):
        if not zipfile.is_zipfile(path):
            _refuse(path, f"a truncated PyTorch file (its {size} bytes have no end record)", _AGAIN)
        return "pickled"
    if head.startswith(b"\x80"):
        return "pickled"
    if head.startswith(b"version https://git-lfs"):
        _refuse(path, "a Git LFS pointer in place of the file", "run `git lfs pull`, or download the file itself")
    if head.lstrip()[:1] == b"<":
        _refuse(path, "a web page", "the download went to an error or login page: fetch the file itself")
    return _refuse(path, f"a file that begins with {head[:8]!r}", "give the weight file itself, unpacked")


def _read_safetensors(path: Path) -> Weights:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            metadata = file.metadata() or {}
            return Weights({key: file.get_tensor(key) for key in file.keys()}, metadata.get(config_text.ENTRY))  # noqa: SIM118
    except SafetensorError as error:
        _refuse(path, f"a truncated or damaged safetensors file ({error})", _AGAIN, error)


def _read_pickled(path: Path) -> Weights:
    mapped = zipfile.is_zipfile(path)  # only files in the zip form can be mapped
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of a pickle protocol that torch itself does not write
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        if named:
            advice = "masklet never runs code from a file: save its state_dict alone and load that"
            _refuse(path, f"pickled Python objects ({named[1]}) besides tensors", advice, error)
        advice = "download it again, or save a state_dict with torch.save and load that"
        _refuse(path, "a pickle that cannot be read as tensors", advice, error)
    except (RuntimeError, EOFError, zipfile.BadZipFile, KeyError, ValueError, AttributeError, IndexError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        _refuse(path, f"a truncated or damaged PyTorch file ({first})", _AGAIN, error)
    return _tensors_of(path, content)


def _tensors_of(path: Path, content: Any) -> Weights:
    expected = "load a file with a state_dict, alone or under 'model'"
    if not isinstance(content, dict):
        _refuse(path, f"a PyTorch file with a {type(content).__name__}", expected)
    inner = next((content[key] for key in _STATES if isinstance(content.get(key), dict)), content)
    others = [str(key) for key, value in inner.items() if not (isinstance(key, str) and isinstance(value, Tensor))]
    if others or not inner:
        held = f"entries that are no tensors ({', '.join(others[:8])})" if others else "no tensors"
        _refuse(path, f"a PyTorch file with {held}", expected)
    text = content.get(config_text.ENTRY) if inner is not content else None
    return Weights(dict(inner), text if isinstance(text, str) else None)


def _refuse(path: Path, got: str, advice: str, cause: BaseException | None = None) -> NoReturn:
    raise WeightFileError(f"{path}: got {got}; expected SAM 2 weights as .safetensors or .pt; {advice}") from cause
