"""Who makes a request, and whether they may."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Request, Security
from fastapi.security import APIKeyCookie, HTTPBearer
from starlette.requests import HTTPConnection

from . import accounts
from .database import Db
from .permissions import Permission, allowed
from .problems import Rejected
from .schema import Role
from .serving import Parts, Serving, address_of
from .sign_in_cookie import NAME
from .start_token import ASK, bearer, same

CSRF_HEADER = "X-Masklet-CSRF"
_cookie = APIKeyCookie(name=NAME, scheme_name="sign_in", auto_error=False)
_token = HTTPBearer(scheme_name="start_token", auto_error=False)


@dataclass(frozen=True)
class Caller:
    """A user who is signed in, or sits at a server without accounts (``sign_in`` None).

    Attributes:
        id: Of the user.
        name: Of the user.
        role: What they may do.
        csrf: What our own page sends with whatever changes something.
        sign_in: Which sign-in it is.
        address: Network address.
        program: Whether the start token came in a header, which no other site can have a browser send.
    """

    id: int
    name: str
    role: Role
    csrf: str
    sign_in: str | None
    address: str
    program: bool = False

    def may(self, permission: Permission) -> bool:
        """Whether their role allows it."""
        return allowed(self.role, permission)

    def check(self, permission: Permission) -> None:
        """Refuse what their role does not allow.

        Raises:
            Rejected: It does not.
        """
        if not self.may(permission):
            raise Rejected("forbidden", f"your role, {self.role}, does not allow that")

    def check_csrf(self, token: str | None) -> None:
        """Refuse what our own page did not send.

        Raises:
            Rejected: The token is not the one that ``GET /api/me`` gives.
        """
        if not self.program and not hmac.compare_digest((token or "").encode(), self.csrf.encode()):
            raise Rejected("forbidden", f"the request carries no valid {CSRF_HEADER}: load the page again")


def identify(serving: Serving, connection: HTTPConnection) -> Caller | None:
    """Who makes a request or has a live connection; None: nobody that may do anything."""
    address = address_of(connection)
    if not serving.settings.accounts:
        token = serving.settings.start_token
        program = token is not None and same(bearer(connection.headers.get("authorization")), token)
        if token is not None and not program and not serving.cookie.is_local(connection.cookies):
            return None
        return serving.read(_local, serving.cookie.local_csrf, address, program)
    sign_in = serving.cookie.read(connection.cookies.get(NAME))
    return None if sign_in is None else serving.read(_signed_in, sign_in, address)


def admitted(serving: Serving, connection: HTTPConnection) -> Caller:
    """The same; whoever it is does not ask too often.

    Raises:
        Rejected: It is nobody that may do anything, or too often.
    """
    caller = identify(serving, connection)
    serving.requests.take(("address", address_of(connection)) if caller is None else ("user", caller.id))
    if caller is not None:
        return caller
    raise Rejected("unauthenticated", "sign in first") if serving.settings.accounts else Rejected("token", ASK)


def _local(db: Db, csrf: str, address: str, program: bool) -> Caller:
    user = accounts.local_user(db)
    return Caller(user.id, user.name, "admin", csrf, None, address, program)


def _signed_in(db: Db, sign_in: str, address: str) -> Caller | None:
    found = accounts.signed_in(db, sign_in)
    if found is None:
        return None
    user, row = found
    return Caller(user.id, user.name, user.role, row.csrf, row.id, address)  # type: ignore[arg-type]


def _who(
    request: Request,
    serving: Parts,
    _: Annotated[object, Security(_cookie)],
    __: Annotated[object, Security(_token)],
) -> Caller:
    return admitted(serving, request)


Who = Annotated[Caller, Depends(_who)]


def _unforged(caller: Who, csrf: Annotated[str | None, Header(alias=CSRF_HEADER)] = None) -> Caller:
    caller.check_csrf(csrf)
    return caller


Acts = Annotated[Caller, Depends(_unforged)]
"""For whatever changes something: anyone who is signed in, from our own page."""


def _reads(permission: Permission) -> Callable[[Caller], Caller]:
    def check(caller: Who) -> Caller:
        caller.check(permission)
        return caller

    return check


def _acts(permission: Permission) -> Callable[[Caller], Caller]:
    def check(caller: Acts) -> Caller:
        caller.check(permission)
        return caller

    return check


Sees = Annotated[Caller, Depends(_reads("see"))]
Oversees = Annotated[Caller, Depends(_reads("manage"))]
Works = Annotated[Caller, Depends(_acts("see"))]
Verifies = Annotated[Caller, Depends(_acts("verify"))]
Manages = Annotated[Caller, Depends(_acts("manage"))]
