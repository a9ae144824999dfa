"""``masklet annotate user``: accounts, from the machine of the server."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from getpass import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from .annotate import WORKSPACE, private_folder

if TYPE_CHECKING:
    from ..data_engine.database import Db


@dataclass(frozen=True)
class Add:
    """Make an account. Its password is asked for, or read from the first line of standard input."""

    name: Annotated[str, tyro.conf.Positional]
    """Name to sign in with."""
    role: Literal["annotator", "verifier", "admin"]
    """annotator: selects and tracks; verifier: judges; admin: all, and manages."""
    workspace: Path = WORKSPACE
    """Folder of the server."""
    database: str | None = None
    """Address of the database; by default MASKLET_DATABASE in the environment, or the workspace's own."""


@dataclass(frozen=True)
class Password:
    """Give an account another password, asked for in the same way; whoever is signed in with it is signed out."""

    name: Annotated[str, tyro.conf.Positional]
    """Name of the account."""
    workspace: Path = WORKSPACE
    """Folder of the server."""
    database: str | None = None
    """Address of the database; by default MASKLET_DATABASE in the environment, or the workspace's own."""


def user(
    command: Annotated[
        Annotated[Add, tyro.conf.subcommand("add")] | Annotated[Password, tyro.conf.subcommand("password")],
        tyro.conf.arg(name=""),
    ],
) -> int:
    """Accounts of masklet annotate --accounts, from the machine of the server."""
    from ..data_engine.database import Database
    from ..data_engine.workspace import Workspace

    password = _password()
    private_folder(command.workspace.expanduser())
    workspace = Workspace(command.workspace.expanduser())
    store = Database(command.database or os.environ.get("MASKLET_DATABASE") or workspace.database)
    try:
        store.upgrade()
        if isinstance(command, Add):
            store.run(_add, command, password)
        else:
            store.run(_change, command, password)
    finally:
        store.close()
    print(f"{command.name} can sign in")
    return 0


def _add(db: Db, command: Add, password: str) -> None:
    from ..data_engine import accounts, audit

    made = accounts.add_user(db, command.name, password, command.role)
    audit.record(db, None, "", "add_user", f"{made.name} ({made.role}), on the server's machine")


def _change(db: Db, command: Password, password: str) -> None:
    from ..data_engine import accounts, audit

    names = {one.name: one.id for one in accounts.users(db)}
    if command.name not in names:
        raise LookupError(f"there is no account {command.name!r}: there are {', '.join(names) or 'none'}")
    accounts.change_user(db, names[command.name], password=password)
    audit.record(db, None, "", "change_user", f"{command.name}: password, on the server's machine")


def _password() -> str:
    """From whoever types, twice, or from a pipe.

    Raises:
        ValueError: The two differ.
    """
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass("password: ")
    if getpass("again: ") != first:
        raise ValueError("the two passwords differ: try again")
    return first
