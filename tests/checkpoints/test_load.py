from __future__ import annotations

import hashlib
import json
import os
import re
import time
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from golden_weights import keys, state
from masklet.checkpoints import hub
from masklet.checkpoints.convert import KeyMismatchError, from_official, to_official, to_transformers
from masklet.checkpoints.load import ModelMismatchError, load, save
from masklet.checkpoints.registry import REGISTRY
from masklet.checkpoints.transformers_keys import MATRIX_AGAIN
from masklet.checkpoints.weight_files import WeightFileError
from masklet.model.config import CONFIGS
from masklet.model.sam2 import Sam2, build
from tiny_model import SMALL_GRU, tiny_model


def same(model: Sam2, other: dict[str, Tensor]) -> bool:
    mine = model.state_dict()
    return mine.keys() == other.keys() and all(torch.equal(mine[key], other[key]) for key in mine)


def test_reading_writing_and_their_errors_are_public():
    import masklet
    from masklet.checkpoints.download import DownloadError
    from masklet.inference.options import SessionOptions

    public = (load, save, SessionOptions, DownloadError, WeightFileError, KeyMismatchError, ModelMismatchError)
    assert tuple(getattr(masklet, value.__name__) for value in public) == public
    assert {value.__name__ for value in public} <= {*masklet.__all__}


def test_a_file_gives_the_model_back(nano: Sam2, nano_file: Path):
    model = load(nano_file)
    assert same(model, nano.state_dict())
    assert model.config == nano.config
    assert not model.training
    assert all(parameter.requires_grad for parameter in model.parameters())
    image = torch.randn(1, 3, 384, 384, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for mine, theirs in zip(model.image_encoder.trunk(image), nano.image_encoder.trunk(image), strict=True):
            assert torch.equal(mine, theirs)


def test_the_file_may_go_while_the_model_lives(nano: Sam2, tmp_path: Path):
    for name in ("w.safetensors", "w.pt"):
        path = save(nano, tmp_path / name)
        model = load(path)
        with path.open("r+b") as file:
            file.write(b"\0" * path.stat().st_size)
        assert same(model, nano.state_dict())


def test_image_size_and_dtype(nano_file: Path):
    model = load(nano_file, image_size=256, dtype=torch.float16)
    assert model.config.image_size == 256
    assert {value.dtype for value in model.state_dict().values()} == {torch.float16}
    with pytest.raises(ValueError, match=r"image_size must be a positive multiple of 32, got 100"):
        load(nano_file, image_size=100)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_a_model_gets_the_type_asked_for(dtype: torch.dtype, nano: Sam2, nano_file: Path):
    assert same(load(nano_file, dtype=dtype), {key: value.to(dtype) for key, value in nano.state_dict().items()})


def test_a_type_without_fractions_is_refused(nano_file: Path):
    with pytest.raises(ValueError, match=r"dtype must be a floating-point type .* got torch\.int8"):
        load(nano_file, dtype=torch.int8)


def test_the_weights_that_ship(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MASKLET_OFFLINE", "1")
    path = hub.shipped_file(REGISTRY["nano"])
    assert path.stat().st_size <= 15_000_000
    stored = load_file(path)
    assert {value.dtype for value in stored.values()} == {torch.float16}
    model = load()
    assert model.config == CONFIGS["nano"]
    assert all(value.isfinite().all() for value in model.state_dict().values())
    assert same(model, {key: value.float() for key, value in stored.items()})


def test_nano_is_the_default_and_needs_no_network(nano: Sam2, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MASKLET_OFFLINE", "1")
    monkeypatch.setattr(hub, "shipped_file", lambda model: tmp_path / model.file_name)
    with pytest.raises(FileNotFoundError, match=r"weights of nano are missing"):
        load()
    save(nano, tmp_path / "nano.safetensors", dtype=torch.float16)
    assert (tmp_path / "nano.safetensors").stat().st_size < 10e6
    model = load()
    assert same(model, {key: value.half().float() for key, value in nano.state_dict().items()})


def test_an_official_file_needs_no_name(tiny_file: Path, tiny_state: dict[str, Tensor]):
    model = load(tiny_file)
    assert model.config == CONFIGS["sam2.1_hiera_tiny"]
    assert same(model, from_official(tiny_state))
    assert load(tiny_file.parent, model="tiny", image_size=512).config.image_size == 512


@pytest.mark.parametrize("layout", ["masklet", "official", "transformers"])
@pytest.mark.parametrize("name", ["w.safetensors", "w.pt"])
def test_every_layout_is_written_and_read(
    layout, name: str, tiny_file: Path, tiny_state: dict[str, Tensor], tmp_path: Path
):
    model = load(tiny_file)
    path = save(model, tmp_path / name, layout)
    assert os.listdir(tmp_path / ".") == [name]
    assert same(load(path, model="sam2.1_hiera_tiny"), model.state_dict())
    written = load_file(path) if path.suffix == ".safetensors" else torch.load(path, weights_only=True)["model"]
    if layout == "official":
        assert written.keys() == tiny_state.keys()
        assert all(torch.equal(written[key], tiny_state[key]) for key in written)
    if layout == "transformers":
        assert {key: tuple(value.shape) for key, value in written.items()} == keys("Sam2VideoModel")


def test_the_file_tells_its_configuration(nano_file: Path):
    with safe_open(nano_file, framework="pt") as file:
        metadata = file.metadata()
    assert metadata["format"] == "pt"
    assert json.loads(metadata["masklet"])["model"] == "nano"


def test_a_model_of_ones_own_comes_back_as_it_was(tmp_path: Path):
    from dataclasses import replace

    config = replace(CONFIGS["nano"], attention_heads=1, attention_layers=1, memories=3, image_size=256)
    model = build(config)
    for name in ("w.safetensors", "w.pt"):
        again = load(save(model, tmp_path / name))
        assert again.config == config
        assert same(again, model.state_dict())
        with pytest.raises(ModelMismatchError, match=r"got a model without a name .*expected nano"):
            load(tmp_path / name, model="nano")


def test_recurrent_memory_comes_back_and_has_no_official_name(tmp_path: Path):
    model = tiny_model(SMALL_GRU)
    for name in ("w.safetensors", "w.pt"):
        again = load(save(model, tmp_path / name))
        assert again.config == SMALL_GRU
        assert same(again, model.state_dict())
    for layout in ("official", "transformers"):
        with pytest.raises(KeyMismatchError, match=r"no name in .*: recurrent_memory\.candidate\.bias, .*use layout"):
            save(model, tmp_path / layout / "w.safetensors", layout)


def test_a_transformers_folder(tiny_file: Path, tmp_path: Path):
    model = load(tiny_file)
    folder = save(model, tmp_path / "repo", "transformers")
    assert sorted(os.listdir(folder)) == ["config.json", "model.safetensors"]
    assert json.loads((folder / "config.json").read_text())["model_type"] == "sam2_video"
    assert same(load(folder), model.state_dict())


def test_a_folder_whose_name_has_dots(tiny_file: Path, tmp_path: Path):
    model = load(tiny_file)
    for name in ("sam2.1_hiera_tiny", "run.v2", "sam2.1"):
        folder = save(model, tmp_path / "out" / name, "transformers")
        assert sorted(os.listdir(folder)) == ["config.json", "model.safetensors"]
    assert same(load(tmp_path / "out" / "sam2.1_hiera_tiny"), model.state_dict())
    for name in ("w.bin", "w.PT", "w.safetensor"):
        with pytest.raises(ValueError, match=r"expected a file that ends in .safetensors, .pt, .pth"):
            save(model, tmp_path / name, "transformers")
    assert os.listdir(tmp_path) == ["out"]


def test_where_a_model_cannot_be_saved(nano: Sam2, tmp_path: Path):
    with pytest.raises(KeyMismatchError, match=r"no name in the official layout: .*use layout='masklet'"):
        save(nano, tmp_path / "w.pt", "official")
    with pytest.raises(ValueError, match=r"use layout='masklet'"):
        save(nano, tmp_path / "folder", "transformers")
    with pytest.raises(ValueError, match=r"expected a file that ends in .safetensors, .pt, .pth"):
        save(nano, tmp_path / "w.onnx")
    with pytest.raises(ValueError, match=r"expected a file"):
        save(nano, tmp_path)
    assert os.listdir(tmp_path) == []


def rewritten(path: Path, source: dict[str, Tensor]) -> Path:
    save_file({key: value.contiguous().clone() for key, value in source.items()}, path)
    return path


def test_missing_and_unexpected_keys_are_named_as_in_the_file(tiny_state: dict[str, Tensor], tmp_path: Path):
    official = {key: value for key, value in tiny_state.items() if not key.startswith("memory_encoder.fuser")}
    official["sam_prompt_encoder.point_embeddings.1.weight"] = official.pop(
        "sam_prompt_encoder.point_embeddings.3.weight"
    )
    official["extra"] = torch.zeros(1)
    with pytest.raises(KeyMismatchError) as error:
        load(rewritten(tmp_path / "w.safetensors", official))
    text = str(error.value)
    assert f"{tmp_path}/w.safetensors: its keys (official layout) do not fit sam2.1_hiera_tiny: missing (19): " in text
    assert "memory_encoder.fuser.layers.0.dwconv.bias, " in text
    assert "and 11 more" in text
    assert "unexpected (1): extra" in text
    theirs = to_transformers(from_official(tiny_state))
    del theirs["prompt_encoder.point_embed.weight"]
    theirs["memory_attention.layer_norm.bias"] = torch.zeros(7)
    theirs["no_object_pointer"] = torch.zeros(1, 256, dtype=torch.int8)
    with pytest.raises(KeyMismatchError) as error:
        load(rewritten(tmp_path / "w.safetensors", theirs))
    assert "missing (1): prompt_encoder.point_embed.weight; " in str(error.value)
    assert "another shape (1): memory_attention.layer_norm.bias is (7,), expected (256,); " in str(error.value)
    assert "not floating point (1): no_object_pointer" in str(error.value)


@pytest.mark.parametrize(
    "gone",
    [
        "image_encoder.trunk.blocks.4.",
        "image_encoder.trunk.blocks.11.",
        "image_encoder.trunk.blocks.1.proj.",
        "memory_attention.layers.2.",
    ],
)
@pytest.mark.parametrize("given", ["file", "model", "name"])
def test_what_a_whole_layer_lacks_is_named(
    gone: str, given: str, tiny_state: dict[str, Tensor], tmp_path: Path, own_cache: Path
):
    """Though the shapes that are left are those of no known model, or of several."""
    lost = sorted(key for key in tiny_state if key.startswith(gone))
    own_cache.mkdir()
    path = own_cache / "sam2.1_hiera_tiny.pt"
    torch.save({**{key: value for key, value in tiny_state.items() if key not in lost}, "extra": torch.zeros(1)}, path)
    source, model = {"file": (path, None), "model": (path, "tiny"), "name": ("sam2.1_hiera_tiny", None)}[given]
    with pytest.raises(KeyMismatchError) as error:
        load(source, model=model)
    text = str(error.value)
    assert f"missing ({len(lost)}): {', '.join(lost[:8])}" in text
    assert "; unexpected (1): extra; " in text
    assert "of another shape" not in text
    assert len(text) < 1500
    if given == "file":
        assert "closest is sam2.1_hiera_tiny (official layout): missing" in text
        assert "give the name of the model" in text
    else:
        assert f"{path}: its keys (official layout) do not fit sam2.1_hiera_tiny: missing" in text
        assert "name of the model" not in text
        assert "give the model's name" not in text


def test_what_a_transformers_file_lacks_is_named_as_there(tiny_state: dict[str, Tensor], tmp_path: Path):
    theirs = to_transformers(from_official(tiny_state))
    del theirs["vision_encoder.backbone.blocks.3.proj.weight"], theirs["vision_encoder.backbone.blocks.3.proj.bias"]
    lost = "missing (2): vision_encoder.backbone.blocks.3.proj.bias, vision_encoder.backbone.blocks.3.proj.weight; "
    with pytest.raises(
        KeyMismatchError, match=re.escape(f"closest is sam2.1_hiera_tiny (transformers layout): {lost}")
    ):
        load(rewritten(tmp_path / "w.safetensors", theirs))


def test_an_incomplete_file_that_cannot_be_nano(tiny_state: dict[str, Tensor], tmp_path: Path):
    left = {key: value for key, value in tiny_state.items() if ".blocks.4." not in key}
    with pytest.raises(ModelMismatchError, match=r"got a file in the official layout, expected nano"):
        load(rewritten(tmp_path / "w.safetensors", left), model="nano")


def test_a_model_of_no_known_shape_is_compared_with_the_closest(tmp_path: Path):
    from dataclasses import replace

    config = replace(CONFIGS["sam2_hiera_tiny"], attention_layers=3)
    with torch.device("meta"):
        shapes = {key: value.shape for key, value in build(config).state_dict().items()}
    rewritten(tmp_path / "w.safetensors", {key: torch.zeros(shape) for key, shape in shapes.items()})
    found = r"no known model \(found .* attention layers 3\)"
    missing = r"missing \(26\): memory_attention\.layers\.3"
    with pytest.raises(KeyMismatchError, match=rf"{found}; closest is sam2_hiera_tiny .*{missing}"):
        load(tmp_path / "w.safetensors")


def test_a_download_that_changed_since_is_said_to_have(own_cache: Path, tiny_file: Path):
    own_cache.mkdir()
    path, noted = own_cache / "sam2.1_hiera_tiny.pt", own_cache / "sam2.1_hiera_tiny.pt.sha256"
    content = tiny_file.read_bytes()
    path.write_bytes(content[:-1000])
    advice = r"it was downloaded .*: delete it and load 'sam2.1_hiera_tiny' again to download it anew"
    noted.write_text(f"{hashlib.sha256(content).hexdigest()}  {path.name}\n")
    for source in ("tiny", path):
        with pytest.raises(WeightFileError, match=rf"{re.escape(str(path))}: got a truncated .*changed since {advice}"):
            load(source)
    torch.save({"model": state(keys("sam2_hiera_tiny"))}, path)
    with pytest.raises(WeightFileError, match=rf"got sam2_hiera_tiny .*changed since {advice}"):
        load("tiny")
    noted.write_text(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n")  # what was downloaded
    with pytest.raises(ModelMismatchError, match=r"^(?!.*changed since)"):
        load("tiny")
    noted.unlink()
    path.write_bytes(content[:-1000])
    with pytest.raises(WeightFileError, match=r"^(?!.*changed since)"):
        load("tiny")


def test_one_matrix_of_transformers_is_enough(tiny_state: dict[str, Tensor], tmp_path: Path):
    theirs = to_transformers(from_official(tiny_state))
    del theirs[MATRIX_AGAIN]
    assert same(load(rewritten(tmp_path / "w.safetensors", theirs)), from_official(tiny_state))


def test_the_image_part_alone_is_refused_by_name(tiny_state: dict[str, Tensor], tmp_path: Path):
    theirs = to_transformers(from_official(tiny_state))
    image = {key: theirs[key] for key in keys("Sam2Model")}
    with pytest.raises(
        KeyMismatchError,
        match=r"image part of a model alone, as transformers' Sam2Model saves it; masklet loads whole models, "
        r"and missing are memory_attention, .*Sam2VideoModel.* facebook/sam2.1-hiera-tiny$",
    ):
        load(rewritten(tmp_path / "w.safetensors", image))


def test_a_2_0_file_for_a_2_1_name_and_the_other_way_round(own_cache: Path, tiny_file: Path, tmp_path: Path):
    older = state(keys("sam2_hiera_tiny"))
    own_cache.mkdir()
    torch.save({"model": older}, own_cache / "sam2.1_hiera_tiny.pt")
    with pytest.raises(ModelMismatchError) as error:
        load("sam2.1_hiera_tiny")
    assert "got sam2_hiera_tiny (SAM 2.0), expected sam2.1_hiera_tiny (SAM 2.1)" in str(error.value)
    assert str(own_cache / "sam2.1_hiera_tiny.pt") in str(error.value)
    assert load(own_cache / "sam2.1_hiera_tiny.pt").config.version == "2.0"
    (own_cache / "sam2_hiera_tiny.pt").symlink_to(tiny_file)
    with pytest.raises(
        ModelMismatchError, match=r"got sam2.1_hiera_tiny \(SAM 2.1\), expected sam2_hiera_tiny \(SAM 2.0\)"
    ):
        load("sam2_hiera_tiny")


def test_another_size_than_the_one_asked_for(tiny_file: Path):
    with pytest.raises(ModelMismatchError, match=r"got sam2.1_hiera_tiny .* expected sam2.1_hiera_large"):
        load(tiny_file, model="sam2.1_hiera_large")
    with pytest.raises(ValueError, match=r"got 'hugee'"):
        load(tiny_file, model="hugee")


def test_two_names_that_disagree(own_cache: Path, tiny_file: Path):
    own_cache.mkdir()
    (own_cache / "sam2.1_hiera_tiny.pt").symlink_to(tiny_file)
    with pytest.raises(ModelMismatchError, match=r"drop one"):
        load("tiny", model="nano")


def test_a_text_that_does_not_fit_its_tensors(nano: Sam2, tmp_path: Path):
    state_ = {key: value.clone() for key, value in nano.state_dict().items()}
    save_file(state_, tmp_path / "w.safetensors", metadata={"masklet": "sam2_hiera_tiny"})
    with pytest.raises(KeyMismatchError, match=r"do not fit sam2_hiera_tiny"):
        load(tmp_path / "w.safetensors")
    save_file(state_, tmp_path / "w.safetensors", metadata={"masklet": "who knows"})
    with pytest.raises(WeightFileError, match=r"w.safetensors: got 'who knows'"):
        load(tmp_path / "w.safetensors")


def test_weights_of_something_else(tmp_path: Path):
    rewritten(tmp_path / "w.safetensors", {"fc.weight": torch.zeros(2, 2)})
    with pytest.raises(KeyMismatchError, match=r"w.safetensors: got 1 keys that are neither .*\(fc.weight\)"):
        load(tmp_path / "w.safetensors")


@pytest.mark.slow
def test_large_loads_at_once(tmp_path: Path):
    large = {key: torch.zeros(shape) for key, shape in keys("sam2.1_hiera_large").items()}
    torch.save({"model": large}, tmp_path / "w.pt")

    def once() -> float:
        begin = time.perf_counter()
        load(tmp_path / "w.pt")
        return time.perf_counter() - begin

    assert min(once() for _ in range(3)) < 2
    assert to_official(load(tmp_path / "w.pt").state_dict()).keys() == large.keys()


@pytest.mark.parity
@pytest.mark.parametrize("version", ["sam2", "sam2.1"])
def test_transformers_reads_what_we_save_and_we_what_it_saves(version: str, tmp_path: Path):
    transformers = pytest.importorskip("transformers")
    name = f"{version}_hiera_tiny"
    torch.save({"model": state(keys(name))}, tmp_path / "w.pt")
    model = load(tmp_path / "w.pt")
    folder = save(model, tmp_path / "ours", "transformers")
    theirs, report = transformers.Sam2VideoModel.from_pretrained(folder, output_loading_info=True)
    assert not any(report.values()), report
    expected = to_transformers(model.state_dict())
    got = theirs.state_dict()
    assert got.keys() == expected.keys()
    assert all(torch.equal(got[key], expected[key]) for key in got)
    defaults = transformers.Sam2VideoConfig().to_dict()
    if version == "sam2.1":  # its defaults are 2.1 tiny
        read = theirs.config.to_dict()
        assert {key: read[key] for key in defaults if key not in ("architectures", "dtype", "_name_or_path")} | {
            part: without_noise(read[part]) for part in PARTS
        } == {key: defaults[key] for key in defaults if key not in ("architectures", "dtype", "_name_or_path")} | {
            part: without_noise(defaults[part]) for part in PARTS
        }
    theirs.save_pretrained(tmp_path / "theirs")
    assert same(load(tmp_path / "theirs", model=name), model.state_dict())
    image, report = transformers.Sam2Model.from_pretrained(folder, output_loading_info=True)
    assert not report["missing_keys"], report
    image.save_pretrained(tmp_path / "image")
    with pytest.raises(KeyMismatchError, match=r"image part"):
        load(tmp_path / "image")


PARTS = ("vision_config", "prompt_encoder_config", "mask_decoder_config")
NOISE = (
    "dtype",
    "_name_or_path",
    "layer_norm_eps",
    "image_size",
    "patch_size",
    "mask_input_channels",
    "num_point_embeddings",
    "scale",
)


def without_noise(config: dict) -> dict:
    """What is left when a mask decoder's description was read as a prompt encoder's, as transformers 5.18 does."""
    inner = {key: without_noise(value) if isinstance(value, dict) else value for key, value in config.items()}
    return {key: value for key, value in inner.items() if key not in NOISE}
