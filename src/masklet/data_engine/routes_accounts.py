"""Who one is, signing in and out, the accounts, and the audit log."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, StrictBool

from . import accounts, audit
from .callers import Acts, Manages, Oversees, Who
from .database import Db
from .fields import LARGEST, Body, Id, LimitQuery, Password, UserName
from .permissions import OF_ROLE, Permission
from .problems import ALWAYS, Rejected, problems
from .schema import Audit, Role, User
from .server_settings import Language
from .serving import Parts, address_of
from .start_token import same

router = APIRouter(prefix="/api", tags=["accounts"], responses=problems(*ALWAYS))


class MeAnswer(BaseModel):
    """Who is asking; ``csrf`` goes with whatever changes something."""

    name: str
    role: Role
    csrf: str
    local: bool
    permissions: list[Permission]
    language: Language


class UserAnswer(BaseModel):
    """An account."""

    id: int
    name: str
    role: Role
    active: bool
    created: datetime


class AuditAnswer(BaseModel):
    """A line of the audit log; ``user`` is None for somebody unknown."""

    id: int
    user: str | None
    address: str
    what: str
    target: str
    ok: bool
    created: datetime


class SignInBody(Body):
    """A name and its password."""

    name: UserName
    password: Password


class StartBody(Body):
    """The start token."""

    token: Password


class PasswordBody(Body):
    """One's password so far, and the new one."""

    old: Password
    new: Password


class UserBody(Body):
    """A new account."""

    name: UserName
    password: Password
    role: Role


class UserChange(Body):
    """What is to be another; None: as it is."""

    role: Role | None = None
    active: StrictBool | None = None
    password: Password | None = None


@router.post("/sign-in", responses=problems(409))
def sign_in(body: SignInBody, request: Request, response: Response, serving: Parts) -> MeAnswer:
    """Sign in with a name and a password; the answer sets the cookie."""
    if not serving.settings.accounts:
        raise Rejected("refused", "this server has no accounts: nobody needs to sign in")
    address = address_of(request)
    sentence = "too many tries to sign in: wait a little"
    serving.sign_ins.take(address, sentence)
    serving.sign_ins_of_name.take((address, body.name), sentence)
    with serving.passwords:
        row = serving.write(accounts.sign_in, body.name, body.password, address)
    serving.metrics.sign_ins.labels("refused" if row is None else "accepted").inc()
    if row is None:
        raise Rejected("unauthenticated", "name and password do not go together, or the account is closed")
    seconds = int((row.expires - datetime.now(timezone.utc)).total_seconds())
    serving.cookie.set(response, row.id, seconds=seconds, secure=request.url.scheme == "https")
    user = serving.read(_user, row.user_id)
    return _me(user.name, user.role, row.csrf, serving)


@router.post("/start", status_code=204, responses=problems(409))
def start(body: StartBody, request: Request, response: Response, serving: Parts) -> None:
    """Bring the start token of a server without accounts; the answer sets the cookie."""
    token = serving.settings.start_token
    if serving.settings.accounts or token is None:
        raise Rejected("refused", "this server wants no start token")
    serving.sign_ins.take(address_of(request), "too many tries with a start token: wait a little")
    right = same(body.token, token)
    serving.metrics.sign_ins.labels("accepted" if right else "refused").inc()
    if not right:
        raise Rejected("token", "this is not the start token: a server that was started anew has another one")
    seconds = int(accounts.SIGNED_IN_FOR.total_seconds())
    serving.cookie.set_local(response, seconds=seconds, secure=request.url.scheme == "https")


@router.post("/sign-out", status_code=204)
def sign_out(caller: Acts, request: Request, response: Response, serving: Parts) -> None:
    """End this sign-in."""
    if caller.sign_in is not None:
        serving.write(accounts.sign_out, caller.sign_in, caller.address)
        serving.cookie.clear(response, secure=request.url.scheme == "https")


@router.get("/me")
def me(caller: Who, serving: Parts) -> MeAnswer:
    """Who one is and may do."""
    return _me(caller.name, caller.role, caller.csrf, serving)


@router.post("/me/password", status_code=204, responses=problems(409))
def change_password(body: PasswordBody, caller: Acts, serving: Parts) -> None:
    """Give oneself another password; one's other browsers are signed out."""
    if caller.sign_in is None:
        raise Rejected("refused", "this server has no accounts: there are no passwords")
    serving.sign_ins_of_name.take((caller.address, caller.name), "too many tries: wait a little")
    with serving.passwords:
        right = serving.write(accounts.change_password, caller.id, body.old, body.new, caller.sign_in, caller.address)
    if not right:
        raise Rejected("refused", "the old password is not right")


@router.get("/users")
def users(caller: Oversees, serving: Parts) -> list[UserAnswer]:
    """All accounts."""
    return serving.read(lambda db: [_answer(user) for user in accounts.users(db)])


@router.post("/users", status_code=201, responses=problems(409))
def add_user(body: UserBody, caller: Manages, serving: Parts) -> UserAnswer:
    """Make an account."""

    def add(db: Db) -> UserAnswer:
        user = accounts.add_user(db, body.name, body.password, body.role)
        audit.record(db, caller.id, caller.address, "add_user", f"{user.name} ({user.role})")
        return _answer(user)

    with serving.passwords:
        return serving.write(add)


@router.patch("/users/{user_id}", responses=problems(404, 409))
def change_user(user_id: Id, body: UserChange, caller: Manages, serving: Parts) -> UserAnswer:
    """Change role, password, or whether an account is open."""

    def change(db: Db) -> UserAnswer:
        user = accounts.change_user(db, user_id, body.role, body.active, body.password)
        changed = ", ".join(sorted(name for name in body.model_fields_set if getattr(body, name) is not None))
        audit.record(db, caller.id, caller.address, "change_user", f"{user.name}: {changed}")
        return _answer(user)

    with serving.passwords:
        return serving.write(change)


@router.get("/audit")
def audit_log(
    caller: Oversees,
    serving: Parts,
    before: Annotated[int | None, Query(ge=1, le=LARGEST)] = None,
    limit: LimitQuery = 100,
) -> list[AuditAnswer]:
    """The audit log, newest first; ``before``: lines older than the one of this id."""

    def lines(db: Db) -> list[AuditAnswer]:
        names: dict[int, str] = {}
        return [_line(db, row, names) for row in audit.recorded(db, before, limit)]

    return serving.read(lines)


def _me(name: str, role: Role, csrf: str, serving: Parts) -> MeAnswer:
    local, language = not serving.settings.accounts, serving.settings.language
    return MeAnswer(name=name, role=role, csrf=csrf, local=local, permissions=list(OF_ROLE[role]), language=language)


def _user(db: Db, user_id: int) -> UserAnswer:
    return _answer(db.get_one(User, user_id))


def _answer(user: User) -> UserAnswer:
    return UserAnswer(id=user.id, name=user.name, role=user.role, active=user.active, created=user.created)  # type: ignore[arg-type]


def _line(db: Db, row: Audit, names: dict[int, str]) -> AuditAnswer:
    if row.user_id is not None and row.user_id not in names:
        names[row.user_id] = db.get_one(User, row.user_id).name
    name = None if row.user_id is None else names[row.user_id]
    return AuditAnswer(
        id=row.id, user=name, address=row.address, what=row.what, target=row.target, ok=row.ok, created=row.created
    )
