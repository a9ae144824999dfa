from __future__ import annotations

import dataclasses

import pytest

from golden_weights import OFFICIAL, keys
from masklet.checkpoints.convert import our_name
from masklet.checkpoints.infer import closest, infer, traits, traits_of
from masklet.model.config import CONFIGS, HieraConfig
from masklet.model.sam2 import build


def official(name: str) -> dict[str, tuple[int, ...]]:
    renamed = ((our_name(key, "official"), shape) for key, shape in keys(name).items())
    return {key: shape for key, shape in renamed if key is not None}


@pytest.mark.parametrize("name", OFFICIAL)
def test_official_models_are_told_apart(name: str):
    assert infer(official(name)) == name


def test_nano_is_known(nano):
    assert infer({key: tuple(value.shape) for key, value in nano.state_dict().items()}) == "nano"


def test_no_two_models_share_their_traits():
    assert len({traits_of(config) for config in CONFIGS.values()}) == len(CONFIGS)


@pytest.mark.parametrize(
    "gone", ["image_encoder.neck.", "memory_", "image_encoder.trunk.position", "image_encoder.trunk.blocks.1."]
)
def test_an_incomplete_file_is_still_known(gone: str):
    """So that the error to come can name what is missing."""
    left = {key: shape for key, shape in official("sam2.1_hiera_small").items() if not key.startswith(gone)}
    if gone.endswith("blocks.1."):
        with pytest.raises(ValueError, match=r"sam2.1_hiera_tiny, sam2.1_hiera_small"):  # blocks cannot be counted
            infer(left)
    else:
        assert infer(left) == "sam2.1_hiera_small"


def test_an_unknown_shape_lists_what_was_found():
    config = dataclasses.replace(CONFIGS["sam2_hiera_tiny"], trunk=HieraConfig(blocks=(1, 2, 5, 2), global_blocks=(5,)))
    shapes = {key: tuple(value.shape) for key, value in build(config).state_dict().items()}
    assert traits(shapes) == traits_of(config)
    with pytest.raises(ValueError, match=r"no known model \(found trunk hiera, blocks \(1, 2, 5, 2\), .* version 2\.0"):
        infer(shapes)


def test_too_little_to_tell():
    with pytest.raises(ValueError, match=r"too few tensors to tell sam2_hiera_tiny, .* apart"):
        infer({"prompt_encoder.labels_embedding": (4, 256)})


@pytest.mark.parametrize("name", OFFICIAL)
@pytest.mark.parametrize("gone", [".blocks.1.", ".blocks.2.shortcut.", "memory_attention.layers.3.", "memory_"])
def test_the_closest_model_of_an_incomplete_file(name: str, gone: str):
    assert closest({key: shape for key, shape in official(name).items() if gone not in key}) == name


def test_the_closest_model_among_some():
    shapes = official("sam2.1_hiera_small")
    assert closest(shapes, ["nano", "sam2_hiera_small", "sam2.1_hiera_large"]) == "sam2_hiera_small"
    with_other_shapes = {key: (1, *shape) for key, shape in shapes.items()}
    assert closest(with_other_shapes) == "sam2.1_hiera_small"
