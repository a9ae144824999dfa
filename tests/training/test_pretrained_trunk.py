from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from masklet.model.efficientnet import STAGES, EfficientNetLite
from masklet.training import pretrained_trunk
from masklet.training.pretrained_trunk import BATCH_NORM_EPS, load_pretrained, pretrained_path


def unfolded_state() -> dict[str, torch.Tensor]:
    """Random weights in the layout of the package: convolutions and batch norms apart."""
    g = torch.Generator().manual_seed(0)
    state: dict[str, torch.Tensor] = {}

    def put(conv: str, norm: str, *shape: int) -> None:
        state[f"{conv}.weight"] = torch.randn(shape, generator=g) * 0.2
        for part in ("weight", "bias", "running_mean"):
            state[f"{norm}.{part}"] = torch.randn(shape[0], generator=g) * 0.2 + (part == "weight")
        state[f"{norm}.running_var"] = torch.rand(shape[0], generator=g) + 0.5

    put("_conv_stem", "_bn0", 32, 3, 3, 3)
    channels, index = 32, 0
    for repeats, kernel, _, expansion, width in STAGES:
        for _ in range(repeats):
            block, hidden = f"_blocks.{index}", channels * expansion
            if expansion > 1:
                put(f"{block}._expand_conv", f"{block}._bn0", hidden, channels, 1, 1)
            put(f"{block}._depthwise_conv", f"{block}._bn1", hidden, 1, kernel, kernel)
            put(f"{block}._project_conv", f"{block}._bn2", width, hidden, 1, 1)
            channels, index = width, index + 1
    return state


def test_batch_norm_and_input_range_are_folded_in(tmp_path: Path):
    state = unfolded_state()
    torch.save(state, tmp_path / "w.pth")
    trunk = EfficientNetLite()
    load_pretrained(trunk, tmp_path / "w.pth")
    pixels = torch.randint(0, 256, (1, 3, 32, 32)).float()
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        parts = (state[f"{name}.{p}"] for p in ("running_mean", "running_var", "weight", "bias"))
        return F.batch_norm(x, *parts, eps=BATCH_NORM_EPS)

    # Inside, so that no padding is seen: there the folded shift cannot know what the border was.
    theirs = norm(F.conv2d(F.pad((pixels - 127) / 128, (0, 1, 0, 1)), state["_conv_stem.weight"], stride=2), "_bn0")
    ours = trunk.stem((pixels / 255 - mean) / std)
    assert torch.allclose(ours[..., :-1, :-1], theirs[..., :-1, :-1], atol=1e-3)
    x = torch.randn(1, 32, 8, 8)
    block = "_blocks.0"
    y = F.relu6(norm(F.conv2d(x, state[f"{block}._depthwise_conv.weight"], padding=1, groups=32), f"{block}._bn1"))
    y = norm(F.conv2d(y, state[f"{block}._project_conv.weight"]), f"{block}._bn2")
    assert torch.allclose(trunk.stages[0][0](x), y, atol=1e-4)  # pyright: ignore[reportIndexIssue]


def test_without_the_package_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pretrained_trunk.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'masklet\[train\]'"):
        pretrained_path()
