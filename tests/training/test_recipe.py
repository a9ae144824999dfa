from __future__ import annotations

import json
from dataclasses import replace

import pytest
from toy_source import STAGE, TOY, Discs, toy

from masklet.model.config import NANO, HieraConfig
from masklet.training.recipe import Recipe, Stage, completed, differences, override


def test_stages_follow_one_another():
    stages = (replace(STAGE, until=0.25), replace(STAGE, until=1.0, size=96))
    recipe = toy(stages=stages)
    assert [recipe.stage(p).size for p in (0.0, 0.2, 0.25, 0.9, 1.0)] == [64, 64, 96, 96, 96]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"stages": ()}, "the last at 1.0"),
        ({"stages": (replace(STAGE, until=0.5),)}, r"got \[0.5\]"),
        ({"stages": (STAGE, STAGE)}, "growing"),
        ({"steps": None}, "a run needs an end"),
        ({"sources": (Discs("clip"),)}, "needs a source of images"),
        ({"sources": (Discs("image"), Discs("clip", weight=0.0))}, "needs a source of clips"),
    ],
)
def test_impossible_recipes(changes: dict, says: str):
    with pytest.raises(ValueError, match=says):
        toy(**changes)


def test_a_source_of_one_kind_is_enough_for_steps_of_that_kind():
    toy(sources=(Discs("image"),), stages=(replace(STAGE, clips=0.0),))


def test_a_recipe_is_written_as_plain_values():
    described = TOY.described()
    assert json.loads(json.dumps(described)) == described
    assert described["optimisation"]["rate"] == 1e-3
    assert described["stages"][0]["size"] == 64


def test_differences_are_named():
    other = toy(seed=4, stages=(replace(STAGE, size=96),))
    assert differences(TOY.described(), other.described()) == ["seed: 0 -> 4", "stages.0.size: 64 -> 96"]
    assert differences(TOY.described(), TOY.described()) == []


def test_an_older_recipe_has_the_defaults_of_newer_fields():
    """At the top, in a part, in one of several stages and sources; what has no default stays missing."""
    old = TOY.described()
    del old["dropout"], old["distillation"], old["optimisation"]["lora"], old["stages"][0]["frames"]
    del old["sources"][1]["uneven"], old["name"]
    filled = completed(old, toy(dropout=0.1, stages=(replace(STAGE, frames=5),)))
    assert differences(filled, TOY.described()) == ["name: None -> toy", f"stages.0.frames: 8 -> {STAGE.frames}"]
    assert "dropout" not in old
    assert completed({**old, "stages": None}, TOY)["stages"] is None


def test_fields_are_overridden_by_their_path():
    changed = override(
        TOY,
        {
            "steps": "12",
            "optimisation.rate": "1",
            "optimisation.average": "None",
            "stages.0.size": "128",
            "optimisation.freeze": '["image_encoder.*"]',
            "rollout.loss.full_size": "false",
            "start": "tiny.pt",
            "model.memories": "3",
        },
    )
    assert isinstance(changed, Recipe)
    assert changed.steps == 12
    assert changed.optimisation.rate == 1.0
    assert changed.optimisation.average is None
    assert changed.stages == (replace(STAGE, size=128),)
    assert changed.optimisation.freeze == ("image_encoder.*",)
    assert changed.rollout.loss.full_size is False
    assert changed.start == "tiny.pt"
    assert changed.model == replace(NANO, memories=3)
    assert changed.rollout.interaction == TOY.rollout.interaction


def test_what_is_no_text_is_taken_as_it_is():
    trunk = HieraConfig(width=32)
    assert override(TOY, {"model.trunk": trunk, "steps": "3"}) == toy(model=replace(NANO, trunk=trunk), steps=3)


@pytest.mark.parametrize(
    ("path", "text", "says"),
    [
        ("optimization.rate", "1", "'optimization' is none of name, start"),
        ("optimisation.speed", "1", "'speed' is none of rate"),
        ("stages.3.size", "1", "'3' leads nowhere"),
        ("steps.more", "1", "'more' leads nowhere"),
        ("optimisation.rate", "fast", "must be a float such as 0.001, got 'fast'"),
        ("stages.0.size", "64.5", "must be a int such as 64, got '64.5'"),
        ("rollout.loss.gate", "1", "must be a bool"),
    ],
)
def test_unknown_fields_and_values(path: str, text: str, says: str):
    with pytest.raises(ValueError, match=says):
        override(TOY, {path: text})


def test_a_stage_knows_its_batches():
    assert Stage(images=3, videos=5).batch("image") == 3
    assert Stage(images=3, videos=5).batch("clip") == 5
