"""The workspace: one folder with the database, the frames and the sessions of an engine.

Files are named by keys that we make, never by what a user calls something.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from ..video.atomic import make_folder, replacing, temporary_beside

_KEY = re.compile(r"[0-9a-f]{8,64}")
_FOLDERS = ("videos", "sessions", "uploads", "exports", "automatic", "jobs")
_SECRET_BYTES = 32


class Workspace:
    """A folder of an engine, made where it is missing.

    Args:
        root: The folder.

    Raises:
        OSError: It cannot be made.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root).absolute()
        for name in _FOLDERS:
            make_folder(self.root / name)

    @property
    def database(self) -> str:
        """URL of the SQLite database."""
        return f"sqlite:///{self.root / 'engine.sqlite'}"

    def secret(self) -> bytes:
        """Random bytes that only this engine knows, made once; nobody but the owner of the folder can read them.

        Raises:
            ValueError: The file was changed.
            OSError: It cannot be made or read.
        """
        path = self.root / "secret"
        if not path.exists():
            temporary = temporary_beside(path)
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(secrets.token_bytes(_SECRET_BYTES))
            with suppress(FileExistsError):  # another process was first
                os.link(temporary, path)
            temporary.unlink()
        found = path.read_bytes()
        if len(found) != _SECRET_BYTES:
            raise ValueError(f"the file 'secret' of the workspace has {len(found)} bytes, expected {_SECRET_BYTES}")
        return found

    def pack(self, video_key: str) -> Path:
        """Frames of a video."""
        return self._file("videos", video_key, ".pack")

    def session(self, session_key: str) -> Path:
        """A session."""
        return self._file("sessions", session_key, ".session")

    def incoming(self, key: str) -> Path:
        """What a user sends, as it comes."""
        return self._file("uploads", key, "")

    def export(self, key: str) -> Path:
        """What a user takes away."""
        return self._file("exports", key, ".zip")

    def exports(self) -> set[str]:
        """Keys of all that users may take away."""
        return {path.stem for path in (self.root / "exports").glob("*.zip") if _KEY.fullmatch(path.stem)}

    def scratch(self, key: str) -> Path:
        """Folder for the files of one try of a job."""
        return self._file("jobs", key, "")

    def scratches(self) -> set[str]:
        """Keys of all these folders."""
        return {path.name for path in (self.root / "jobs").iterdir() if _KEY.fullmatch(path.name)}

    def automatic(self, key: str) -> Path:
        """Folder in which automatic masklets of a video are found."""
        return self._file("automatic", key, "")

    def copy_session(self, key: str, to: str) -> bool:
        """Copy a session, as it is now, even while a worker writes to it; says whether there was one.

        Raises:
            OSError: The copy cannot be written.
            sqlite3.DatabaseError: It is damaged.
        """
        source, target = self.session(key), self.session(to)
        if not source.exists():
            return False
        connected = closing(sqlite3.connect(source, timeout=30))
        with replacing(target) as temporary, connected as one, closing(sqlite3.connect(temporary)) as other:
            one.backup(other)
            other.execute("PRAGMA journal_mode=DELETE")
        return True

    def remove_video(self, video_key: str, session_keys: tuple[str, ...] = ()) -> None:
        """Remove the files of a video and its sessions; what is not there is no error."""
        for path in (self.pack(video_key), self.incoming(video_key)):
            path.unlink(missing_ok=True)
        for key in session_keys:
            for ending in ("", "-wal", "-shm", ".lock"):
                Path(f"{self.session(key)}{ending}").unlink(missing_ok=True)
        shutil.rmtree(self.automatic(video_key), ignore_errors=True)

    def _file(self, folder: str, key: str, ending: str) -> Path:
        if not _KEY.fullmatch(key):
            raise ValueError(f"a key of the workspace is 8 to 64 hexadecimal digits, got {key!r:.80}")
        return self.root / folder / f"{key}{ending}"


def new_key() -> str:
    """A key that nobody can guess."""
    return secrets.token_hex(16)
