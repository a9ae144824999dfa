from __future__ import annotations

import pytest
import torch
from torch import Tensor

from golden_weights import OFFICIAL, hollow, keys
from masklet.checkpoints.convert import (
    KeyMismatchError,
    detect_layout,
    from_official,
    from_transformers,
    rename,
    to_official,
    to_transformers,
)
from masklet.checkpoints.load import _Unfilled
from masklet.checkpoints.official_keys import OFFICIAL as OFFICIAL_TABLE
from masklet.checkpoints.transformers_keys import MATRIX, MATRIX_AGAIN, TRANSFORMERS
from masklet.model.config import CONFIGS
from masklet.model.sam2 import build


def shapes(state: dict[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in state.items()}


@pytest.fixture(scope="module")
def ours() -> dict[str, dict[str, Tensor]]:
    """Our states of the official models: right shapes, no values."""
    with _Unfilled():
        return {name: hollow(shapes(build(CONFIGS[name]).state_dict())) for name in OFFICIAL}


@pytest.mark.parametrize("name", OFFICIAL)
def test_every_official_tensor_has_its_place(name: str, ours: dict[str, dict[str, Tensor]]):
    official = keys(name)
    assert shapes(from_official(hollow(official))) == shapes(ours[name])
    assert shapes(to_official(ours[name])) == official


@pytest.mark.parametrize("name", OFFICIAL)
def test_every_model_goes_to_transformers_and_back(name: str, ours: dict[str, dict[str, Tensor]]):
    theirs = to_transformers(ours[name])
    assert len(theirs) == len(ours[name]) + 1  # the Fourier matrix twice
    assert shapes(from_transformers(theirs)) == shapes(ours[name])


def test_the_transformers_names_are_theirs(ours: dict[str, dict[str, Tensor]]):
    assert shapes(to_transformers(ours["sam2.1_hiera_tiny"])) == keys("Sam2VideoModel")


def test_the_image_model_has_a_part_of_ours(ours: dict[str, dict[str, Tensor]]):
    image = from_transformers(hollow(keys("Sam2Model")))
    whole = shapes(ours["sam2.1_hiera_tiny"])
    assert shapes(image).items() < whole.items()
    assert {key.split(".")[0] for key in whole.keys() - image.keys()} == {
        "given_mask", "memory_attention", "memory_encoder", "memory_tokens", "no_memory_position", "no_object_memory",
        "no_object_pointer", "pointer",
    }  # fmt: skip


def test_values_survive_both_round_trips(tiny_state: dict[str, Tensor]):
    state = from_official(tiny_state)
    for back in (from_official(to_official(state)), from_transformers(to_transformers(state))):
        assert back.keys() == state.keys()
        assert all(torch.equal(back[key], state[key]) for key in state)
    again = to_official(from_transformers(to_transformers(state)))
    assert again.keys() == tiny_state.keys()
    assert all(torch.equal(again[key], tiny_state[key]) for key in tiny_state)


def test_known_places(tiny_state: dict[str, Tensor]):
    """Names whose swap would keep every shape."""
    theirs = to_transformers(from_official(tiny_state))
    heads, last = "mask_decoder.output_hypernetworks_mlps", "mask_decoder.transformer.final_attn_token_to_image"
    for official, hf in (
        ("image_encoder.neck.convs.3.conv.weight", "vision_encoder.neck.convs.3.weight"),
        ("memory_attention.layers.1.norm2.bias", "memory_attention.layers.1.layer_norm2.bias"),
        (f"sam_{heads}.2.layers.1.weight", f"{heads}.2.layers.0.weight"),
        (f"sam_{heads}.2.layers.0.weight", f"{heads}.2.proj_in.weight"),
        ("obj_ptr_proj.layers.2.bias", "object_pointer_proj.proj_out.bias"),
        ("memory_encoder.fuser.layers.1.gamma", "memory_encoder.memory_fuser.layers.1.scale"),
        ("no_mem_pos_enc", "no_memory_positional_encoding"),
        (f"sam_{last}.k_proj.weight", f"{last}.k_proj.weight"),
    ):  # fmt: skip
        assert torch.equal(theirs[hf], tiny_state[official]), official
    assert torch.equal(
        theirs["prompt_encoder.point_embed.weight"][2:3], tiny_state["sam_prompt_encoder.point_embeddings.2.weight"]
    )


@pytest.mark.parametrize("table", [OFFICIAL_TABLE, TRANSFORMERS], ids=["official", "transformers"])
def test_a_table_maps_one_to_one(table: tuple[tuple[str, str], ...]):
    assert len({left for left, _ in table}) == len({right for _, right in table}) == len(table)
    for left, right in table:
        a, b = left.replace("{}", "7"), right.replace("{}", "7")
        assert rename(f"{a}.weight", table, forward=True) == f"{b}.weight"
        assert rename(f"{b}.weight", table, forward=False) == f"{a}.weight"


def test_one_copy_of_the_matrix_is_enough_and_two_must_agree(tiny_state: dict[str, Tensor]):
    theirs = to_transformers(from_official(tiny_state))
    for absent in (MATRIX, MATRIX_AGAIN):
        one = {key: value for key, value in theirs.items() if key != absent}
        assert torch.equal(from_transformers(one)["prompt_encoder.position.matrix"], theirs[MATRIX])
    with pytest.raises(KeyMismatchError, match=r"two different matrices"):
        from_transformers({**theirs, MATRIX_AGAIN: theirs[MATRIX] + 1})


def test_layouts_are_told_apart(ours: dict[str, dict[str, Tensor]]):
    state = ours["sam2_hiera_small"]
    assert detect_layout(state) == "masklet"
    assert detect_layout(build(CONFIGS["nano"]).state_dict()) == "masklet"
    assert detect_layout(to_official(state)) == "official"
    assert detect_layout(to_transformers(state)) == "transformers"
    assert detect_layout(keys("Sam2Model")) == "transformers"
    with pytest.raises(KeyMismatchError, match=r"1 keys .*\(fc\.weight\)"):
        detect_layout(["fc.weight"])
    with pytest.raises(KeyMismatchError, match=r"none"):
        detect_layout([])


def test_unknown_keys_are_named():
    with pytest.raises(KeyMismatchError, match=r"unknown to the official layout: optimizer"):
        from_official({"optimizer": torch.zeros(1)})
    state = hollow({f"trunk.{i}": (1,) for i in range(20)})
    with pytest.raises(KeyMismatchError, match=r"trunk\.0, .* and 12 more; use layout='masklet'"):
        to_transformers(state)


@pytest.mark.parity
@pytest.mark.parametrize("size", ["tiny", "small", "base_plus", "large"])
@pytest.mark.parametrize("version", ["sam2", "sam2.1"])
def test_live_transformers_has_the_same_keys(version: str, size: str, ours: dict[str, dict[str, Tensor]]):
    transformers = pytest.importorskip("transformers")
    from masklet.checkpoints.transformers_config import transformers_config

    name = f"{version}_hiera_{size}"
    config = transformers.Sam2VideoConfig(**transformers_config(CONFIGS[name]))
    with torch.device("meta"):
        model = transformers.Sam2VideoModel(config)
    assert shapes(to_transformers(ours[name])) == shapes(model.state_dict())
