"""The project of whoever sits at their own machine, and files of it that become its videos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from ..data.frames import MOVIES
from .database import Database, Db
from .job_queue import add_job
from .projects import add_project, add_video, videos_of
from .schema import Phase, Project
from .workspace import Workspace, new_key

NAME = "Local"


@dataclass(frozen=True)
class Brought:
    """What was brought in.

    Attributes:
        added: Names of videos whose frames a server will read now.
        known: Names of videos that the project has already; nothing was done about these.
    """

    added: tuple[str, ...]
    known: tuple[str, ...]


def local_project(db: Db, phase: Phase, model: str, every: int) -> Project:
    """The local project; made with these settings if there is none yet: one person tracks and verifies."""
    row = db.scalar(select(Project).where(Project.name == NAME))
    if row is not None:
        return row
    return add_project(db, NAME, phase, model, every, {"stages": ["track", "verify"], "own_review": True})


def bring_in(database: Database, workspace: Workspace, project_id: int, paths: Sequence[Path]) -> Brought:
    """Make videos of movies, images, zip archives and folders of images; a folder of movies is all of its movies.

    Files are not copied: until their frames were read a link in the workspace leads to them.

    Raises:
        FileNotFoundError: There is no such file or folder.
    """
    sources = [source for path in paths for source in _sources(path)]
    known = {video.name for video in database.run(videos_of, project_id)}
    added, there = [], []
    for source in sources:
        if source.name in known:
            there.append(source.name)
            continue
        key = new_key()
        workspace.incoming(key).symlink_to(source)
        database.run(_add, project_id, source.name, key)
        known.add(source.name)
        added.append(source.name)
    return Brought(tuple(added), tuple(there))


def _sources(path: Path) -> list[Path]:
    path = path.expanduser().resolve()
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder")
    movies = sorted(one for one in path.iterdir() if one.suffix.lower() in MOVIES) if path.is_dir() else []
    return movies or [path]


def _add(db: Db, project_id: int, name: str, key: str) -> None:
    video = add_video(db, project_id, name, key)
    add_job(db, project_id, "ingest", {}, video.id)
