"""On an input that is not square every part of the model gives what the official part gives.

The official model as a whole refuses such an input, its parts take it once they are told the grid.
"""

from __future__ import annotations

from importlib.util import find_spec

import pytest
import torch
from torch import Tensor

from golden_run import model_of
from masklet.baselines.official_sam2 import OfficialSegmenter
from masklet.model.memory_tokens import Tokens
from masklet.model.position import sine_map
from masklet.structures import FrameFeatures, Prompts

pytestmark = [
    pytest.mark.parity,
    pytest.mark.usefixtures("torchvision"),
    pytest.mark.skipif(find_spec("sam2") is None, reason="the official code is not installed (PyPI sam2)"),
    pytest.mark.filterwarnings("ignore:.*(torch.jit|antlr4|pkg_resources).*"),
]

HEIGHT, WIDTH = 96, 160
GRID = (HEIGHT // 16, WIDTH // 16)


def flat(x: Tensor) -> Tensor:
    return x.flatten(2).permute(2, 0, 1)  # [hw b c]


def check(ours: Tensor, theirs: Tensor) -> None:
    assert ours.shape == theirs.shape
    assert ours.std() > 0.01
    assert torch.allclose(ours, theirs, atol=1e-4)


@torch.inference_mode()
def test_every_part_agrees():
    model = model_of("sam2.1_hiera_tiny", 128)
    theirs = OfficialSegmenter(model).predictor.model
    random = torch.Generator().manual_seed(0)
    image = torch.randn(1, 3, HEIGHT, WIDTH, generator=random)

    seen, features = theirs.forward_image(image), model.encode_image(image)
    for ours, official in zip((features.skip4, features.skip8, features.embedding), seen["backbone_fpn"], strict=True):
        check(ours, official)

    check_decoder(model, theirs, features, random)
    mask = torch.randn(1, 1, HEIGHT, WIDTH, generator=random) * 10
    remembered = theirs.memory_encoder(features.embedding, mask, skip_mask_sigmoid=True)
    memory = model.memory_encoder(features.embedding, mask)
    check(memory, remembered["vision_features"])
    code = sine_map(*GRID, 64)
    check(code, remembered["vision_pos_enc"][0])

    for layer in theirs.memory_attention.layers:
        for attention in (layer.self_attn, layer.cross_attn_image):
            attention.freqs_cis = attention.compute_cis(end_x=GRID[1], end_y=GRID[0])
    pointers = torch.randn(1, 4, 64, generator=random)
    maps = memory.flatten(2).transpose(1, 2)
    values = torch.cat((maps, -maps, pointers), dim=1)
    codes = torch.cat((*[code.flatten(2).transpose(1, 2)] * 2, torch.zeros_like(pointers)), dim=1)
    attended = theirs.memory_attention(
        flat(features.embedding),
        values.transpose(0, 1),
        flat(seen["vision_pos_enc"][-1]),
        codes.transpose(0, 1),
        num_obj_ptr_tokens=4,
    )
    check(flat(model.memory_attention(features.embedding, Tokens(values, codes, 4))), attended)


def check_decoder(model, theirs, features: FrameFeatures, random: torch.Generator) -> None:
    points, labels = torch.tensor([[[20.0, 70.0], [150.0, 30.0]]]), torch.tensor([[1, 0]])
    previous = torch.randn(1, 1, HEIGHT // 4, WIDTH // 4, generator=random)
    encoder = theirs.sam_prompt_encoder
    encoder.image_embedding_size, encoder.input_image_size = GRID, (HEIGHT, WIDTH)
    sparse, dense = encoder(points=(points, labels), boxes=None, masks=previous)
    masks, iou, _, presence = theirs.sam_mask_decoder(
        features.embedding, encoder.get_dense_pe(), sparse, dense, True, False, [features.skip4, features.skip8]
    )
    answer = model.decode(features.embedding, features, Prompts(points, labels, None, previous), ambiguous=True)
    check(answer.candidates, masks)
    assert torch.allclose(answer.candidate_iou, iou, atol=1e-5)
    assert torch.allclose(answer.presence, presence[:, 0], atol=1e-5)
