"""What a server asks of the model worker that has a session open; refusals become errors."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from .listener import Listener
from .problems import FAILED, Kind, Rejected

_KINDS: dict[str, Kind] = {"not_found": "not_found", "refused": "refused", "busy": "busy"}


@runtime_checkable
class Pool(Protocol):
    """Where sessions are open: see :class:`~.model_pool.ModelPool`."""

    async def start(self) -> None:
        """Begin."""
        ...

    async def stop(self) -> None:
        """End."""
        ...

    async def call(self, session_id: int, message: dict[str, Any]) -> dict[str, Any]:
        """Ask something of a session."""
        ...

    def events(self, session_id: int) -> Listener:
        """What happens in a session."""
        ...


async def ask(pool: Pool, session_id: int, message: dict[str, Any]) -> dict[str, Any]:
    """The worker's answer.

    Raises:
        Rejected: It refused: then nothing was changed; or it failed, and it is not known what was.
        Busy: No worker answers now.
        NotFound: There is no such session.
    """
    reply = await pool.call(session_id, message)
    if reply.get("ok"):
        return reply
    kind = _KINDS.get(reply.get("kind", ""), "failed")
    raise Rejected(kind, FAILED if kind == "failed" else str(reply.get("error")))
