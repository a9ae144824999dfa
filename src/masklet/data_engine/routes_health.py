"""Whether the server can do its work, and what it counts."""

from __future__ import annotations

import hmac
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response

from .callers import identify
from .health import Health
from .metrics import CONTENT_TYPE
from .problems import ALWAYS, Rejected, file_of
from .serving import Parts
from .workers import alive

router = APIRouter(tags=["health"])


@router.get("/api/health", responses={503: {"model": Health, "description": "It cannot work."}})
def health(response: Response, serving: Parts) -> Health:
    """Ready to work: the database and at least one model worker are there."""
    found = serving.health()
    response.status_code = 200 if found.ok else 503
    return found


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
