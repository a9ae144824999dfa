from __future__ import annotations

import pytest
import torch

from masklet.model.hiera import pool, to_windows
from masklet.model.window_order import WindowOrder

SIZES = [(8, 8, 4), (10, 12, 4), (4, 18, 14), (6, 6, 14), (3, 5, 2)]


def numbered(height: int, width: int) -> torch.Tensor:
    return torch.arange(1, 1 + height * width).view(height, width, 1).float()


@pytest.mark.parametrize(("height", "width", "side"), SIZES)
def test_tiles_hold_the_windows_without_their_filling(height: int, width: int, side: int):
    order, x = WindowOrder(height, width, side), numbered(height, width)
    tokens = order.gather(x)
    got = {}
    for band in order.bands(10**6):
        for tiles in band:
            windows = tokens[tiles.start : tiles.end].view(tiles.count, -1)
            got.update({window.tolist()[0]: (sorted(window.tolist()), tiles.missing) for window in windows})
    wanted = {}
    for window in to_windows(x[None], side).flatten(1):
        real = sorted(window[window > 0].tolist())
        wanted[real[0]] = (real, side**2 - len(real))
    assert got == wanted


@pytest.mark.parametrize(("height", "width", "side"), SIZES)
def test_scatter_undoes_gather(height: int, width: int, side: int):
    order, x = WindowOrder(height, width, side), numbered(height, width)
    assert torch.equal(order.scatter(order.gather(x)), x)


@pytest.mark.parametrize(("height", "width", "side"), SIZES)
def test_scatter_keeps_channels_together_or_apart(height: int, width: int, side: int):
    order, x = WindowOrder(height, width, side), torch.randn(height, width, 3)
    tokens = order.gather(x)
    planes = order.scatter(tokens.T.contiguous().T)
    assert torch.equal(planes, x)
    assert planes.permute(2, 0, 1).is_contiguous()
    assert order.scatter(tokens).is_contiguous()


@pytest.mark.parametrize("tokens", [1, 20, 33, 50, 10**6])
@pytest.mark.parametrize(("height", "width", "side"), SIZES)
def test_gather_by_bands_gives_the_tokens_one_after_the_other(height: int, width: int, side: int, tokens: int):
    order, x = WindowOrder(height, width, side), torch.randn(height, width, 2, 3)
    parts = [order.gather(x, band) for band in order.bands(tokens)]
    assert torch.equal(torch.cat(parts), order.gather(x))


@pytest.mark.parametrize("tokens", [1, 20, 33, 10**6])
def test_bands_are_runs_of_whole_windows(tokens: int):
    order = WindowOrder(10, 14, 4)
    at = 0
    for band in order.bands(tokens):
        assert len(band) == 1 or band[-1].end - band[0].start <= tokens
        for tiles in band:
            assert tiles.start == at
            at = tiles.end
    assert at == 140


@pytest.mark.parametrize(("height", "width", "side"), [(8, 8, 4), (10, 12, 4), (4, 18, 14)])
def test_pooling_keeps_the_order(height: int, width: int, side: int):
    order, x = WindowOrder(height, width, side), numbered(height, width)
    tokens, pooled = order.gather(x), []
    for band in order.bands(20):
        for tiles in band:
            windows = tokens[tiles.start : tiles.end].view(tiles.count, tiles.height, tiles.width, 1)
            pooled.append(pool(windows).flatten(0, 2))
    assert torch.equal(torch.cat(pooled), order.halved().gather(pool(x[None])[0]))
