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


def starting_model(
    start: str, config: ModelConfig | None = None, seed: int = 0, drop_path: float = 0.0, dropout: float = 0.0
) -> Sam2:
    """The model that a run starts from.

    Args:
        start: A name or file of weights; ``random`` for random weights; ``matching`` for random weights in which memory
            attention starts as appearance matching; ``pretrained-trunk`` for random weights around an ImageNet trunk
            (light trunk only); ``pretrained`` for both.
        config: The model of those four. Named weights and files bring their own; where another one is given, it starts
            from their tensors of equal name and shape, and is random elsewhere.
        seed: Of random weights.
        drop_path: Stochastic depth of a Hiera trunk.
        dropout: Of memory attention.

    Raises:
        ValueError: A configuration is missing, or has nothing to take from the weights.
        ModuleNotFoundError: The package with the ImageNet weights is not installed.
    """
    if start not in MADE:
        trained = load(start)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = Sam2(trained.config if config is None else config, drop_path=drop_path, dropout=dropout)
        carry_over(trained, model)
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
        model = Sam2(config, drop_path=drop_path, dropout=dropout)
        if start in (TRUNK, PRETRAINED):
            assert isinstance(model.image_encoder.trunk, EfficientNetLite)
            load_pretrained(model.image_encoder.trunk)
        if start in (MATCHING, PRETRAINED):
            start_as_matching(model)
    return model


@torch.no_grad()
def carry_over(trained: Sam2, model: Sam2) -> None:
    """Copy what two models have in common: tensors of equal name and shape, and the time codes of the same slots.

    Raises:
        ValueError: That is less than half of the second model's weights.
    """
    source, copied = trained.state_dict(), 0
    for name, value in model.state_dict().items():
        old = source.get(name)
        if old is not None and old.shape == value.shape:
            value.copy_(old)
            copied += value.numel()
    old, new = trained.memory_tokens.time, model.memory_tokens.time
    if old.shape[1] == new.shape[1]:  # the last row is that of prompted frames
        recent = min(len(old), len(new)) - 1
        new[:recent], new[-1] = old[:recent], old[-1]
    total = sum(value.numel() for value in model.state_dict().values())
    if 2 * copied < total:
        raise ValueError(
            f"only {copied / total:.0%} of the model's weights have a match among those it should start from: "
            f"set model to None, or start to {RANDOM!r}"
        )


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
