"""The script that corrects suggested frames."""

from __future__ import annotations

import numpy as np
import pytest

from masklet.inference.session import VideoSession
from session_scripts import state
from tiny_model import disc


@pytest.mark.usefixtures("as_user")
def test_a_trial_of_a_correction_leaves_no_trace(script, tiny, frames: list[np.ndarray]):
    session, truth = VideoSession(frames, tiny), [disc(t) for t in range(len(frames))]
    session.prompt(0, 1, mask=truth[0])
    scores, rows = script.tracked(session, truth)
    assert len(scores) == len(rows) == 9
    before = state(session)
    assert script.gain(session, truth, [5], float(np.mean(scores))) > 0
    assert state(session) == before


def test_rank_correlation_is_within_clips_and_over_all(script):
    clips = [
        ([0.1, 0.2, 0.3], [{"a": v, "b": 1.0} for v in (1, 2, 3)]),
        ([0.7, 0.8], [{"a": v, "b": 2.0} for v in (9, 8)]),
    ]
    found = script.correlations(clips)
    assert found["a"] == pytest.approx((0.0, 0.9))
    assert found["b"][0] == 0
