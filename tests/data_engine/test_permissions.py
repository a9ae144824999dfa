from __future__ import annotations

from typing import get_args

import pytest

from masklet.data_engine.errors import Forbidden
from masklet.data_engine.permissions import Permission, allowed, must_do
from masklet.data_engine.schema import STAGES, User

MATRIX = {
    "annotator": {"see", "annotate"},
    "verifier": {"see", "verify"},
    "admin": {"see", "annotate", "verify", "manage"},
    "nobody": set(),
}


@pytest.mark.parametrize("role", MATRIX)
def test_roles(role):
    assert {permission for permission in get_args(Permission) if allowed(role, permission)} == MATRIX[role]


@pytest.mark.parametrize("role", MATRIX)
@pytest.mark.parametrize("stage", STAGES)
def test_stages(role, stage):
    user = User(name="ann", role=role, active=True)
    if ("verify" if stage == "verify" else "annotate") in MATRIX[role]:
        must_do(user, stage)
        user.active = False
    with pytest.raises(Forbidden, match=f"ann \\({role}\\) may not"):
        must_do(user, stage)
