from __future__ import annotations

from fastapi import Response

from masklet.data_engine.sign_in_cookie import NAME, SignInCookie


def cookie_of(response: Response) -> tuple[str, str]:
    """Value and attributes."""
    value, _, attributes = response.headers["set-cookie"].partition("; ")
    return value.removeprefix(f"{NAME}="), attributes


def test_only_our_own_cookies_are_read():
    cookie, response = SignInCookie(b"secret"), Response()
    cookie.set(response, "abc", seconds=60, secure=False)
    value, _ = cookie_of(response)
    assert cookie.read(value) == "abc"
    assert SignInCookie(b"other").read(value) is None
    for wrong in (None, "", "abc", "abd" + value[3:], value[:-1], value + "\udcff", "é.é"):
        assert cookie.read(wrong) is None


def test_scripts_and_other_sites_do_not_get_it():
    response = Response()
    SignInCookie(b"secret").set(response, "abc", seconds=60, secure=True)
    _, attributes = cookie_of(response)
    assert {"HttpOnly", "Secure", "SameSite=strict", "Max-Age=60"} <= set(attributes.split("; "))
    response = Response()
    SignInCookie(b"secret").set(response, "abc", seconds=60, secure=False)
    assert "Secure" not in cookie_of(response)[1]
