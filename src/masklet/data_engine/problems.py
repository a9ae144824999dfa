"""Errors as clients get them: a sentence, a kind and a status, the same on REST and on live connections."""

from __future__ import annotations

import errno
import logging
import math
from collections.abc import Mapping
from typing import Any, Literal

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException

from .errors import Forbidden, LeaseLost, NotFound, NoWorker, Refused
from .headers import SECURITY_HEADERS
from .model_pool import Busy

log = logging.getLogger(__name__)

Kind = Literal[
    "not_found",
    "refused",
    "lease_lost",
    "forbidden",
    "busy",
    "invalid",
    "too_large",
    "unauthenticated",
    "token",
    "rate",
    "failed",
]
ALWAYS = (401, 403, 413, 422, 429, 503)
"""Statuses of errors that any route may answer."""
STATUS: dict[Kind, int] = {
    "not_found": 404,
    "refused": 409,
    "lease_lost": 409,
    "forbidden": 403,
    "busy": 503,
    "invalid": 422,
    "too_large": 413,
    "unauthenticated": 401,
    "token": 401,
    "rate": 429,
    "failed": 500,
}
_MEANING = {
    401: "Sign in first, or bring the start token.",
    403: "Not allowed, or a request that another site made.",
    404: "There is no such thing.",
    405: "Not with this method.",
    409: "The rules of the work forbid it, or the lease is lost.",
    413: "Too large.",
    422: "The request is not well formed.",
    429: "Too many requests.",
    503: "Busy: try again.",
}
FAILED = "the server failed; its log says why"


class Problem(BaseModel):
    """What every error answers."""

    error: str
    kind: Kind


class Rejected(Exception):
    """A request is not answered as it wished.

    Args:
        kind: What clients tell apart.
        sentence: What the user reads.
        retry_after: Seconds after which it is worth another try.
    """

    def __init__(self, kind: Kind, sentence: str, *, retry_after: float | None = None) -> None:
        super().__init__(sentence)
        self.kind: Kind = kind
        self.sentence = sentence
        self.retry_after = retry_after

    @property
    def problem(self) -> Problem:
        """What the client gets."""
        return Problem(error=self.sentence, kind=self.kind)


def rejection(error: BaseException) -> Rejected | None:
    """What a client is told of an error; None: it is a defect of ours, or of the machine."""
    match error:
        case Rejected():
            return error
        case LeaseLost():
            return Rejected("lease_lost", str(error))
        case NoWorker():
            return Rejected("busy", str(error), retry_after=1.0)
        case Refused():
            return Rejected("refused", str(error))
        case NotFound():
            return Rejected("not_found", _text(error))
        case Forbidden():
            return Rejected("forbidden", str(error))
        case Busy():
            return Rejected("busy", str(error), retry_after=1.0)
        case ValidationError() | RequestValidationError():
            return Rejected("invalid", _first_fault(error.errors()))
        case OSError(errno=errno.ENOSPC):
            return Rejected("too_large", "the server's disk is full: tell whoever runs it")
    return None


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route that may answer errors with these statuses."""
    return {status: {"model": Problem, "description": _MEANING[status]} for status in statuses}


def file_of(media_type: str, description: str, *statuses: int) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route that answers with a file (its ``response_class`` is the plain ``Response``)."""
    content = {media_type: {"schema": {"type": "string", "format": "binary"}}}
    return {200: {"description": description, "content": content}, **problems(*statuses)}


def answer(rejected: Rejected, extra: Mapping[str, str] | None = None) -> JSONResponse:
    """The response of a rejected request."""
    headers = dict(extra or {})
    if rejected.retry_after is not None:
        headers["Retry-After"] = str(math.ceil(rejected.retry_after))
    return JSONResponse(rejected.problem.model_dump(), STATUS[rejected.kind], headers)


def add_handlers(app: FastAPI) -> None:
    """Make an app answer its errors so."""
    for kind in (Rejected, Refused, NotFound, Forbidden, Busy, RequestValidationError, OSError):
        app.add_exception_handler(kind, _known)
    app.add_exception_handler(HTTPException, _of_framework)
    app.add_exception_handler(Exception, _failed)


async def _known(request: Request, error: Exception) -> JSONResponse:
    rejected = rejection(error)
    if rejected is None:
        raise error
    return answer(rejected)


async def _of_framework(request: Request, error: Exception) -> JSONResponse:
    """Unknown addresses and methods."""
    assert isinstance(error, HTTPException)
    if isinstance(error.__cause__, Rejected):  # while the body was read
        return answer(error.__cause__)
    status = 422 if error.status_code == 400 else error.status_code
    problem = Problem(error=str(error.detail).lower(), kind="not_found" if status == 404 else "invalid")
    return JSONResponse(problem.model_dump(), status, error.headers)


async def _failed(request: Request, error: Exception) -> JSONResponse:
    """A defect: the framework logs it after this. The outermost answer, so it sets the headers itself."""
    return answer(Rejected("failed", FAILED), SECURITY_HEADERS)


def _first_fault(errors: Any) -> str:
    """Where the first fault is and what it is: never what was sent, which may be a password."""
    first = errors[0]
    where = ".".join(str(part) for part in first["loc"] if part not in ("body", "path", "query", "header"))
    return f"{where or 'the request'}: {first['msg'].lower()}"


def _text(error: NotFound) -> str:
    """A LookupError's sentence, without the quotes of a KeyError."""
    return str(error.args[0]) if error.args else "there is no such thing"
