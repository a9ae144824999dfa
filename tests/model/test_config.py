from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from masklet.model.config import CONFIGS, ModelConfig, with_image_size
from masklet.model.sam2 import build

# Elements of the released files (ours hold the same in three tensors less: one for the codes of all labels).
RELEASED = {
    "sam2_hiera_tiny": 38_946_242,
    "sam2_hiera_small": 46_044_098,
    "sam2_hiera_base_plus": 80_833_922,
    "sam2_hiera_large": 224_430_386,
    "sam2.1_hiera_tiny": 38_962_754,
    "sam2.1_hiera_small": 46_060_610,
    "sam2.1_hiera_base_plus": 80_850_434,
    "sam2.1_hiera_large": 224_446_898,
}
TRUNKS = {"tiny": 26_849_472, "small": 33_947_328, "base_plus": 68_675_712, "large": 212_149_296}


@pytest.mark.parametrize("name", RELEASED)
def test_an_official_model_has_as_many_weights_as_was_released(name: str):
    with torch.device("meta"):
        model = build(CONFIGS[name])
    assert sum(value.numel() for value in model.state_dict().values()) == RELEASED[name]
    trunk = sum(p.numel() for p in model.image_encoder.trunk.parameters())
    assert trunk == TRUNKS[name.split("hiera_")[1]]


def test_nano_fits_into_15_megabytes_of_half_precision():
    with torch.device("meta"):
        model = build(CONFIGS["nano"])
    assert sum(value.numel() for value in model.state_dict().values()) * 2 < 15e6


@pytest.mark.parametrize(("size", "nearest"), [(0, 32), (-64, 32), (100, 96), (1000, 992), (1023, 1024), (31, 32)])
def test_a_size_that_is_no_multiple_of_32_is_refused(size: int, nearest: int):
    with pytest.raises(ValueError, match=rf"positive multiple of 32, got {size}; the nearest is {nearest}$"):
        ModelConfig(image_size=size)
    with pytest.raises(ValueError, match=f"got {size}"):
        with_image_size(CONFIGS["nano"], size)


def test_with_image_size():
    nano = CONFIGS["nano"]
    assert with_image_size(nano, None) is nano
    assert with_image_size(nano, 256) == replace(nano, image_size=256)


def test_widths_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match=r"width \(100\) must be a multiple of memory_width \(64\)"):
        ModelConfig(width=100)
