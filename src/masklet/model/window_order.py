"""Tokens of a map in the order of its windows, so that a run of tokens is a run of windows.

Windows are cut once a stage instead of twice a block, and those at the bottom and right edge hold only what lies on the
map. Halving the sides keeps the order: 2x2 places never lie in two windows where windows have even sides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Tiles:
    """Windows of one shape, one after the other.

    Attributes:
        start: Of their tokens.
        count: Of windows.
        height: Of the part of a window that lies on the map, as ``width``.
        missing: Places of a whole window that do not.
    """

    start: int
    count: int
    height: int
    width: int
    missing: int

    @property
    def end(self) -> int:
        """After their tokens."""
        return self.start + self.count * self.height * self.width

    def split(self, tokens: int) -> Iterator[Tiles]:
        """Parts of at most that many tokens, or of one window."""
        area = self.height * self.width
        step = max(tokens // area, 1)
        for i in range(0, self.count, step):
            yield replace(self, start=self.start + i * area, count=min(step, self.count - i))


Band = list[Tiles]  # one after the other


@dataclass(frozen=True)
class WindowOrder:
    """First all whole windows, row by row, then those at the right edge, at the bottom edge and in the corner.

    Attributes:
        height: Of the map, as ``width``.
        side: Of a window.
    """

    height: int
    width: int
    side: int

    def halved(self) -> WindowOrder:
        """The order of tokens after 2x2 pooling within windows; all sides are even."""
        return WindowOrder(self.height // 2, self.width // 2, self.side // 2)

    def bands(self, tokens: int) -> Iterator[Band]:
        """All windows, in runs of at most that many tokens (or one window)."""
        band: Band = []
        for tiles, _ in self._areas():
            for part in tiles.split(tokens):
                if band and part.end - band[0].start > tokens:
                    yield band
                    band = []
                band.append(part)
        yield band

    def gather(self, x: Float[Tensor, "h w *c"], band: Band | None = None) -> Float[Tensor, "n *c"]:
        """Tokens of a map, or those of a band."""
        band = band or self._whole()
        tokens = x.new_empty(band[-1].end - band[0].start, *x.shape[2:])
        for run, place in self._rows(x, band):
            tokens[run].view(place.shape).copy_(place)
        return tokens

    def scatter(self, tokens: Float[Tensor, "n c"]) -> Float[Tensor, "h w c"]:
        """The map of tokens, in planes of channels if theirs lie in planes."""
        channels = tokens.shape[1]
        if tokens.is_contiguous():
            x = tokens.new_empty(self.height, self.width, channels)
        else:
            x = tokens.new_empty(channels, self.height, self.width).permute(1, 2, 0)
        for run, place in self._rows(x, self._whole()):
            place.copy_(tokens[run].unflatten(0, place.shape[:-1]))
        return x

    def _rows(self, x: Float[Tensor, "h w *c"], band: Band) -> Iterator[tuple[slice, Float[Tensor, "n p q *c"]]]:
        """Windows of a band that lie side by side on a map: which of the band's tokens, and a view of the map."""
        areas = list(self._areas())
        for tiles in band:
            whole, (rows, columns) = next(area for area in areas if area[0].start <= tiles.start < area[0].end)
            size = tiles.height * tiles.width
            windows = x[rows, columns].unflatten(0, (-1, tiles.height)).unflatten(2, (-1, tiles.width)).transpose(1, 2)
            first = (tiles.start - whole.start) // size
            at, last, across = first, first + tiles.count, windows.shape[1]
            while at < last:
                row, column = divmod(at, across)
                count = min(across - column, last - at)
                start = tiles.start - band[0].start + (at - first) * size
                yield slice(start, start + count * size), windows[row, column : column + count]
                at += count

    def _whole(self) -> Band:
        return [tiles for tiles, _ in self._areas()]

    def _areas(self) -> Iterator[tuple[Tiles, tuple[slice, slice]]]:
        start = 0
        for rows, height in _runs(self.height, self.side):
            for columns, width in _runs(self.width, self.side):
                size = (rows.stop - rows.start) * (columns.stop - columns.start)
                tiles = Tiles(start, size // (height * width), height, width, self.side**2 - height * width)
                yield tiles, (rows, columns)
                start = tiles.end


def _runs(length: int, side: int) -> list[tuple[slice, int]]:
    """Whole windows along a side of the map, and what is left of the last one, each with their length."""
    rest = length % side
    runs = [(slice(0, length - rest), side), (slice(length - rest, length), rest)]
    return [(run, size) for run, size in runs if run.stop > run.start]
