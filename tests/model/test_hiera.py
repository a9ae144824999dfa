from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from masklet.model.config import HieraConfig
from masklet.model.efficientnet import EfficientNetLite
from masklet.model.hiera import Hiera, HieraBlock, from_windows, to_windows

CONFIG = HieraConfig(8, 1, (1, 2, 3, 1), (4,), (8, 4, 6, 3), position_grid=3)


@given(height=st.integers(1, 20), width=st.integers(1, 20), window=st.integers(1, 9), batch=st.integers(1, 2))
def test_windows_go_back_to_the_map(height: int, width: int, window: int, batch: int):
    x = torch.arange(batch * height * width * 2, dtype=torch.float32).reshape(batch, height, width, 2)
    windows = to_windows(x, window)
    assert windows.shape == (batch * -(-height // window) * -(-width // window), window, window, 2)
    assert windows.sum() == x.sum()  # padded with zeros
    assert torch.equal(from_windows(windows, height, width), x)


def test_windows_run_along_rows_first():
    x = torch.arange(24.0).reshape(1, 4, 6, 1)
    windows = to_windows(x, 2)[..., 0]
    assert windows[1].tolist() == [[2, 3], [8, 9]]
    assert windows[3].tolist() == [[12, 13], [18, 19]]


def test_padding_takes_part_in_attention():
    torch.manual_seed(0)
    block = HieraBlock(8, 8, 1, window=3, drop_path=0.0).eval()
    x = torch.randn(1, 4, 4, 8)
    y = block(x)
    normed = F.pad(block.norm1(x), (0, 0, 0, 2, 0, 2))
    corner = block.attention(normed[:, 3:, 3:])[:, :1, :1]  # one real token and eight of padding
    expected = x[:, 3:, 3:] + corner
    expected = expected + block.mlp(block.norm2(expected))
    assert torch.allclose(y[:, 3:, 3:], expected, atol=1e-5)
    alone = x[:, 3:, 3:] + block.attention(block.norm1(x)[:, 3:, 3:])
    assert not torch.allclose(y[:, 3:, 3:], alone + block.mlp(block.norm2(alone)), atol=1e-3)


def test_an_opening_block_attends_in_the_windows_of_the_stage_before():
    trunk = Hiera(CONFIG)
    assert [block.window for block in trunk.blocks] == [8, 8, 4, 4, 0, 6, 6]
    assert [block.opens_stage for block in trunk.blocks] == [False, True, False, True, False, False, True]
    assert [block.attention.heads for block in trunk.blocks] == [1, 2, 2, 4, 4, 4, 8]


@pytest.mark.parametrize("size", [(32, 32), (64, 64), (96, 96), (160, 160), (32, 96), (160, 64)])
@pytest.mark.parametrize("trunk", [Hiera(CONFIG), EfficientNetLite()], ids=["hiera", "efficientnet"])
def test_maps_of_any_multiple_of_32(trunk: torch.nn.Module, size: tuple[int, int]):
    widths = CONFIG.stage_widths if isinstance(trunk, Hiera) else (24, 40, 112, 320)
    with torch.no_grad():
        maps = trunk.eval()(torch.randn(1, 3, *size))
    assert [tuple(m.shape) for m in maps] == [
        (1, w, size[0] // s, size[1] // s) for w, s in zip(widths, (4, 8, 16, 32), strict=True)
    ]
    assert all(m.isfinite().all() for m in maps)


def test_positions_are_a_resized_background_and_tiled_windows():
    trunk = Hiera(CONFIG)
    torch.nn.init.normal_(trunk.position)
    torch.nn.init.normal_(trunk.window_position)
    code = trunk.position_map(20, 20).detach()
    background = F.interpolate(trunk.position.detach(), size=(20, 20), mode="bicubic").permute(0, 2, 3, 1)
    tiled = (code - background)[0]
    assert torch.allclose(tiled[:8, :8], trunk.window_position.detach()[0].permute(1, 2, 0), atol=1e-5)
    assert torch.allclose(tiled[8:16, :8], tiled[:8, :8], atol=1e-5)
    assert torch.allclose(tiled[16:, 16:], tiled[:4, :4], atol=1e-5)  # cut where the map ends


def test_drop_path_rises_over_the_depth():
    rates = [block.drop_path.rate for block in Hiera(CONFIG, drop_path=0.6).blocks]
    assert rates == pytest.approx([0.1 * i for i in range(7)])
