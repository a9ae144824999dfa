from __future__ import annotations

import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from masklet.data_engine.workspace import Workspace, new_key


def test_a_secret_is_made_once_and_is_nobody_elses(tmp_path: Path):
    one, other = Workspace(tmp_path / "a"), Workspace(tmp_path / "b")
    with ThreadPoolExecutor(8) as pool:
        found = {*pool.map(lambda _: Workspace(tmp_path / "a").secret(), range(16))}
    assert found == {one.secret()}
    assert other.secret() not in found
    assert len(one.secret()) == 32
    assert stat.S_IMODE((tmp_path / "a" / "secret").stat().st_mode) == 0o600
    assert not [path for path in (tmp_path / "a").iterdir() if path.name.endswith(".part")]
    (tmp_path / "a" / "secret").write_bytes(b"short")
    with pytest.raises(ValueError, match="5 bytes"):
        one.secret()


@pytest.mark.parametrize("key", ["", "../../etc/passwd", "a" * 7, "A" * 32, "a" * 65, "0123456789/", "01234567\n"])
def test_a_name_is_no_path(tmp_path: Path, key: str):
    workspace = Workspace(tmp_path)
    for place in (
        workspace.pack,
        workspace.session,
        workspace.incoming,
        workspace.export,
        workspace.automatic,
        workspace.scratch,
    ):
        with pytest.raises(ValueError, match="a key of the workspace"):
            place(key)


def test_a_session_is_copied_while_it_is_written(tmp_path: Path):
    workspace, one, other = Workspace(tmp_path), new_key(), new_key()
    assert not workspace.copy_session(one, other)
    writing = sqlite3.connect(workspace.session(one), isolation_level=None)
    writing.execute("PRAGMA journal_mode=WAL")
    writing.execute("CREATE TABLE t (x)")
    writing.execute("INSERT INTO t VALUES (1)")
    writing.execute("BEGIN")
    writing.execute("INSERT INTO t VALUES (2)")
    assert workspace.copy_session(one, other)
    writing.execute("COMMIT")
    assert sqlite3.connect(workspace.session(other)).execute("SELECT x FROM t").fetchall() == [(1,)]
    workspace.remove_video(new_key(), (one, other))
    assert not [*(tmp_path / "sessions").iterdir()]
