"""Who may write to a session: one process at a time, however the processes die."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

_BETWEEN = 0.05  # seconds between two tries


class SessionLock:
    """Holds the lock of a session file until it is closed; the system gives back that of a process that died.

    Args:
        path: The session.
        patience: Seconds to wait for a process that is about to close it.

    Raises:
        BlockingIOError: Another process has it.
        OSError: The file of the lock cannot be made.
    """

    def __init__(self, path: Path, patience: float = 5.0) -> None:
        self._descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    os.close(self._descriptor)
                    raise
                time.sleep(_BETWEEN)
            else:
                return

    def close(self) -> None:
        """Give it back."""
        os.close(self._descriptor)
