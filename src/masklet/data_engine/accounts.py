"""Accounts: names, passwords, roles, and the browsers that are signed in."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import select

from . import audit
from .database import Db, found, locked
from .errors import Refused
from .schema import ROLES, Role, SignIn, User, now
from .wording import line

LOCAL = "local"
SHORTEST_PASSWORD, LONGEST_PASSWORD = 8, 1000
SIGNED_IN_FOR = timedelta(days=14)

_hasher = PasswordHasher()


def add_user(db: Db, name: str, password: str, role: Role) -> User:
    """Make an account.

    Raises:
        Refused: The name is taken or no name, the password too short, or the role unknown.
    """
    name = line(name, "the name", 100)
    if name == LOCAL or db.scalar(select(User.id).where(User.name == name)) is not None:
        raise Refused(f"the name {name!r} is taken: choose another one")
    user = User(name=name, password=_hashed(password), role=_known(role))
    db.add(user)
    db.flush()
    return user


def local_user(db: Db) -> User:
    """Who sits at a server without accounts: may do all, and cannot sign in."""
    user = db.scalar(select(User).where(User.name == LOCAL))
    if user is None:
        user = User(name=LOCAL, role="admin")
        db.add(user)
        db.flush()
    return user


def users(db: Db) -> list[User]:
    """All accounts by name, but for the local one."""
    return list(db.scalars(select(User).where(User.name != LOCAL).order_by(User.name)))


def check_password(user: User | None, password: str) -> bool:
    """Whether it is this user's password; takes as long for nobody, who has none."""
    stored = user.password if user is not None and user.password is not None else _nobodys()
    try:
        right = _hasher.verify(stored, password[:LONGEST_PASSWORD].encode("utf-8", "surrogatepass"))
    except (VerificationError, InvalidHashError):
        return False
    return right and user is not None and user.password is not None


def sign_in(db: Db, name: str, password: str, address: str, at: datetime | None = None) -> SignIn | None:
    """Sign a browser in; None where name and password do not go together or the account is closed.

    It raises nothing, so that the line in the audit log is kept.

    Args:
        db: The transaction.
        name: Name of the account.
        password: Its password.
        address: Network address of the browser.
        at: The time.
    """
    at = at or now()
    try:
        user = db.scalar(select(User).where(User.name == line(name, "the name", 100)))
    except Refused:
        user = None
    if not check_password(user, password) or user is None or not user.active:
        audit.record(db, None if user is None else user.id, address, "sign_in", ok=False, at=at)
        return None
    row = SignIn(
        id=secrets.token_hex(32), user_id=user.id, csrf=secrets.token_hex(32), created=at, expires=at + SIGNED_IN_FOR
    )
    db.add(row)
    audit.record(db, user.id, address, "sign_in", at=at)
    db.flush()
    return row


def signed_in(db: Db, sign_in_id: str, at: datetime | None = None) -> tuple[User, SignIn] | None:
    """Who a browser is signed in as; None where it is not, or no longer."""
    row = db.get(SignIn, sign_in_id)
    if row is None or row.ended is not None or row.expires <= (at or now()):
        return None
    user = found(db, User, row.user_id)
    return (user, row) if user.active else None


def sign_out(db: Db, sign_in_id: str, address: str = "", at: datetime | None = None) -> None:
    """Sign a browser out; nothing happens where it is not signed in."""
    row = db.get(SignIn, sign_in_id)
    if row is not None and row.ended is None:
        row.ended = at or now()
        audit.record(db, row.user_id, address, "sign_out", at=at)


def change_user(
    db: Db,
    user_id: int,
    role: Role | None = None,
    active: bool | None = None,
    password: str | None = None,
    at: datetime | None = None,
) -> User:
    """Change an account; None leaves as it is. A new password and the end of an account sign its browsers out.

    Raises:
        NotFound: There is no such account.
        Refused: Nobody would be left to manage accounts, or a value is wrong.
    """
    # All who manage are locked, in one order: two of them must not end each other's accounts at once.
    managing = select(User).where(User.role == "admin", User.active, User.password.is_not(None)).order_by(User.id)
    admins = {user.id for user in db.scalars(managing.with_for_update(key_share=True))}
    user = locked(db, User, user_id)
    if user.name == LOCAL:
        raise Refused("the local user cannot be changed")
    leaves = active is False or (role is not None and role != "admin")
    if leaves and admins == {user.id}:
        raise Refused(f"{user.name} is the last one who manages accounts: make somebody else admin first")
    if role is not None:
        user.role = _known(role)
    if active is not None:
        user.active = active
    if password is not None:
        user.password = _hashed(password)
    if password is not None or active is False:
        _sign_out_all(db, user, at)
    db.flush()
    return user


def change_password(
    db: Db, user_id: int, old: str, new: str, sign_in_id: str, address: str, at: datetime | None = None
) -> bool:
    """Give oneself another password; False where the old one is wrong, with a line in the audit log either way.

    Args:
        db: The transaction.
        user_id: Whose.
        old: The password so far.
        new: The new one.
        sign_in_id: The browser that asks; all others of the user are signed out.
        address: Its network address.
        at: The time.

    Raises:
        NotFound: There is no such account.
        Refused: The new password is too short or too long.
    """
    user = locked(db, User, user_id)
    right = check_password(user, old)
    if right:
        user.password = _hashed(new)
        _sign_out_all(db, user, at, but=sign_in_id)
    audit.record(db, user.id, address, "change_password", ok=right, at=at)
    return right


def _sign_out_all(db: Db, user: User, at: datetime | None, but: str | None = None) -> None:
    for row in db.scalars(select(SignIn).where(SignIn.user_id == user.id, SignIn.ended.is_(None))):
        if row.id != but:
            row.ended = at or now()


def _known(role: Role) -> Role:
    if role not in ROLES:
        raise Refused(f"the role is {role!r}, expected one of {', '.join(ROLES)}")
    return role


def _hashed(password: str) -> str:
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        limits = f"{SHORTEST_PASSWORD} to {LONGEST_PASSWORD}"
        raise Refused(f"the password has {len(password)} characters, expected {limits}")
    return _hasher.hash(password.encode("utf-8", "surrogatepass"))


@cache
def _nobodys() -> str:
    return _hasher.hash(secrets.token_hex(16))
