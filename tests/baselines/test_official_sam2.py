"""What can be told without the official code; with it, ``tests/parity/test_trackers.py`` compares masks."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from masklet.baselines.official_sam2 import OfficialSegmenter, OfficialTracker, official_config
from masklet.model.config import CONFIGS, NANO, with_image_size
from tiny_model import tiny_model


def test_each_official_model_has_its_file():
    assert official_config(CONFIGS["sam2.1_hiera_base_plus"]) == "configs/sam2.1/sam2.1_hiera_b+.yaml"
    assert official_config(with_image_size(CONFIGS["sam2_hiera_tiny"], 512)) == "configs/sam2/sam2_hiera_t.yaml"
    assert len({official_config(config) for name, config in CONFIGS.items() if name != "nano"}) == 8


@pytest.mark.parametrize("config", [NANO, replace(CONFIGS["sam2_hiera_tiny"], memories=4)])
def test_other_models_are_refused(config):
    with pytest.raises(
        ValueError, match="the official code has no model with this configuration, only sam2_hiera_tiny"
    ):
        official_config(config)


@pytest.mark.parametrize("adapter", [OfficialTracker, OfficialSegmenter])
def test_a_missing_package_is_named(adapter, monkeypatch):
    monkeypatch.setitem(sys.modules, "sam2", None)
    monkeypatch.setattr("masklet.baselines.official_sam2.official_config", lambda config: "configs/any.yaml")
    with pytest.raises(ImportError, match="pip install sam2"):
        adapter(tiny_model())
