from __future__ import annotations

from functools import partial

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select

from engine_work import START, later, overlapping
from masklet.data_engine import accounts
from masklet.data_engine.audit import recorded
from masklet.data_engine.errors import NotFound, Refused
from masklet.data_engine.schema import User

GOOD = "correct horse"


@pytest.fixture(autouse=True)
def _quick_hashes(monkeypatch):
    monkeypatch.setattr(accounts, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    accounts._nobodys.cache_clear()


def added(database, name="ann", role="admin"):
    with database.begin() as db:
        return accounts.add_user(db, name, GOOD, role)


def test_passwords_are_hashed(database):
    user = added(database)
    assert user.password.startswith("$argon2id$")
    assert accounts.check_password(user, GOOD)
    assert not accounts.check_password(user, GOOD + "x")
    assert not accounts.check_password(None, GOOD)
    assert not accounts.check_password(User(name="x", role="admin"), GOOD)


@pytest.mark.usefixtures("as_user")
@pytest.mark.parametrize(
    ("name", "password", "role", "why"),
    [
        ("ann", GOOD, "admin", "taken"),
        ("local", GOOD, "admin", "taken"),
        (" ", GOOD, "admin", "expected 1 to 100"),
        ("a" * 101, GOOD, "admin", "expected 1 to 100"),
        ("a\0", GOOD, "admin", "control character"),
        ("a\ud800", GOOD, "admin", "control character"),
        ("bob", "short", "admin", "expected 8 to 1000"),
        ("bob", "x" * 1001, "admin", "expected 8 to 1000"),
        ("bob", GOOD, "king", "expected one of annotator"),
    ],
)
def test_accounts_that_cannot_be(database, name, password, role, why):
    added(database)
    with database.begin() as db, pytest.raises(Refused, match=why) as refused:
        accounts.add_user(db, name, password, role)
    assert password not in str(refused.value)


def test_signing_in_and_out(database):
    ann = added(database)
    with database.begin() as db:
        row = accounts.sign_in(db, "ann", GOOD, "1.2.3.4", at=START)
        assert len({row.id, row.csrf}) == 2
        user, same = accounts.signed_in(db, row.id, at=later(60))
        assert (user.id, same.csrf) == (ann.id, row.csrf)
        assert accounts.signed_in(db, row.id, at=START + accounts.SIGNED_IN_FOR) is None
        assert accounts.signed_in(db, "x", at=START) is None
        accounts.sign_out(db, row.id, at=later(60))
        accounts.sign_out(db, "x")
        assert accounts.signed_in(db, row.id, at=later(61)) is None
        assert [(a.what, a.ok) for a in recorded(db)] == [("sign_out", True), ("sign_in", True)]


@pytest.mark.parametrize(
    ("name", "password"), [("ann", "wrong"), ("bob", GOOD), ("", GOOD), ("a\0", GOOD), ("ann", "\ud800")]
)
def test_signing_in_fails_alike_and_is_written_down(database, name, password):
    added(database)
    with database.begin() as db:
        accounts.local_user(db)
        assert accounts.sign_in(db, name, password, "1.2.3.4") is None
        assert accounts.sign_in(db, "local", password, "1.2.3.4") is None
    with database.begin() as db:
        lines = recorded(db)
        assert [(a.what, a.ok, a.address) for a in lines] == [("sign_in", False, "1.2.3.4")] * 2
        assert all(password not in a.target for a in lines)


def test_an_unknown_name_takes_as_long(database, monkeypatch):
    checked = []

    class Counting(PasswordHasher):
        def verify(self, *args):
            checked.append(args)
            return super().verify(*args)

    added(database)
    monkeypatch.setattr(accounts, "_hasher", Counting(time_cost=1, memory_cost=8, parallelism=1))
    with database.begin() as db:
        for name in ("ann", "bob"):
            accounts.sign_in(db, name, "wrong", "")
    assert len(checked) == 2


def test_a_new_password_or_the_end_of_an_account_signs_out(database):
    added(database, "boss")
    ann = added(database)
    for change in ({"password": "another one"}, {"active": False}):
        with database.begin() as db:
            row = accounts.sign_in(db, "ann", GOOD, "")
            accounts.change_user(db, ann.id, **change)
            assert accounts.signed_in(db, row.id) is None
            assert accounts.sign_in(db, "ann", GOOD, "") is None
            accounts.change_user(db, ann.id, password=GOOD, active=True)
            assert accounts.sign_in(db, "ann", GOOD, "") is not None


def test_the_last_admin_cannot_go(database):
    boss = added(database, "boss")
    with database.begin() as db:
        local = accounts.local_user(db)
        assert accounts.local_user(db).id == local.id
        for change in ({"role": "verifier"}, {"active": False}):
            with pytest.raises(Refused, match="make somebody else admin first"):
                accounts.change_user(db, boss.id, **change)
        with pytest.raises(Refused, match="local user"):
            accounts.change_user(db, local.id, active=False)
        with pytest.raises(NotFound):
            accounts.change_user(db, 99, active=False)
        assert [user.name for user in accounts.users(db)] == ["boss"]
        accounts.add_user(db, "ann", GOOD, "admin")
        assert accounts.change_user(db, boss.id, role="verifier").role == "verifier"


def test_two_admins_who_end_each_other_at_once(database):
    end = [partial(accounts.change_user, user_id=added(database, name).id, active=False) for name in ("a", "b")]
    with pytest.raises(Refused, match="last one"):
        overlapping(database, *end)
    with database.begin() as db:
        assert [user.name for user in db.scalars(select(User).where(User.active))] == ["b"]
