"""Recall and decay of DAVIS: how J or F of one object is spread over the frames of its video."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def recall(values: Sequence[float]) -> float:
    """Share of frames with a value above 0.5.

    Args:
        values: J or F in each scored frame, in order.

    Raises:
        ValueError: There is no value.
    """
    return float(np.mean(_checked(values) > 0.5))


def decay(values: Sequence[float]) -> float:
    """Mean of the first quarter minus mean of the last one: positive where a tracker gets worse.

    Neighbouring quarters share a frame. The official evaluator keeps the ends of the quarters in 8 bits, so that its
    decay of more than 255 frames is that of others; here it is of the quarters at any length.
    Source: DAVIS 2017 evaluation, per-frame statistics.

    Args:
        values: J or F in each scored frame, in order.

    Raises:
        ValueError: There is no value.
    """
    each = _checked(values)
    # Parity: davis2017 utils.py, db_statistics: halves are rounded up in frames counted from 1.
    ends = np.round(np.linspace(1, len(each), 5) + 1e-10).astype(int) - 1
    return float(np.mean(each[: ends[1] + 1]) - np.mean(each[ends[3] :]))


def _checked(values: Sequence[float]) -> np.ndarray:
    if len(values) == 0:
        raise ValueError("got no value, expected J or F of at least one frame: leave the object out")
    return np.asarray(values, np.float64)
