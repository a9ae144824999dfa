"""What can be told without transformers; with it, ``tests/parity/test_trackers.py`` compares masks."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from masklet.baselines.transformers_sam2 import TransformersSegmenter, TransformersTracker
from tiny_model import SMALL_NANO, tiny_model

BOTH = pytest.mark.parametrize("adapter", [TransformersTracker, TransformersSegmenter])


@BOTH
def test_a_missing_package_is_named(adapter, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ImportError, match=r"pip install 'masklet\[parity\]'"):
        adapter(tiny_model())


@BOTH
def test_nano_is_refused(adapter, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", ModuleType("transformers"))
    with pytest.raises(ValueError, match="transformers has no SAM 2 model with this trunk"):
        adapter(tiny_model(SMALL_NANO))
