"""Worker processes of this machine: started, and started again when they die."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from .worker_token import DATABASE, TOKEN
from .workspace import Workspace

log = logging.getLogger(__name__)

_SOON, _LATE, _LIVED = 0.1, 5.0, 60.0
"""A worker that died is started again after so many seconds, each time twice as many if it keeps dying early."""
_PATIENCE = 20.0
"""Seconds that workers may take to save everything when they are stopped."""


class LocalWorkers:
    """A number of worker processes; they end with this process, however that ends.

    Args:
        workspace: Folder with frames and sessions.
        database: URL of the database.
        token: What servers show to workers.
        count: How many.
        device: Where models compute.
        threads: Threads of torch of each on a CPU; None: as it sees fit.
        on_death: Called with the name of a worker that is no more.
    """

    def __init__(
        self,
        workspace: Workspace,
        database: str,
        token: str,
        count: int,
        device: str,
        threads: int | None,
        on_death: Callable[[str], Awaitable[None]],
    ) -> None:
        self._command = [sys.executable, "-m", "masklet.data_engine.worker_process", "--with-parent"]
        self._command += ["--workspace", str(workspace.root), "--device", device]
        self._command += [] if threads is None else ["--threads", str(threads)]
        self._environment = {**os.environ, TOKEN: token, DATABASE: database}
        self._count, self._on_death = count, on_death
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()
        self.processes: dict[str, asyncio.subprocess.Process] = {}

    def start(self) -> None:
        """Start them; they announce themselves when they are ready."""
        self._tasks = [asyncio.create_task(self._keep()) for _ in range(self._count)]

    async def stop(self) -> None:
        """Let them save everything, and end them."""
        self._stopping.set()
        for process in self.processes.values():
            if process.stdin is not None:
                process.stdin.close()
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=_PATIENCE)
        for process in list(self.processes.values()) if late else ():
            log.warning("model worker %s does not end, it is killed", process.pid)
            process.kill()
        if late:
            await asyncio.wait(late)

    def kill(self, name: str) -> None:
        """Kill a worker that does not answer, if it is one of these; another one takes its place."""
        process = self.processes.get(name)
        if process is not None and process.returncode is None:
            log.warning("model worker %s does not answer, it is killed", name)
            process.kill()

    async def _keep(self) -> None:
        wait = _SOON
        while not self._stopping.is_set():
            began = time.monotonic()
            await self._live()
            wait = _SOON if time.monotonic() - began > _LIVED else min(_LATE, 2 * wait)
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), wait)

    async def _live(self) -> None:
        """From birth to death of one process."""
        name = secrets.token_hex(8)
        process = await asyncio.create_subprocess_exec(
            *self._command,
            "--worker-id",
            name,
            stdin=asyncio.subprocess.PIPE,
            env=self._environment,
            start_new_session=True,  # Ctrl-C in a terminal is for the server, which ends them in order
        )
        self.processes[name] = process
        try:
            if self._stopping.is_set() and process.stdin is not None:
                process.stdin.close()
            code = await process.wait()
            if not self._stopping.is_set():
                log.warning("model worker %s ended with %s", name, code)
        finally:
            del self.processes[name]
            await self._on_death(name)
