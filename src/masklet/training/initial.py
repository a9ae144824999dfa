"""What a run starts from: trained weights, random ones, or random ones that already know how to look and to compare."""

from __future__ import annotations

import torch

from ..checkpoints.load import load
from ..model.config import EfficientNetConfig, ModelConfig
from ..model.efficientnet import EfficientNetLite
from ..model.memory_attention import MemoryAttentionLayer
from ..model.sam2 import Sam2
from .pretrained_trunk import load_pretrained

RANDOM, PRETRAINED = "random", "pretrained"
MATCHING, TRUNK = "matching", "pretrained-trunk"  # halves of PRETRAINED
MADE = (RANDOM, MATCHING, TRUNK, PRETRAINED)


def starting_model(start: str, config: ModelConfig | None = None, seed: int = 0, drop_path: float = 0.0) -> Sam2:
    """The model that a run starts from.

    Args:
        start: A name or file of weights; ``random`` for random weights; ``matching`` for random weights in which memory
            attention starts as appearance matching; ``pretrained-trunk`` for random weights around an ImageNet trunk
            (light trunk only); ``pretrained`` for both.
        config: The model of those four; named weights and files bring their own.
        seed: Of random weights.
        drop_path: Stochastic depth of a Hiera trunk.

    Raises:
        ValueError: A configuration is missing, or is given beside weights that have one.
        ModuleNotFoundError: The package with the ImageNet weights is not installed.
    """
    if start not in MADE:
        if config is not None:
            raise ValueError(
                f"start is {start!r}, which brings its own model: set model to None, or start to {RANDOM!r}"
            )
        trained = load(start)
        model = Sam2(trained.config, drop_path=drop_path)
        model.load_state_dict(trained.state_dict())
        return model
    if config is None:
        raise ValueError(f"start is {start!r}: say of which model, or start from a name or file of weights")
    if start in (TRUNK, PRETRAINED) and not isinstance(config.trunk, EfficientNetConfig):
        raise ValueError(
            f"start is {start!r}, but only the light trunk has ImageNet weights here: start from {RANDOM!r} or "
            f"{MATCHING!r}"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Sam2(config, drop_path=drop_path)
        if start in (TRUNK, PRETRAINED):
            assert isinstance(model.image_encoder.trunk, EfficientNetLite)
            load_pretrained(model.image_encoder.trunk)
        if start in (MATCHING, PRETRAINED):
            start_as_matching(model)
    return model


@torch.no_grad()
def start_as_matching(model: Sam2) -> None:
    """Make memory maps an orthonormal view of the embedding, and queries and keys compare in that view."""
    width, narrow = model.config.width, model.config.memory_width
    encoder = model.memory_encoder
    view = torch.linalg.qr(torch.randn(width, narrow)).Q.T  # [narrow width]
    encoder.image.weight.copy_(torch.eye(width)[:, :, None, None])
    encoder.out.weight.copy_(view[:, :, None, None])
    for conv in (encoder.image, encoder.out):
        assert conv.bias is not None
        conv.bias.zero_()
    for layer in model.memory_attention.layers:
        assert isinstance(layer, MemoryAttentionLayer)
        attention = layer.cross_attention
        for head in range(attention.heads):
            rows = slice(head * width // attention.heads, (head + 1) * width // attention.heads)
            size = min(rows.stop - rows.start, narrow)
            attention.query.weight[rows][:size].copy_(view[:size])
            attention.key.weight[rows][:size].copy_(torch.eye(narrow)[:size])
    if model.recurrent_memory is not None:
        model.recurrent_memory.pass_through()
