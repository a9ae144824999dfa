"""``masklet annotate worker``: a model worker for a server elsewhere."""

from __future__ import annotations

from pathlib import Path

from .annotate import WORKSPACE
from .compute import check_compute


def worker(
    workspace: Path = WORKSPACE,
    database: str | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    address: str | None = None,
    device: str = "cpu",
    threads: int | None = None,
) -> int:
    """Host model sessions for the servers of a workspace, until Ctrl-C; then all of them are saved.

    Args:
        workspace: Folder of the servers, which this machine must see too.
        database: Address of their database; by default MASKLET_DATABASE in the environment, or the workspace's own.
        host: Address to listen at; servers must reach it.
        port: Port to listen at; 0: any free one.
        address: Where servers reach it, as ws://10.0.0.5:9001; by default by --host and --port.
        device: cpu, cuda, mps.
        threads: Threads of torch on a CPU.
    """
    from ..data_engine.worker_process import run_worker

    check_compute(device, None)
    run_worker(workspace.expanduser(), database, host=host, port=port, address=address, device=device, threads=threads)
    return 0
