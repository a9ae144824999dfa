"""What the roles may do."""

from __future__ import annotations

from typing import Literal

from .errors import Forbidden
from .schema import Role, Stage, User

Permission = Literal["see", "annotate", "verify", "manage"]

OF_ROLE: dict[Role, tuple[Permission, ...]] = {
    "annotator": ("see", "annotate"),
    "verifier": ("see", "verify"),
    "admin": ("see", "annotate", "verify", "manage"),
}
_OF_STAGE: dict[Stage, Permission] = {"select": "annotate", "track": "annotate", "verify": "verify"}


def allowed(role: str, permission: Permission) -> bool:
    """Whether a role includes a permission; an unknown role includes none."""
    return permission in OF_ROLE.get(role, ())  # type: ignore[call-overload]


def must_do(user: User, stage: Stage) -> None:
    """Whether somebody may work on a stage.

    Raises:
        Forbidden: Not with this role.
    """
    permission = _OF_STAGE[stage]
    if not (user.active and allowed(user.role, permission)):
        raise Forbidden(f"{user.name} ({user.role}) may not {permission}: ask somebody who manages the accounts")
