"""The cookie that says which sign-in a browser has: its id, signed, so that nobody can try ids.

Without accounts it says that the browser brought the start token.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from fastapi import Response
from itsdangerous import BadSignature, Signer

NAME = "masklet_sign_in"
_LOCAL = "local"


class SignInCookie:
    """Makes and reads the cookie.

    Args:
        secret: Of the workspace.
    """

    def __init__(self, secret: bytes) -> None:
        self._signer = Signer(secret, salt="masklet sign-in", digest_method=hashlib.sha256)
        self.local_csrf = hmac.new(secret, b"masklet local csrf", hashlib.sha256).hexdigest()
        """What whoever sits at a server without accounts sends along; only our own page can read it."""
        name = hmac.new(secret, b"masklet local cookie", hashlib.sha256).hexdigest()[:8]
        self._local_name = f"masklet_local_{name}"  # browsers keep one jar for all servers of a machine

    def set(self, response: Response, sign_in: str, *, seconds: int, secure: bool) -> None:
        """Hand it out; scripts cannot read it, and other sites cannot have it sent."""
        value = self._signer.sign(sign_in).decode()
        response.set_cookie(NAME, value, max_age=seconds, secure=secure, httponly=True, samesite="strict")

    def set_local(self, response: Response, *, seconds: int, secure: bool) -> None:
        """Hand it out to who brought the start token."""
        value = self._signer.sign(_LOCAL).decode()
        response.set_cookie(self._local_name, value, max_age=seconds, secure=secure, httponly=True, samesite="strict")

    def is_local(self, cookies: Mapping[str, str]) -> bool:
        """Whether a browser has brought the start token."""
        return self.read(cookies.get(self._local_name)) == _LOCAL

    def clear(self, response: Response, *, secure: bool) -> None:
        """Take it back."""
        response.delete_cookie(NAME, secure=secure, httponly=True, samesite="strict")

    def read(self, value: str | None) -> str | None:
        """The sign-in that a cookie names; None: there is no cookie, or it is not ours."""
        if value is None:
            return None
        try:
            return self._signer.unsign(value.encode("utf-8", "replace")).decode()
        except (BadSignature, UnicodeDecodeError):
            return None
