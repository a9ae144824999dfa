"""A server of the data engine as a process of its own, for benchmarks: started, killed, and started again."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

from masklet.data_engine.start_token import address_with


class EngineProcess:
    """``masklet annotate`` on a free port of this machine.

    Args:
        workspace: Its folder; what it says goes to ``server.log`` there.
        database: URL of its database; None: SQLite in the workspace.
        workers: Model workers.
        accounts: Whether people sign in.
        model: Model of projects.

    Attributes:
        url: Where it answers.
        address: The same with its start token, for clients.
    """

    def __init__(
        self,
        workspace: Path,
        *,
        database: str | None = None,
        workers: int = 1,
        accounts: bool = False,
        model: str = "nano",
    ) -> None:
        self.workspace = workspace
        self._port = _free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        token = secrets.token_urlsafe(32)  # of its own: it goes on after a kill
        self.address = self.url if accounts else address_with(self.url, token)
        self._environment = {**os.environ, "MASKLET_TOKEN": token}
        command = [sys.executable, "-m", "masklet.cli.main", "annotate", "--workspace", str(workspace)]
        command += ["--port", str(self._port), "--workers", str(workers), "--model", model, "--no-browser"]
        self._command = command + (["--accounts"] if accounts else [])
        self._database = [] if database is None else ["--database", database]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; ``ready`` waits until it answers."""
        self.workspace.mkdir(parents=True, exist_ok=True)
        with (self.workspace / "server.log").open("ab") as log:
            command = self._command + self._database
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, start_new_session=True, env=self._environment
            )

    async def ready(self, within: float = 120.0) -> None:
        """Wait until it and a worker are there."""
        assert self._process is not None
        started = time.monotonic()
        async with httpx.AsyncClient() as client:
            while time.monotonic() - started < within:
                if self._process.poll() is not None:
                    raise RuntimeError(
                        f"the server ended with {self._process.returncode}: see {self.workspace}/server.log"
                    )
                try:
                    if (await client.get(f"{self.url}/api/health")).status_code == 200:
                        return
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.2)
        raise RuntimeError(f"the server was not ready within {within:.0f} s: see {self.workspace}/server.log")

    def workers(self) -> list[int]:
        """Processes of its model workers."""
        assert self._process is not None
        return [pid for pid in _children(self._process.pid) if "worker_process" in _command_line(pid)]

    def kill_worker(self, pid: int) -> None:
        """Kill one of them at once."""
        if pid in self.workers():
            os.kill(pid, signal.SIGKILL)

    def kill(self) -> None:
        """Kill the server at once; its workers end by themselves."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """Stop it in order."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(60)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def processor_seconds(self) -> dict[int, float]:
        """Processor time so far of the server, its workers and what else it started, by process."""
        assert self._process is not None
        pids = [self._process.pid, *_children(self._process.pid)]
        return {pid: _processor_seconds(pid) for pid in pids}


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(one) for one in path.read_text().split()]
        except OSError:
            continue
    return found + [grandchild for child in found for grandchild in _children(child)]


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def _processor_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
