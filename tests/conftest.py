"""What several test folders share: one tiny random model, a clip for it, and the eyes of a user."""

from __future__ import annotations

import jaxtyping
import numpy as np
import pytest
from hypothesis import settings

from masklet.model.sam2 import Sam2
from tiny_model import clip, tiny_model

settings.register_profile("masklet", deadline=None)  # a busy machine is no failure
settings.load_profile("masklet")


@pytest.fixture(scope="session")
def tiny() -> Sam2:
    """A Hiera model for 64 x 64 pixels; nothing may change its weights."""
    return tiny_model(seed=2)


@pytest.fixture(scope="session")
def frames() -> list[np.ndarray]:
    """Ten frames of 48 x 72 pixels."""
    return clip(10)


@pytest.fixture
def as_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Switch the checks of annotated shapes off: a user meets the package's own errors."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
