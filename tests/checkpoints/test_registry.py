from __future__ import annotations

import pytest
import torch

from golden_weights import OFFICIAL
from masklet.checkpoints.load import _Unfilled
from masklet.checkpoints.registry import REGISTRY, entry, find
from masklet.model.config import CONFIGS
from masklet.model.memory_bank import MemoryBank
from masklet.model.sam2 import build
from masklet.structures import Prompts


def test_every_configuration_has_an_entry():
    assert set(REGISTRY) == set(CONFIGS) == {"nano", *OFFICIAL}


@pytest.mark.parametrize("name", CONFIGS)
def test_parameters_are_counted_right(name: str):
    with _Unfilled():
        assert sum(p.numel() for p in build(CONFIGS[name]).parameters()) == REGISTRY[name].parameters


@pytest.mark.parametrize("name", CONFIGS)
@torch.inference_mode()
def test_every_model_runs_on_small_images(name: str):
    """With random weights; 32 is the smallest input, and at 96 no map is a whole number of windows."""
    generator = torch.Generator().manual_seed(0)
    config = CONFIGS[name]
    with _Unfilled():
        model = build(config).eval()
    for value in model.state_dict().values():
        value.uniform_(-0.05, 0.05, generator=generator)
    for size in (32, 96):
        features = model.encode_image(torch.rand(1, 3, size, size, generator=generator))
        assert features.embedding.shape == (1, config.width, size // 16, size // 16)
        assert features.embedding.flatten(2).std(2).mean() > 0
        click = Prompts(points=torch.full((1, 1, 2), size / 2), labels=torch.ones(1, 1, dtype=torch.long))
        prediction = model.predict(features, MemoryBank(model.limits).read(0), click)
        assert prediction.logits.shape == (1, 1, size // 4, size // 4)
        assert prediction.logits.isfinite().all()
        memory = model.encode_memory(features, prediction).features
        assert memory is not None
        assert memory.isfinite().all()


def test_licences():
    assert {REGISTRY[name].license for name in OFFICIAL} == {"Apache-2.0"}
    assert "weights: trained on research data, see docs/nano.md" in REGISTRY["nano"].license


def test_addresses():
    large = REGISTRY["sam2.1_hiera_base_plus"]
    assert large.url == "https://dl.fbaipublicfiles.com/segment_anything_2/092824/sam2.1_hiera_base_plus.pt"
    assert large.repository == "facebook/sam2.1-hiera-base-plus"
    assert large.file_name == "sam2.1_hiera_base_plus.pt"
    assert (
        REGISTRY["sam2_hiera_tiny"].url == "https://dl.fbaipublicfiles.com/segment_anything_2/072824/sam2_hiera_tiny.pt"
    )
    assert REGISTRY["nano"].shipped
    assert REGISTRY["nano"].file_name == "nano.safetensors"


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("nano", "nano"),
        ("tiny", "sam2.1_hiera_tiny"),
        ("b+", "sam2.1_hiera_base_plus"),
        ("sam2-large", "sam2_hiera_large"),
        ("sam2.1-hiera-base-plus", "sam2.1_hiera_base_plus"),
        ("facebook/sam2-hiera-small", "sam2_hiera_small"),
        (" SAM2.1_Hiera_Tiny ", "sam2.1_hiera_tiny"),
    ],
)
def test_aliases(given: str, name: str):
    assert entry(given).name == name


@pytest.mark.parametrize("given", ["", "sam2", "huge", "other/sam2.1-hiera-tiny", "sam2.1_hiera_tiny.pt"])
def test_no_alias(given: str):
    assert find(given) is None


def test_an_unknown_name_lists_close_ones():
    with pytest.raises(ValueError, match=r"did you mean sam2.1_hiera_tiny"):
        entry("sam2.1_hiera_tinny")
    with pytest.raises(ValueError, match=r"the names are nano, "):
        entry("xyzzy")
