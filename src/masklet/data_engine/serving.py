"""What all requests of a server process share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import BoundedSemaphore
from typing import Annotated, Concatenate, ParamSpec, TypeVar

from fastapi import Depends
from starlette.requests import HTTPConnection

from .database import Database, Db
from .health import HealthCheck
from .job_runner import JobRunner
from .metrics import Metrics
from .open_packs import OpenPacks
from .rate_limits import RateLimit
from .server_settings import ServerSettings
from .session_requests import Pool
from .sign_in_cookie import SignInCookie
from .workspace import Workspace

P = ParamSpec("P")
R = TypeVar("R")

_PASSWORDS_AT_ONCE = 2  # argon2 takes 64 MB and a core each


@dataclass(frozen=True)
class Serving:
    """The parts of a server.

    Attributes:
        settings: What it was told.
        database: The tables.
        workspace: The files.
        pool: The model workers.
        runner: Who works on jobs.
        cookie: Of sign-ins.
        packs: Frames of videos that were asked for lately.
        metrics: What it counts.
        health: Whether all of it works.
        requests: How often a user may ask.
        sign_ins: How often an address may try to sign in; and with one name.
        passwords: Held while a password is checked.
    """

    settings: ServerSettings
    database: Database
    workspace: Workspace
    pool: Pool
    runner: JobRunner
    cookie: SignInCookie
    packs: OpenPacks
    metrics: Metrics
    health: HealthCheck
    requests: RateLimit
    sign_ins: RateLimit = field(default_factory=lambda: RateLimit(0.5, 30))
    sign_ins_of_name: RateLimit = field(default_factory=lambda: RateLimit(0.1, 6))
    passwords: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(_PASSWORDS_AT_ONCE))

    def write(self, function: Callable[Concatenate[Db, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """``function(db, ...)`` in a transaction."""
        return self.database.run(function, *args, **kwargs)

    def read(self, function: Callable[Concatenate[Db, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """``function(db, ...)`` in a transaction that writes nothing."""
        with self.database.reading() as db:
            return function(db, *args, **kwargs)


def serving_of(connection: HTTPConnection) -> Serving:
    """The parts that serve a request or a live connection."""
    return connection.app.state.serving


def address_of(connection: HTTPConnection) -> str:
    """Where it comes from."""
    return "" if connection.client is None else connection.client.host[:60]


Parts = Annotated[Serving, Depends(serving_of)]
