"""Exports in a process of their own, so that a large one does not slow the requests of people.

What writes them (:mod:`~masklet.data_engine.exports`) is imported there only.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args

from .child import ChildDied, ChildLimits, run_child
from .database import Database
from .finished_masks import Which
from .workspace import Workspace

Format = Literal["sa_v", "davis", "youtube_vis", "coco", "cvat", "label_studio", "overlay"]
FORMATS: tuple[Format, ...] = get_args(Format)
_SECONDS = 7 * 24 * 3600.0


def export_in_process(
    database: Database,
    workspace: Workspace,
    project_id: int,
    format: Format,
    out: Path,
    on_progress: Callable[[float], None] = lambda share: None,
    on_wait: Callable[[], object] = lambda: None,
    *,
    which: Which = "satisfactory",
) -> dict[str, Any]:
    """What :func:`~masklet.data_engine.exports.export_project` does and gives, as a dictionary.

    ``on_wait`` is called now and then while no progress is told; what it or ``on_progress`` raises ends the export.

    Raises:
        ValueError: It cannot be exported; the message is for the user.
        RuntimeError: The process broke down; perhaps it does not the next time.
    """
    request = {"database": database.url, "workspace": str(workspace.root), "project": project_id, "format": format}
    request |= {"out": str(out), "which": which}

    def line(said: dict[str, Any]) -> None:
        if "progress" in said:
            on_progress(said["progress"])

    try:
        limits = ChildLimits(seconds=_SECONDS)
        return run_child("masklet.data_engine.export_process", request, limits, line, on_wait=on_wait)
    except ChildDied as error:
        raise RuntimeError("the process that exports broke down") from error
