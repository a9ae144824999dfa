from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from masklet.training.batches import make_batch
from masklet.training.recipe import differences
from masklet.training.recipes import RECIPES
from masklet.training.recipes.nano import nano, nano_further
from masklet.training.sources import MadeUpAndRealClips, Photos

SHARED = Path(__file__).parents[3] / "shared" / "data"


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_are_plain_values_and_say_what_they_cost(name: str):
    recipe = RECIPES[name]("data")
    assert recipe.name == name
    assert differences(recipe.described(), RECIPES[name]("data").described()) == []
    text = RECIPES[name].__doc__ or ""
    assert re.search(r"CPU|GPU", text), "on what"
    assert re.search(r"hour|minutes", text, re.IGNORECASE), "how long"
    assert re.search(r"J&F \d|J (from |about )?\.\d|mean IoU.* \.?\d|What it gives", text), "how good"


def test_nano_starts_on_images():
    recipe = nano("data")
    assert recipe.stage(0.0).clips == 0
    assert recipe.stage(0.5).size == 256
    assert recipe.stage(0.9).size == 384
    assert nano_further("data").stage(0.9).frames == 8


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data is not beside the checkout")
@pytest.mark.parametrize("source", [Photos(str(SHARED)), MadeUpAndRealClips(str(SHARED))], ids=["image", "clip"])
def test_sources_give_what_a_stage_asks_for(source):
    stage = nano("data").stage(0.5)
    arrays, name = source.sample(7, np.random.default_rng(0), stage)
    assert "7" in name
    if source.kind == "image":
        assert arrays["images"].shape == (256, 256, 3)
        assert arrays["masks"].shape == (8, 256, 256)
    else:
        assert arrays["frames"].shape == (4, 256, 256, 3)
        assert arrays["masks"].shape == (4, 2, 256, 256)
        assert arrays["labelled"].shape == (4,)
    again, _ = source.sample(7, np.random.default_rng(0), stage)
    assert all(np.array_equal(arrays[k], again[k]) for k in arrays)
    batch = make_batch(nano(str(SHARED)), nano("data").stage(0.1), 0, 0, 2)
    assert batch.arrays["images"].shape == (4, 256, 256, 3)
