"""The script that kills sessions, with a few kills."""

from __future__ import annotations

import os

import pytest


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_nothing_is_lost(script, capsys: pytest.CaptureFixture):
    script.main(["--kills", "8", "--scripts", "1", "--actions", "5"])
    assert capsys.readouterr().out.strip().endswith("lost: 0")


def test_undisturbed_states_differ(script):
    import masklet

    actions = script.script(0, 4)
    known = script.states(actions, masklet.load("nano", image_size=script.SIDE))
    assert len(known) == 5
    assert known[1][-1] != known[0][-1]
    assert len(set(known[2])) > 3
