"""`masklet doctor`: what this installation runs on, for its owner and for bug reports."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from importlib import resources
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import NamedTuple

from .. import __version__


class Fact(NamedTuple):
    """One row of the report; ``missing`` marks what masklet cannot work without."""

    group: str
    name: str
    value: str
    missing: bool = False


def doctor() -> int:
    """Show versions, devices, kernels and folders; fails when a required package is missing."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    facts = [*host(), *packages()]
    if not any(fact.missing for fact in facts):
        facts += [*compute(), *storage()]
    table = Table("", "", "", show_header=False, box=None, pad_edge=False)
    shown = None
    for fact in facts:
        group = "" if fact.group == shown else f"[bold]{fact.group}[/]"
        table.add_row(group, escape(fact.name), escape(fact.value), style="red" if fact.missing else None)
        shown = fact.group
    Console(highlight=False).print(table)
    return int(any(fact.missing for fact in facts))


def host() -> Iterator[Fact]:
    """The interpreter and the machine under it."""
    yield Fact("host", "masklet", __version__)
    yield Fact("host", "python", f"{platform.python_version()} ({sys.executable})")
    yield Fact("host", "system", platform.platform())
    yield Fact("host", "processors", str(os.cpu_count()))


def packages() -> Iterator[Fact]:
    """The installed version of everything that masklet's own metadata asks for."""
    try:
        wanted = requires("masklet") or []
    except PackageNotFoundError:
        yield Fact("packages", "masklet", "runs from a folder, not installed: pip install -e . there", missing=True)
        return
    for line in wanted:
        name = re.split(r"[^\w.-]", line, maxsplit=1)[0]
        extra = re.search(r"extra == ['\"]([\w-]+)['\"]", line)
        if extra and extra.group(1) == "dev":
            continue
        label = f"{name} [{extra.group(1)}]" if extra else name
        try:
            yield Fact("packages", label, version(name))
        except PackageNotFoundError:
            target = f"'masklet[{extra.group(1)}]'" if extra else "masklet"
            yield Fact("packages", label, f"not installed: pip install {target}", missing=extra is None)


def compute() -> Iterator[Fact]:
    """Devices that torch sees, its threads, and the attention kernels it may choose from."""
    import torch

    yield Fact("compute", "cpu", f"{torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads")
    for index in range(torch.cuda.device_count()):
        device = torch.cuda.get_device_properties(index)
        yield Fact("compute", f"cuda:{index}", f"{device.name}, {device.total_memory / 2**30:.1f} GiB")
    if torch.backends.mps.is_available():
        yield Fact("compute", "mps", "available")
    libraries = {
        "mkl": torch.backends.mkl.is_available(),
        "onednn": torch.backends.mkldnn.is_available(),
        "openmp": torch.backends.openmp.is_available(),
        "cudnn": torch.backends.cudnn.is_available(),
    }
    yield Fact("compute", "libraries", ", ".join(name for name, there in libraries.items() if there) or "none")
    if torch.cuda.is_available():
        kernels = {
            "flash": torch.backends.cuda.flash_sdp_enabled(),
            "memory-efficient": torch.backends.cuda.mem_efficient_sdp_enabled(),
            "math": torch.backends.cuda.math_sdp_enabled(),
        }
        yield Fact("compute", "attention", ", ".join(name for name, there in kernels.items() if there) or "none")


def storage() -> Iterator[Fact]:
    """Where weights come from, whether they are as downloaded, and whether H.264 can be written."""
    from huggingface_hub import constants

    from ..checkpoints.available import available
    from ..checkpoints.download import cache_folder, offline_variable, verify

    for name, folder in (("cache", cache_folder()), ("Hugging Face cache", Path(constants.HF_HUB_CACHE))):
        yield Fact("storage", name, f"{folder} ({_room(folder)})")
    variable = offline_variable()
    yield Fact("storage", "offline mode", "off" if variable is None else f"on: {variable} is set")
    for row in available():
        if row.state == "cached" and row.path is not None:
            changed = verify(row.path) is False
            state = f"changed since its download: delete {row.path} and load it again" if changed else "cached"
            yield Fact("storage", row.entry.name, state)
    shipped = resources.files("masklet") / "weights"
    entries = shipped.iterdir() if shipped.is_dir() else ()
    names = sorted(entry.name for entry in entries if entry.name.endswith(".safetensors"))
    yield Fact("storage", "shipped weights", ", ".join(names) or "none")
    writers = [name for name in ("libx264", "libopenh264", "h264_videotoolbox", "h264_nvenc") if _encodes(name)]
    yield Fact("storage", "H.264 encoders", ", ".join(writers) or "none: overlays cannot be written as video")


def _room(folder: Path) -> str:
    """Free space and permission at the nearest folder that exists."""
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    free = f"{shutil.disk_usage(nearest).free / 2**30:.1f} GiB free"
    return free if os.access(nearest, os.W_OK) else f"{free}, not writable"


def _encodes(name: str) -> bool:
    import av
    from av.codec.codec import UnknownCodecError

    try:
        return av.Codec(name, "w").is_encoder
    except UnknownCodecError:
        return False
