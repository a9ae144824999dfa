"""Projections of a query at every place of a side, from the few curves that rotary angles make along it.

With ``turns`` of a rotary code (:mod:`~masklet.model.rope`), a column (or row) ``x`` projects a query ``q`` by
``W R(x)``. As functions of ``x`` all its numbers are sums of the cosines and sines of the code's frequencies, which are
at most one radian a place: at 64 places, 30 orthonormal curves give all of them to the rounding of float32, and five
those of the slower half of the frequencies. So a query is projected once for each curve instead of once for each place,
and the places are mixed from the curves. In float64 the code's angles, which are float32 (as the official code's), are
told apart: as many curves as places, and nothing is saved.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float
from torch import Tensor


@dataclass(frozen=True)
class RotaryCurves:
    """Projections to ``e`` channels at the places of a side.

    Attributes:
        curves: Orthonormal; first those that slow frequencies have a part in.
        whole: Projections of all channels of the query, for the first curves.
        fast: Projections of the faster half of the channels, which come first, for the others.
    """

    curves: Float[Tensor, "side r"]
    whole: Float[Tensor, "layers heads whole_e c"]
    fast: Float[Tensor, "layers heads fast_e half_c"]

    @staticmethod
    def of(pairs: Complex[Tensor, "layers heads e half"], turns: Complex[Tensor, "side half"]) -> RotaryCurves:
        """Find the curves.

        Args:
            pairs: Projection of pairs of channels, fast frequencies first, before it is turned.
            turns: The turn of each pair at each place.
        """
        pairs64, turns64 = pairs.to(torch.complex128), turns.to(torch.complex128)
        fast, near = turns.shape[1] // 2, torch.finfo(pairs.real.dtype).eps / 4
        table = torch.view_as_real(turns64)
        slow, others = _basis(table[:, fast:].flatten(1), near)
        more, _ = _basis(others.T @ table.flatten(1), near)
        curves = torch.cat([slow, others @ more], 1)
        mixed = pairs64[:, :, None] * (curves.T.to(turns64.dtype) @ turns64)[:, None]  # [layers heads r e half]
        weight = torch.view_as_real(mixed).flatten(-2).to(pairs.real.dtype)
        whole, faster = weight.tensor_split([slow.shape[1]], dim=2)
        return RotaryCurves(
            curves.to(weight.dtype), whole.flatten(2, 3), faster[..., : 2 * fast].flatten(2, 3).contiguous()
        )

    @property
    def width(self) -> int:
        """``e``."""
        return (self.whole.shape[2] + self.fast.shape[2]) // self.curves.shape[1]

    @property
    def multiply_adds(self) -> int:
        """Of a query, for each of the ``e`` channels."""
        (side, r), c, half = self.curves.shape, self.whole.shape[-1], self.fast.shape[-1]
        return (self.whole.shape[2] * c + self.fast.shape[2] * half) // self.width + side * r

    def project(
        self, layer: int, head: int, query: Float[Tensor, "c q"], room: Float[Tensor, " numbers"]
    ) -> Float[Tensor, "r eq"]:
        """Queries projected for each curve, in ``room`` for ``r e q`` numbers."""
        whole, fast, r = self.whole[layer, head], self.fast[layer, head], self.curves.shape[1]
        projected = room[: r * self.width * query.shape[1]]
        first, others = projected.view(-1, query.shape[1]).tensor_split([len(whole)])
        torch.mm(whole, query, out=first)
        torch.mm(fast, query[: fast.shape[1]], out=others)
        return projected.view(r, -1)

    def mix(
        self, projected: Float[Tensor, "r eq"], places: slice, room: Float[Tensor, " numbers"]
    ) -> Float[Tensor, "places e q"]:
        """Queries projected at some places, in ``room`` for ``places e q`` numbers."""
        curves = self.curves[places]
        mixed = room[: len(curves) * projected.shape[1]].view(len(curves), -1)
        return torch.mm(curves, projected, out=mixed).view(len(curves), self.width, -1)


def _basis(table: Float[Tensor, "side n"], near: float) -> tuple[Float[Tensor, "side r"], Float[Tensor, "side others"]]:
    """As few orthonormal curves as give a table but for ``near`` in root mean square, and the others there are."""
    curves, sizes, _ = torch.linalg.svd(table)
    left = (sizes.square().flip(0).cumsum(0).flip(0) / max(table.numel(), 1)).sqrt()
    few = int((left > near).sum())
    return curves[:, :few], curves[:, few:]
