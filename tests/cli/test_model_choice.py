"""A model as a command asks for it."""

from __future__ import annotations

import pytest

from masklet.cli.model_choice import ModelChoice


@pytest.mark.parametrize("quiet", [False, True])
def test_what_was_asked_for_is_loaded(monkeypatch: pytest.MonkeyPatch, quiet: bool):
    asked = []
    monkeypatch.setattr("masklet.checkpoints.load.load", lambda name, **options: asked.append((name, options)))
    ModelChoice("tiny", 256, "cuda").load(quiet=quiet)
    ((name, options),) = asked
    assert (options.pop("progress") is None) == quiet
    assert (name, options) == ("tiny", {"image_size": 256, "device": "cuda"})
