"""A PostgreSQL server of one's own on the loopback address, where its programs are installed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy

NEEDED = ("initdb", "pg_ctl")


def programs() -> Path | None:
    """The folder of PostgreSQL's programs: of the search path, or the newest one of Debian."""
    places = [Path(found).parent for found in [shutil.which("initdb")] if found]
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)
    usable = [place for place in places if all((place / name).exists() for name in NEEDED)]
    root = os.geteuid() == 0  # PostgreSQL refuses to run as root
    return usable[0] if usable and (not root or shutil.which("runuser") is not None) else None


@contextmanager
def postgres_server(sync: bool = False, connections: int = 200) -> Iterator[str]:
    """Run a server with an empty database; gives its URL.

    Args:
        sync: Whether it waits for the disk, as a real one does.
        connections: How many it takes.
    """
    found = programs()
    assert found is not None
    folder = Path(tempfile.mkdtemp(prefix="masklet-postgres-", dir="/tmp"))
    as_owner: list[str] = []
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
        as_owner = ["runuser", "-u", "postgres", "--"]
    data, log = folder / "data", folder / "log"
    port = free_port()

    def run(*command: str | Path) -> None:
        done = subprocess.run([*as_owner, *command], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr + (log.read_text() if log.exists() else "")

    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder}"
    options += f" -c max_connections={connections} -c shared_buffers=32MB -c fsync={'on' if sync else 'off'}"
    try:
        run(found / "initdb", "-D", data, "-U", "masklet", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        with open(os.devnull, "wb") as nothing:  # pipes would be kept open by the server
            start = [*as_owner, found / "pg_ctl", "-D", data, "-l", log, "-o", options, "-w", "-s", "start"]
            subprocess.run(start, cwd=folder, stdout=nothing, stderr=nothing, check=True)
        try:
            yield f"postgresql://masklet@127.0.0.1:{port}/postgres"
        finally:
            run(found / "pg_ctl", "-D", data, "-m", "immediate", "-s", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def new_database(url: str, name: str) -> str:
    """Make another database in a server, anew if there is one of this name; gives its URL."""
    address = sqlalchemy.make_url(url).set(drivername="postgresql+psycopg")
    engine = sqlalchemy.create_engine(address, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        connection.exec_driver_sql(f'CREATE DATABASE "{name}"')
    engine.dispose()
    return address.set(drivername="postgresql", database=name).render_as_string(hide_password=False)


def free_port() -> int:
    """A port of the loopback address that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]
