from __future__ import annotations

import jaxtyping
import pytest


@pytest.fixture
def as_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Switch the checks of annotated shapes off: a user meets the package's own errors."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
