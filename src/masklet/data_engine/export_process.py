"""The process that exports; see :mod:`~masklet.data_engine.export_job`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import cv2

from .child import requested, say
from .database import Database
from .exports import export_project
from .workspace import Workspace


def main() -> None:
    """Export what the request asks for."""
    request = requested()
    cv2.setNumThreads(1)
    database = Database(request["database"])
    try:
        exported = export_project(
            database,
            Workspace(request["workspace"]),
            request["project"],
            request["format"],
            Path(request["out"]),
            lambda share: say(progress=share),
            which=request["which"],
        )
    except (ValueError, LookupError) as error:
        say(error=str(error).replace(request["workspace"], "…"))
    else:
        say(done=asdict(exported))
    finally:
        database.close()


if __name__ == "__main__":
    main()
