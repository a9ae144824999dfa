"""``masklet annotate``: the data engine in a browser, alone or for a team."""

from __future__ import annotations

import os
import threading
import time
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from .output_folder import check_folder

if TYPE_CHECKING:
    from socket import socket

    from ..data_engine.server_settings import ServerSettings

WORKSPACE = Path("masklet_workspace")
_CLOSING = 5  # seconds that open connections may take


def annotate(
    videos: Annotated[list[Path], tyro.conf.Positional, tyro.conf.arg(metavar="VIDEO_OR_FOLDER")] = [],  # noqa: B006
    /,
    workspace: Path = WORKSPACE,
    host: str = "127.0.0.1",
    port: int = 8008,
    database: str | None = None,
    workers: int = 1,
    jobs: int = 1,
    model: str = "nano",
    phase: Literal[1, 2, 3] = 3,
    every: int = 1,
    accounts: bool = False,
    token: bool = True,
    known_host: Annotated[list[str], tyro.conf.UseAppendAction] = [],  # noqa: B006
    export_days: float = 7.0,
    proxy: Annotated[list[str], tyro.conf.UseAppendAction] = [],  # noqa: B006
    browser: bool = True,
    language: Literal["en", "zh"] = "en",
) -> int:
    """Annotate videos in the browser: click, correct, propagate, verify, export. Ctrl-C stops it; all work is kept.

    See also masklet annotate worker --help and masklet annotate user --help.

    Args:
        videos: Movies, images, zips of images, folders of images or of movies: videos of the project "Local".
        workspace: Folder for everything that is kept; the same one goes on with the work.
        host: Address to listen at. Any other than this machine's own needs --accounts.
        port: Port to listen at; 0: any free one.
        database: postgresql://USER:PASSWORD@HOST/NAME for a team, or in the environment as MASKLET_DATABASE; by default
            an SQLite file in the workspace.
        workers: Model workers to start; 0: only those that masklet annotate worker starts.
        jobs: Arriving videos, automatic masklets, exports and imports that are worked on at a time; 0: none here.
        model: Name or file of the model of new projects.
        phase: Of the project "Local", as in the paper: 1 a mask for every frame, 2 masks propagated, 3 the full model.
        every: Annotate every so many frames of the project "Local".
        accounts: People sign in; make the first admin by masklet annotate user add.
        token: Without accounts: only who has the address that is printed gets in, not every user of this machine. It
            ends with a random token; MASKLET_TOKEN in the environment sets another one.
        known_host: A name by which browsers reach this server, besides its address.
        export_days: Days after which archives of exports are removed; the page can keep one.
        proxy: Address or network of a proxy in front of this server that is not on this machine: whom it names in
            X-Forwarded-For is who asks, and cookies are for https only where it names that in X-Forwarded-Proto.
        browser: Open the page.
        language: Language of the page until a user chooses another one.
    """
    from ..checkpoints.registry import find
    from ..data_engine.server_settings import ServerSettings, metrics_token, start_token

    settings = ServerSettings(
        workspace.expanduser(),
        database or os.environ.get("MASKLET_DATABASE"),
        host,
        port,
        accounts,
        tuple(known_host),
        tuple(proxy),
        workers,
        jobs,
        export_days=export_days,
        model=model if find(model) is not None else _model_file(model),
        language=language,
        metrics_token=metrics_token(),
        start_token=start_token() if token and not accounts else None,
    )
    check_folder(settings.workspace.absolute())
    if every < 1:
        raise ValueError(f"--every must be 1 or more, got {every}")
    with _listening(host, port) as listening:
        _prepare(settings, videos, phase, every)
        _serve(settings, listening, browser)
    return 0


def _model_file(model: str) -> str:
    path = Path(model).expanduser()
    return str(path.absolute()) if path.exists() else model  # else a Hugging Face id


def private_folder(workspace: Path) -> None:
    """Make the folder of a workspace where it is missing; other users of the machine do not get into it."""
    if not workspace.exists():
        workspace.mkdir(mode=0o700, parents=True)


def _prepare(settings: ServerSettings, videos: list[Path], phase: Literal[1, 2, 3], every: int) -> None:
    """Bring the tables up to date and the videos in, and say what else is needed."""
    from ..data_engine.accounts import users
    from ..data_engine.database import Database
    from ..data_engine.local_project import NAME, bring_in, local_project
    from ..data_engine.workspace import Workspace

    private_folder(settings.workspace)
    workspace = Workspace(settings.workspace)
    store = Database(settings.database or workspace.database)
    try:
        store.upgrade()
        if settings.accounts and not store.run(users):
            print("nobody can sign in yet: make an account by `masklet annotate user add NAME --role admin`")
        if not videos and settings.accounts:
            return
        project = store.run(local_project, phase, settings.model, every)
        if (project.phase, project.model, project.every) != (phase, settings.model, every):
            made = f"phase {project.phase}, {project.model}, every {project.every}"
            print(f"project {NAME!r} goes on as it was made: {made}")
        brought = bring_in(store, workspace, project.id, videos)
        for name in brought.known:
            print(f"{name} is in project {NAME!r} already")
    finally:
        store.close()


def _listening(host: str, port: int) -> socket:
    """A socket at the address.

    Raises:
        OSError: That is not possible.
    """
    from socket import AF_INET, AF_INET6, create_server

    try:
        return create_server((host, port), family=AF_INET6 if ":" in host else AF_INET)
    except OSError as error:
        raise OSError(f"cannot listen at {host}, port {port} ({error.strerror}): choose another --port") from error


def _serve(settings: ServerSettings, listening: socket, browser: bool) -> None:
    """Serve until a signal; connections are closed and everything is saved then."""
    import uvicorn

    from ..data_engine.app import create_app
    from ..data_engine.start_token import OpeningFile, address_with

    config = uvicorn.Config(
        create_app(settings),
        log_level="warning",
        access_log=False,
        ws_max_size=settings.json_bytes,
        timeout_graceful_shutdown=_CLOSING,
        server_header=False,
        proxy_headers=False,  # the application reads them
    )
    server = uvicorn.Server(config)
    host: str = listening.getsockname()[0]
    port: int = listening.getsockname()[1]
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    url = f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"
    address = address_with(url, settings.start_token)
    opening = None
    if browser and settings.start_token is not None:
        opening = OpeningFile(settings.workspace / "open.html", address)
    opens = None if not browser else address if opening is None else opening.url
    threading.Thread(target=_announce, args=(server, address, opens), daemon=True).start()
    try:
        server.run(sockets=[listening])
    finally:
        if opening is not None:
            opening.remove()


def _announce(server: object, address: str, opens: str | None) -> None:
    """Say where the page is once it is there, and open it."""
    while not getattr(server, "started", False):
        if getattr(server, "should_exit", False):
            return
        time.sleep(0.05)
    print(f"masklet annotate: {address} (Ctrl-C stops it)", flush=True)
    if opens is not None:
        webbrowser.open(opens)
