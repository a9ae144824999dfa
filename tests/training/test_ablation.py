from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from toy_source import toy

from masklet.checkpoints.load import load
from masklet.model.config import NANO
from masklet.model.image_encoder import ImageEncoder
from masklet.training import initial
from masklet.training.ablation import Family, Result, families, fit_power_law, plot, run_family, table
from masklet.training.loop import train
from masklet.training.recipe import override
from masklet.training.recipes.nano import nano
from masklet.training.recipes.smoke import smoke
from masklet.video.images import read_image
from tiny_model import SMALL_NANO

TWO = Family("Which rate?", "Unknown.", {"slow": {"optimisation.rate": "1e-5"}, "fast": {"optimisation.rate": "1e-2"}})
VARIANTS = [(name, variant) for name, family in families(nano("data")).items() for variant in family.variants]


def test_every_variant_is_a_recipe():
    base = nano("data")
    for name, family in families(base).items():
        made = [override(base, changes) for changes in family.variants.values()]
        assert len({json.dumps(recipe.described()) for recipe in made}) == len(family.variants) > 1, name
        assert any(recipe == base for recipe in made) or name in ("resolution", "clip-length"), name
    without = override(base, families(base)["pointers"].variants["without"])
    assert without.model is not None
    assert without.model.pointers == 0
    assert base.model == NANO


@pytest.mark.parametrize(("family", "variant"), VARIANTS)
def test_every_variant_can_learn(family: str, variant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(initial, "load_pretrained", lambda trunk: None)  # its package may not be installed
    made = override(nano("data"), families(nano("data"))[family].variants[variant])
    stages = tuple(replace(stage, clips=1.0, videos=1) for stage in made.stages)
    small = replace(smoke(replace(made, stages=stages)), start=made.start, model=made.model, steps=1)
    (report,) = train(small, tmp_path)
    assert report.kind == "clip"
    assert math.isfinite(report.loss)
    assert load(tmp_path / "weights.safetensors").config == made.model


def test_the_encoders_are_equally_large():
    trunks = [variant["model.trunk"] for variant in families(nano("data"))["encoder"].variants.values()]
    sizes = []
    for trunk in trunks:
        with torch.device("meta"):
            encoder = ImageEncoder(replace(NANO, trunk=trunk))
        sizes.append(sum(p.numel() for p in encoder.trunk.parameters()))
    assert sizes[2] == pytest.approx(sizes[0], rel=0.05)


def test_runs_are_made_once_and_gone_on_with(tmp_path: Path):
    base, scored = toy(steps=2, model=SMALL_NANO), []

    def score(model) -> dict[str, float]:
        scored.append(model)
        return {"size": float(model.no_memory.abs().mean())}

    begun = []
    first = list(run_family(base, TWO, tmp_path, 2, score, on_start=lambda *which: begun.append(which)))
    assert begun == [("slow", 0), ("fast", 0), ("slow", 1), ("fast", 1)]
    assert [(r.variant, r.seed) for r in first] == begun
    assert len({r.scores["size"] for r in first}) == 4  # rates and seeds differ
    (tmp_path / "fast" / "1" / "scores.json").unlink()
    again = run_family(base, TWO, tmp_path, 2, score, on_start=lambda *which: begun.append(which))
    with pytest.raises(ValueError, match="has ended and no scores"):
        list(again)
    assert len(scored) == 4
    assert begun[4:] == [("fast", 1)]


def test_power_laws_are_found():
    amounts = [0.1, 0.2, 0.5, 1.0]
    law = fit_power_law(amounts, [1 - 0.4 * x**-0.3 for x in amounts])
    assert law.factor == pytest.approx(0.4)
    assert law.exponent == pytest.approx(0.3)
    assert law.error(0.1) == pytest.approx(0.4 * 0.1**-0.3)
    with pytest.raises(ValueError, match="two amounts"):
        fit_power_law([1.0, 1.0], [0.5, 0.6])


@pytest.mark.parametrize("scaling", [False, True])
def test_tables_and_plots(tmp_path: Path, scaling: bool):
    family = Family("How much?", "More.", {"0.5": {}, "1.0": {}}, scaling)
    results = [Result(v, s, {"J": j}) for v, s, j in (("0.5", 0, 0.4), ("1.0", 0, 0.6), ("0.5", 1, 0.5))]
    text = table(family, results)
    assert "How much? The paper: More." in text
    assert "| 0.5 | 2 | 0.450 ± 0.071 |" in text
    assert "| 1.0 | 1 | 0.600 |" in text
    assert ("share^-" in text) is scaling
    plot(family, results, tmp_path / "plot.png")
    assert read_image(tmp_path / "plot.png").shape[1] > 300
