"""From a source (name, Hugging Face id, file, folder) to a weight file on this machine, downloaded where it must be."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from .download import DownloadError, Progress, cache_folder, download, offline, offline_variable
from .registry import REGISTRY, Entry, entry, find

SUFFIXES = (".safetensors", ".pt", ".pth")
_ID = re.compile(r"[\w.-]+/[\w.-]+")
_TRANSFORMERS_FILE = "model.safetensors"


@dataclass(frozen=True)
class Located:
    """A weight file on this machine, and the model that it must hold (None: any)."""

    path: Path
    name: str | None = None


def locate(source: str | os.PathLike[str], *, progress: Progress | None = None) -> Located:
    """The weight file of a name, a Hugging Face id, a file or a folder.

    A name or alias comes first, then what exists on disk, then an id of the form ``owner/repository``. The official id
    of a named model finds its file in our own cache first, as its name finds what Hugging Face's cache holds.

    Raises:
        ValueError: If the source is none of these, or a folder holds no or several weight files.
        OSError: If a file does not exist or cannot be downloaded (:class:`DownloadError`).
    """
    text = os.fspath(source)
    path = Path(text).expanduser()
    named = find(text) if isinstance(source, str) else None
    if named is not None and not text.strip().lower().startswith("facebook/"):
        return Located(weights_of(named, progress=progress), named.name)
    if path.is_dir():
        return Located(_in_folder(path))
    if path.exists():
        return Located(path)
    if isinstance(source, os.PathLike) or path.suffix in SUFFIXES or text.startswith(("/", ".", "~")):
        raise FileNotFoundError(
            f"{text}: no such file or folder; give a .safetensors or .pt file, a folder with one, or one of the names "
            f"{', '.join(REGISTRY)}"
        )
    if _ID.fullmatch(text):
        own = None if named is None else cache_folder() / named.file_name
        file = own if own is not None and own.exists() else _from_hugging_face(text, named)
        return Located(file, None if named is None else named.name)
    return Located(weights_of(entry(text), progress=progress), entry(text).name)


def weights_of(model: Entry, *, progress: Progress | None = None) -> Path:
    """The weight file of a named model: shipped, cached, or downloaded from the official address.

    Raises:
        OSError: If it is missing from the package or cannot be downloaded.
    """
    here = cached(model)
    if here is not None:
        return here
    if model.url is None:
        raise FileNotFoundError(
            f"the weights of {model.name} are missing from this installation (expected {shipped_file(model)}): install "
            "masklet again, or train them in a checkout"
        )
    return download(model.url, cache_folder() / model.file_name, progress=progress)


def cached(model: Entry) -> Path | None:
    """Where the weights of a named model are on this machine; None when they are not."""
    if model.shipped:
        path = shipped_file(model)
        return path if path.exists() else None
    path = cache_folder() / model.file_name
    if path.exists():
        return path
    if model.repository is None:
        return None
    return _in_hugging_face_cache(model.repository, (model.file_name, _TRANSFORMERS_FILE))


def shipped_file(model: Entry) -> Path:
    """Where the package keeps the weights of a shipped model."""
    return Path(str(resources.files("masklet"))) / "weights" / model.file_name


def _in_folder(folder: Path) -> Path:
    preferred = folder / _TRANSFORMERS_FILE
    if preferred.exists():
        return preferred
    files = sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES)
    if len(files) == 1:
        return files[0]
    got = "several weight files (" + ", ".join(path.name for path in files) + ")" if files else "no weight file"
    if list(folder.glob("*.index.json")):
        got += ", but the index of a model in several parts"
    raise ValueError(
        f"{folder}: got {got}; expected {_TRANSFORMERS_FILE} or one .safetensors or .pt file: give the file"
    )


def _from_hugging_face(repository: str, known: Entry | None) -> Path:
    from huggingface_hub import constants, hf_hub_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    unreachable: Exception | None = None
    names = _file_names(repository, known)
    for name in names:
        try:
            return Path(hf_hub_download(repository, name, local_files_only=offline() or unreachable is not None))
        except LocalEntryNotFoundError as error:  # neither cached nor to be had; another name may be cached
            unreachable = error
        except EntryNotFoundError:
            continue
        except GatedRepoError as error:
            raise DownloadError(
                f"{repository}: access must be asked for on its Hugging Face page; then set HF_TOKEN or run "
                "`hf auth login`"
            ) from error
        except RepositoryNotFoundError as error:
            raise DownloadError(
                f"{repository}: no such Hugging Face repository, or it is private and HF_TOKEN does not open it"
            ) from error
        except HfHubHTTPError as error:
            raise DownloadError(f"{repository}: {error}") from error
    if unreachable is None:
        raise DownloadError(
            f"{repository}: got a repository without any of {', '.join(names)}; give a weight file's path"
        )
    why = "cannot be reached"
    if offline():
        why = f"the network is off ({offline_variable()} is set): unset it"
    raise DownloadError(
        f"{repository}: {names[0]} is not in the cache ({constants.HF_HUB_CACHE}) and {why}; or download the "
        "repository elsewhere and give its folder"
    ) from unreachable


def _in_hugging_face_cache(repository: str, names: tuple[str, ...]) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    for name in names:
        path = try_to_load_from_cache(repository, name)
        if isinstance(path, str):
            return Path(path)
    return None


def _file_names(repository: str, known: Entry | None) -> tuple[str, ...]:
    tail = repository.split("/")[1]
    own = (known.file_name,) if known else (f"{tail}.safetensors", f"{tail}.pt", f"{tail.replace('-', '_')}.pt")
    return (_TRANSFORMERS_FILE, *dict.fromkeys(own))
