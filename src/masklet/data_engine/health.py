"""Whether the server can do its work, as anybody may ask as often as they like."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from threading import Lock

from pydantic import BaseModel
from sqlalchemy.exc import DBAPIError

from .. import __version__
from .database import Database
from .workers import alive

EVERY = 1.0
"""Seconds for which an answer is good."""
LONGEST = 10.0
"""Seconds after which a database that has not answered counts as gone."""


class Health(BaseModel):
    """Whether the database answers, and how many model workers are alive."""

    ok: bool
    database: bool
    workers: int
    version: str


_GONE = Health(ok=False, database=False, workers=0, version=__version__)


class HealthCheck:
    """Looks when it is asked, one at a time and once a second; who asks meanwhile hears what was found last.

    Args:
        database: The tables.
        clock: Seconds; of tests.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database, self._clock = database, clock
        self._found, self._since = _GONE, -math.inf
        self._looking = Lock()

    def __call__(self) -> Health:
        """What is so now, or was a moment ago."""
        if self._looking.acquire(blocking=False):
            try:
                if self._clock() - self._since >= EVERY:
                    self._found = self._look()
                    self._since = self._clock()
            finally:
                self._looking.release()
        return self._found if self._clock() - self._since < LONGEST else _GONE

    def _look(self) -> Health:
        try:
            self._database.check()
            with self._database.reading() as db:
                workers = len(alive(db))
        except (DBAPIError, RuntimeError):
            return _GONE
        return Health(ok=workers > 0, database=True, workers=workers, version=__version__)
