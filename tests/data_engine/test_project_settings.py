from __future__ import annotations

import pytest

from masklet.data_engine.errors import Refused
from masklet.data_engine.project_settings import ProjectSettings


def test_what_is_not_said_is_as_by_default():
    settings = ProjectSettings.read({})
    assert settings.plain() == {
        "stages": ["select", "track", "verify"],
        "annotators": 1,
        "lease_seconds": 60,
        "own_review": False,
        "simulated": False,
    }
    assert ProjectSettings.read(settings.plain()) == settings


@pytest.mark.parametrize(
    "wrong",
    [
        {"stages": []},
        {"stages": ["verify", "track"]},
        {"stages": ["track", "track"]},
        {"stages": ["dance"]},
        {"stages": [["track"]]},
        {"stages": "track"},
        {"annotators": 0},
        {"annotators": 1.5},
        {"annotators": True},
        {"annotators": 2, "stages": ["track"]},
        {"lease_seconds": 0},
        {"lease_seconds": float("nan")},
        {"lease_seconds": "long"},
        {"own_review": 1},
        {"simulated": None},
        {"colour": "red"},
    ],
)
def test_wrong_settings(wrong):
    with pytest.raises(Refused, match=next(iter(wrong))):
        ProjectSettings.read(wrong)
