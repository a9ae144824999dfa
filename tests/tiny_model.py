"""A random model that is small enough for tests and lively enough for them to fail, and a clip for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from masklet.model.config import NANO, HieraConfig, ModelConfig
from masklet.model.sam2 import Sam2, build, no_prompt
from masklet.structures import MemoryEntry, Selection

HEIGHT, WIDTH = 48, 72
DISC = (22, 19)  # a pixel of each object in frame 0
SQUARE = (54, 31)

SMALL_NANO = replace(
    NANO,
    image_size=64,
    width=32,
    memory_width=16,
    attention_hidden=32,
    decoder_hidden=32,
    decoder_skips=(16, 8),
    mask_memory_widths=(4, 8, 8, 16),
)
SMALL_HIERA = replace(
    SMALL_NANO,
    trunk=HieraConfig(8, 1, (1, 1, 2, 1), (3,), (4, 4, 6, 3), position_grid=3),
    memories=7,
    prompted_weight=1.0,
    stage_norm=False,
    neck_blocks=0,
    click_features=False,
)
SMALL_GRU = replace(SMALL_HIERA, pointers=0, recurrent_memory=True)


def tiny_model(config: ModelConfig = SMALL_HIERA, seed: int = 0) -> Sam2:
    """Random weights, in which memory and prompts weigh more than an untrained model gives them."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = build(config)
        state = model.state_dict()
        for name, value in state.items():
            if name.endswith(("memory_tokens.time", "no_object_memory", "no_object_pointer", "no_memory")):
                value.normal_(std=0.5)
            elif name.startswith("memory_encoder.fuser") and name.endswith("scale"):
                value.fill_(0.5)
            elif name.startswith(("memory_attention.layers", "mask_decoder", "memory_encoder")) and value.ndim > 1:
                value.mul_(2.0)
        state["mask_decoder.presence_head.layers.2.bias"].fill_(2.0)
    return model


def lively(config: ModelConfig, dtype: torch.dtype = torch.float32) -> Sam2:
    """A model whose mask decoder's norms and biases are not those of a new one."""
    model, generator = tiny_model(config), torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in model.mask_decoder.parameters():
            if weight.ndim == 1:
                weight.add_(0.3 * torch.randn(weight.shape, generator=generator))
    return model.to(dtype)


def clip(frames: int, height: int = HEIGHT, width: int = WIDTH) -> list[np.ndarray]:
    """A red disc and a blue square that move over a wavy background; RGB ``uint8``."""
    yy, xx = np.mgrid[0:height, 0:width].astype(np.float64)
    made = []
    for t in range(frames):
        background = 110 + 50 * np.sin(xx / 6 + 0.3 * t) * np.cos(yy / 5)
        frame = np.stack([background, 0.8 * background + 20, 1.1 * background - 10], -1)
        frame[disc(t, height, width)] = (220, 60, 40)
        frame[(abs(xx - width * (0.75 - 0.01 * t)) < 0.12 * height) & (abs(yy - 0.65 * height) < 0.12 * height)] = (
            40,
            80,
            210,
        )
        made.append(np.clip(np.rint(frame), 0, 255).astype(np.uint8))
    return made


def disc(t: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Mask of the red disc."""
    yy, xx = np.mgrid[0:height, 0:width]
    return (xx - width * (0.3 + 0.01 * t)) ** 2 + (yy - height * 0.4) ** 2 < (0.2 * height) ** 2


def pass_of(model: Sam2) -> dict[str, Tensor]:
    """A frame without memory and one with it."""
    image = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        features = model.encode_image(image)
        first = model.predict(features, Selection(), no_prompt(1, model.device))
        entry = model.encode_memory(features, first)
        kept = MemoryEntry(entry.features.bfloat16(), entry.pointer)
        second = model.predict(features, Selection(maps=((0, kept),), pointers=((1, kept),)))
    return {"embedding": features.embedding, "first": first.logits, "memory": entry.features, "second": second.logits}
