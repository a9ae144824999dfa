"""Who makes a request, and whether they may."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Request, Security
from fastapi.security import APIKeyCookie

from . import accounts
from .database import Db
from .permissions import Permission, allowed
from .problems import Rejected
from .schema import Role
from .serving import Parts, Serving, address_of
from .sign_in_cookie import NAME

CSRF_HEADER = "X-Masklet-CSRF"
_cookie = APIKeyCookie(name=NAME, scheme_name="sign_in", auto_error=False)


@dataclass(frozen=True)
class Caller:
    """A user who is signed in, or sits at a server without accounts (``sign_in`` None)."""

    id: int
    name: str
    role: Role
    csrf: str
    sign_in: str | None
    address: str

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
        if not hmac.compare_digest((token or "").encode(), self.csrf.encode()):
            raise Rejected("forbidden", f"the request carries no valid {CSRF_HEADER}: load the page again")


def identify(serving: Serving, cookie: str | None, address: str) -> Caller | None:
    """Who has a cookie; None: nobody that may do anything."""
    if not serving.settings.accounts:
        return serving.read(_local, serving.cookie.local_csrf, address)
    sign_in = serving.cookie.read(cookie)
    return None if sign_in is None else serving.read(_signed_in, sign_in, address)


def _local(db: Db, csrf: str, address: str) -> Caller:
    user = accounts.local_user(db)
    return Caller(user.id, user.name, "admin", csrf, None, address)


def _signed_in(db: Db, sign_in: str, address: str) -> Caller | None:
    found = accounts.signed_in(db, sign_in)
    if found is None:
        return None
    user, row = found
    return Caller(user.id, user.name, user.role, row.csrf, row.id, address)  # type: ignore[arg-type]


def _who(request: Request, serving: Parts, cookie: Annotated[str | None, Security(_cookie)]) -> Caller:
    address = address_of(request)
    caller = identify(serving, cookie, address)
    serving.requests.take(("address", address) if caller is None else ("user", caller.id))
    if caller is None:
        raise Rejected("unauthenticated", "sign in first")
    return caller


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
