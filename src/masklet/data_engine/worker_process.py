"""The process of a model worker: ``python -m masklet.data_engine.worker_process --workspace DIR``.

Secrets come by the environment, where other users of the machine cannot read them: ``MASKLET_WORKER_TOKEN``, else what
follows from the secret of the workspace, and ``MASKLET_DATABASE``, else the workspace's own SQLite.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import secrets
import signal
import sys
from functools import partial
from pathlib import Path
from threading import Thread

import torch

from ..checkpoints.load import load
from .database import Database
from .model_worker import ModelWorker
from .worker_token import DATABASE, TOKEN, worker_token
from .workspace import Workspace

log = logging.getLogger(__name__)


def run_worker(
    workspace: Path,
    database: str | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    address: str | None = None,
    device: str = "cpu",
    threads: int | None = None,
    worker_id: str | None = None,
    most_sessions: int = 32,
    with_parent: bool = False,
) -> None:
    """Host sessions until SIGTERM or SIGINT; then all of them are saved.

    Args:
        workspace: Folder with frames and sessions.
        database: URL; None: of the environment, else the workspace's own.
        host: Address to listen on.
        port: Port; 0: a free one.
        address: Where servers reach it, as ``ws://10.0.0.5:9001``; None: by host and port.
        device: Where models compute.
        threads: Threads of torch on a CPU; None: as it sees fit.
        worker_id: Name of the worker; None: a new one.
        most_sessions: Sessions open at a time.
        with_parent: End when the standard input does, that is with the process that holds it.
    """
    folder = Workspace(workspace)
    token = os.environ.pop(TOKEN, None) or worker_token(folder.secret())
    store = Database(database or os.environ.pop(DATABASE, None) or folder.database)
    if threads is not None:
        torch.set_num_threads(threads)
    worker_id = worker_id or secrets.token_hex(8)

    async def serve() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for one in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(one, stop.set)
        if with_parent:
            Thread(target=_wait_for_end, args=(loop, stop), daemon=True).start()
        worker = ModelWorker(folder, store, worker_id, token, partial(load, device=device), most_sessions)
        await worker.serve(stop, host, port, address, partial(log.info, "model worker %s at %s", worker_id))

    try:
        asyncio.run(serve())
    finally:
        store.close()


def _wait_for_end(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    loop.call_soon_threadsafe(stop.set)


def main() -> None:
    """Run a worker as the command line says."""
    parser = argparse.ArgumentParser(prog="masklet.data_engine.worker_process")
    parser.add_argument("--workspace", type=Path, required=True)
    parser.add_argument("--database")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--address")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--worker-id")
    parser.add_argument("--most-sessions", type=int, default=32)
    parser.add_argument("--with-parent", action="store_true")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    run_worker(**vars(parser.parse_args()))


if __name__ == "__main__":
    main()
