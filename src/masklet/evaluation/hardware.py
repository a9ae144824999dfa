"""What a measurement ran on."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Hardware:
    """A processor, a GPU where one was used, and torch.

    Attributes:
        processor: Model of the CPU, or its architecture where the system does not tell the model.
        cores: Cores that this process may use.
        threads: Threads that torch uses on them.
        gpu: Name of the GPU that did the work; None: the CPU did.
        torch: Version of torch.
    """

    processor: str
    cores: int
    threads: int
    gpu: str | None
    torch: str

    def __str__(self) -> str:
        threads = f"{self.threads} torch thread{'s' if self.threads != 1 else ''}"
        parts = [self.processor, f"{self.cores} cores", threads, f"torch {self.torch}"]
        return ", ".join(parts if self.gpu is None else [self.gpu, *parts])


def hardware(device: str = "cpu") -> Hardware:
    """This machine, as a report names it.

    Args:
        device: Where the work is done, as torch calls it: ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
    """
    import torch

    gpu = None
    if device != "cpu":
        gpu = torch.cuda.get_device_name(device) if device.startswith("cuda") else device
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Hardware(_processor(), cores, torch.get_num_threads(), gpu, torch.__version__)


def _processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
