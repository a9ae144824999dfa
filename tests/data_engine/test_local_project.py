from __future__ import annotations

from pathlib import Path

import pytest

from masklet.data_engine.database import Database
from masklet.data_engine.local_project import bring_in, local_project
from masklet.data_engine.workspace import Workspace


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name in ("movies/a.mp4", "movies/b.mp4", "movies/notes.txt", "frames/0.png", "c.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def test_files_become_videos_once(sqlite: Database, files: Path):
    workspace = Workspace(files / "workspace")
    project = sqlite.run(local_project, 3, "nano", 1)
    assert sqlite.run(local_project, 2, "other", 4).id == project.id  # it goes on as it was made
    assert project.settings["stages"] == ["track", "verify"]
    brought = bring_in(sqlite, workspace, project.id, [files / "movies", files / "frames", files / "c.mp4"])
    assert brought.added == ("a.mp4", "b.mp4", "frames", "c.mp4")
    links = sorted(link.resolve().name for link in (workspace.root / "uploads").iterdir())
    assert links == ["a.mp4", "b.mp4", "c.mp4", "frames"]
    again = bring_in(sqlite, workspace, project.id, [files / "c.mp4"])
    assert (again.added, again.known) == ((), ("c.mp4",))


def test_files_that_are_not_there(sqlite: Database, tmp_path: Path):
    project = sqlite.run(local_project, 3, "nano", 1)
    with pytest.raises(FileNotFoundError, match=r"no\.mp4"):
        bring_in(sqlite, Workspace(tmp_path / "workspace"), project.id, [tmp_path / "no.mp4"])
