from __future__ import annotations

import dataclasses
import json

import pytest

from masklet.checkpoints import config_text
from masklet.model.config import CONFIGS, with_image_size


@pytest.mark.parametrize("name", CONFIGS)
def test_a_configuration_survives(name: str):
    for size in (None, 512):
        config = with_image_size(CONFIGS[name], size)
        text = config_text.write(config)
        assert json.loads(text)["model"] == name
        assert config_text.read(text) == config
        assert config_text.name_of(config) == name


def test_a_model_of_ones_own_survives_without_a_name():
    config = dataclasses.replace(CONFIGS["nano"], attention_heads=1, rope_theta=7.0)
    assert config_text.name_of(config) is None
    assert config_text.read(config_text.write(config)) == config


def test_a_bare_name_will_do():
    assert config_text.read("nano") == config_text.read('{"model": "nano"}') == CONFIGS["nano"]


@pytest.mark.parametrize(
    "text", ["nanno", "{", "[]", "{}", '{"config": {}}', '{"config": 3}', '{"config": {"trunk": {"kind": "vit"}}}']
)
def test_other_text(text: str):
    with pytest.raises(ValueError, match=r"got "):
        config_text.read(text)


def test_a_field_of_the_future():
    content = json.loads(config_text.write(CONFIGS["nano"]))
    content["config"]["experts"] = 8
    with pytest.raises(ValueError, match=r"experts.*update masklet"):
        config_text.read(json.dumps(content))
