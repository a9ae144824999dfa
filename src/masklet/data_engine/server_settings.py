"""What a server of the data engine is told when it starts."""

from __future__ import annotations

import ipaddress
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Language = Literal["en", "zh"]
_MOST_DAYS = 36_500


@dataclass(frozen=True)
class ServerSettings:
    """Settings of one server process.

    Attributes:
        workspace: Folder for videos, sessions, exports and, by default, the database.
        database: Address of a database; None: SQLite in the workspace.
        host: Address to listen at.
        port: Port to listen at; 0: any free one.
        accounts: Whether people sign in. Without, whoever has the start token is the admin ``local``.
        known_hosts: Names that browsers may call the server by, besides its address and those of this machine.
        proxies: Addresses and networks of proxies, whose word on who asks, and whether by https, is taken; it always is
            on this machine.
        workers: Model workers that the server starts itself; 0: only such as run elsewhere.
        jobs: Arriving videos, automatic masklets, exports and imports that it works on at a time; 0: none.
        export_days: How long the archives of exports stay, unless somebody keeps one.
        model: Model of new projects.
        language: Language of the page until a user chooses.
        upload_bytes: Largest upload.
        json_bytes: Largest body of any other request, and largest message of a live connection.
        requests_per_second: Of one user, in the long run; bursts may be four times that.
        metrics_token: ``Authorization: Bearer TOKEN`` that reads ``/metrics``; None: admins only.
        start_token: Without accounts, what browsers and programs must know (:mod:`.start_token`); None: nothing, so
            that every user of the machine may do all.

    Raises:
        ValueError: An address that others reach, without accounts; a proxy that is no address; a number out of range.
    """

    workspace: Path
    database: str | None = field(default=None, repr=False)  # it may hold a password
    host: str = "127.0.0.1"
    port: int = 8008
    accounts: bool = False
    known_hosts: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()
    workers: int = 1
    jobs: int = 1
    export_days: float = 7.0
    model: str = "nano"
    language: Language = "en"
    upload_bytes: int = 8_000_000_000
    json_bytes: int = 4_000_000
    requests_per_second: float = 100.0
    metrics_token: str | None = field(default=None, repr=False)
    start_token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not self.accounts and not is_loopback(self.host):
            raise ValueError(
                f"others can reach a server at {self.host}, so people must sign in: pass --accounts, and make them by "
                "`masklet annotate user add NAME --role admin`; or listen at 127.0.0.1"
            )
        if not 0 <= self.port <= 65535:
            raise ValueError(f"got port {self.port}, expected one from 0 to 65535")
        for proxy in self.proxies:
            if not _is_network(proxy):
                raise ValueError(f"got {proxy!r} as a proxy, expected its address, or a network such as 172.30.8.0/24")
        for name in ("workers", "jobs"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be 0 or more, got {getattr(self, name)}")
        if not 0 < self.export_days <= _MOST_DAYS:
            raise ValueError(f"got {self.export_days} days to keep exports, expected more than 0, up to {_MOST_DAYS}")


def metrics_token() -> str | None:
    """``MASKLET_METRICS_TOKEN`` of the environment."""
    return os.environ.get("MASKLET_METRICS_TOKEN") or None


def start_token() -> str:
    """``MASKLET_TOKEN`` of the environment, else a new one."""
    return os.environ.get("MASKLET_TOKEN") or secrets.token_urlsafe(32)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True
