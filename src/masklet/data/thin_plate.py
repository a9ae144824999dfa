"""Made-up bending: thin-plate splines whose control points sway."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from numpy.random import Generator

if TYPE_CHECKING:
    from collections.abc import Callable

_SIDE = 3  # control points along each side of the unit square
_JITTER = 0.05  # how far they are from a regular grid, at most
_LONGEST = 1.2  # strengths that a control point is pushed at most, so that the plate does not fold


@dataclass(frozen=True)
class ThinPlate:
    """A smooth displacement of the unit square that changes with time: the thin-plate spline through moving points.

    Attributes:
        basis: From points to the share of each control point in their displacement, [n, 2] to [n, k].
        push: Direction and strength of each control point's sway, as a fraction of the unit square.
        pace: Radians a frame step.
        phase: Radians.

    Source: F. L. Bookstein, "Principal warps: thin-plate splines and the decomposition of deformations", 1989.
    """

    basis: Callable[[Float[ndarray, "n 2"]], Float[ndarray, "n k"]]
    push: Float[ndarray, "k 2"]
    pace: Float[ndarray, " k"]
    phase: Float[ndarray, " k"]

    @staticmethod
    def draw(rng: Generator, strength: float, pace: float = 0.5) -> ThinPlate:
        """Draw control points with displacements of about `strength`."""
        from scipy.interpolate import RBFInterpolator

        ticks = (np.arange(_SIDE) + 0.5) / _SIDE
        grid = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
        controls = grid + rng.uniform(-_JITTER, _JITTER, grid.shape)
        # The spline is linear in the values at the control points: interpolating the unit vectors solves for it once.
        basis = RBFInterpolator(controls, np.eye(len(controls)), kernel="thin_plate_spline")
        push = np.clip(rng.normal(0, 1, grid.shape), -_LONGEST, _LONGEST) * strength
        return ThinPlate(basis, push, rng.normal(0, pace, len(grid)), rng.uniform(0, 2 * np.pi, len(grid)))

    def __call__(self, points: Float[ndarray, "*n 2"], time: float) -> Float[ndarray, "*n 2"]:
        """Displace points of the unit square; at time 0 nothing moves."""
        sway = (np.sin(self.phase + self.pace * time) - np.sin(self.phase))[:, None] * self.push
        return points + (self.basis(points.reshape(-1, 2)) @ sway).reshape(points.shape)
