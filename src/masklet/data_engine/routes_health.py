"""Whether the server can do its work, and what it counts."""

from __future__ import annotations

import hmac
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from pydantic import BaseModel
from sqlalchemy.exc import DBAPIError

from .. import __version__
from .callers import identify
from .metrics import CONTENT_TYPE
from .problems import ALWAYS, Rejected, file_of
from .serving import Parts
from .workers import alive

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """Whether the database answers, and how many model workers are alive."""

    ok: bool
    database: bool
    workers: int
    version: str


@router.get("/api/health", responses={503: {"model": Health, "description": "It cannot work."}})
def health(response: Response, serving: Parts) -> Health:
    """Ready to work: the database and at least one model worker are there."""
    try:
        serving.database.check()
        workers = len(serving.read(alive))
    except (DBAPIError, RuntimeError):
        response.status_code = 503
        return Health(ok=False, database=False, workers=0, version=__version__)
    response.status_code = 200 if workers else 503
    return Health(ok=workers > 0, database=True, workers=workers, version=__version__)


@router.get("/metrics", response_class=Response, responses=file_of("text/plain", "Prometheus' text.", *ALWAYS))
def metrics(request: Request, serving: Parts, authorization: Annotated[str | None, Header()] = None) -> Response:
    """For Prometheus: for admins and for who has the token of the metrics."""
    token = serving.settings.metrics_token
    bearer = token is not None and hmac.compare_digest((authorization or "").encode(), f"Bearer {token}".encode())
    if not bearer:
        caller = identify(serving, request)
        if caller is None or not caller.may("manage"):
            raise Rejected(
                "unauthenticated", "metrics are for admins and for who has MASKLET_METRICS_TOKEN of the server"
            )
    living = serving.read(alive)
    serving.metrics.workers.set(len(living))
    serving.metrics.waiting.set(sum(worker.waiting for worker in living))
    serving.metrics.sessions.set(sum(worker.sessions for worker in living))
    return Response(serving.metrics.text(), media_type=CONTENT_TYPE)
