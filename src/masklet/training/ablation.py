"""Ablations: families of short runs that differ in one thing, over several seeds, and the tables they make.

Small runs answer small questions. Where they disagree with the paper's ablations (tables 10 to 12, figure 7), which
took far larger models and data, the paper's are the better guide.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..model.config import EfficientNetConfig, HieraConfig
from ..model.sam2 import Sam2
from ..video.atomic import write_bytes
from .initial import MATCHING, PRETRAINED, TRUNK
from .loop import train
from .recipe import Recipe, override

Scores = dict[str, float]
SMALL_HIERA = HieraConfig(width=32)  # the tiny one at a third of its width: as large and as fast as the light trunk


@dataclass(frozen=True)
class Family:
    """Variants of a recipe.

    Attributes:
        question: What is asked.
        paper: What the paper found.
        variants: Changes of the recipe by the name of the variant, as :func:`~masklet.training.recipe.override` takes
            them.
        scaling: The names are numbers, and scores are fitted by a power law of them.
    """

    question: str
    paper: str
    variants: Mapping[str, Mapping[str, Any]]
    scaling: bool = False


def _each(field: str, values: Sequence[object]) -> dict[str, dict[str, str]]:
    return {str(value): {field: str(value)} for value in values}


def _stages(recipe: Recipe, field: str, values: Sequence[object]) -> dict[str, dict[str, str]]:
    """The same value in every stage."""
    return {str(v): {f"stages.{i}.{field}": str(v) for i in range(len(recipe.stages))} for v in values}


def _one_rate(recipe: Recipe) -> dict[str, float]:
    """The encoder learns as fast as the rest."""
    return {"optimisation.encoder_rate": recipe.optimisation.rate}


def families(recipe: Recipe) -> dict[str, Family]:
    """The families that can be made of a recipe that says its model.

    Variants start as the recipe does: from scratch, or each from what it has in common with trained weights.
    """
    return {
        "memories": Family(
            "How many frames should memory hold, the prompted ones included?",
            "4, 6 and 8 recent frames are alike (J&F on SA-V val 68.6, 68.3, 69.0; table 10).",
            _each("model.memories", (1, 3, 5, 7)),
        ),
        "memory-width": Family(
            "How many channels should a memory have?",
            "64 are no worse than 256 (68.3, 66.4) and faster (table 10).",
            _each("model.memory_width", (16, 32, 64, 128)),
        ),
        "attention-depth": Family(
            "How many layers should memory attention have?",
            "2, 3 and 4 layers give 67.3, 64.1 and 68.3 on SA-V val, 73.3, 72.7 and 73.0 on MOSE (table 10).",
            _each("model.attention_layers", (1, 2, 4)),
        ),
        "pointers": Family(
            "Do object pointers help, and would a GRU over memory maps instead of them?",
            "Neither, a GRU and pointers give 64.5, 65.3 and 68.3 on SA-V val, 67.0, 68.9 and 71.6 on LVOSv2, 73.1, "
            "72.3 and 73.0 on MOSE (table 12).",
            {
                "with": {"model.pointers": "16"},
                "without": {"model.pointers": "0"},
                "GRU": {"model.pointers": "0", "model.recurrent_memory": "true"},
            },
        ),
        "encoder": Family(
            "Which image encoder, and what do its ImageNet weights give? (Random ones learn at the full rate.)",
            "Hiera S, B+ and L give 70.9, 73.0 and 75.0 on MOSE, 65.5, 68.3 and 66.3 on SA-V val (table 10), all "
            "pretrained.",
            {
                "ImageNet": {"start": PRETRAINED, "model.trunk": EfficientNetConfig()},
                "random": {"start": MATCHING, "model.trunk": EfficientNetConfig(), **_one_rate(recipe)},
                "Hiera": {"start": MATCHING, "model.trunk": SMALL_HIERA, **_one_rate(recipe)},
            },
        ),
        "departures": Family(
            "What do nano's departures from the paper give, each left out in turn?",
            "It has none of them.",
            {
                "as shipped": {},
                "no click features": {"model.click_features": "false"},
                "prompted maps count once": {"model.prompted_weight": "1"},
                "no stage norm": {"model.stage_norm": "false"},
            },
        ),
        "matching": Family(
            "Does it help that memory attention starts as appearance matching?",
            "It starts from random weights.",
            {"with": {"start": PRETRAINED}, "without": {"start": TRUNK}},
        ),
        "resolution": Family(
            "Which input size?",
            "512, 768 and 1024 pixels give 73.0, 76.1 and 77.0 on MOSE, 59.7, 61.0 and 61.5 on images (table 10).",
            _stages(recipe, "size", (192, 256, 384)),
        ),
        "clip-length": Family(
            "How many frames should a training clip have?",
            "4, 8 and 10 give 71.1, 73.0 and 74.5 on MOSE, 60.0, 68.3 and 68.1 on SA-V val (table 10).",
            _stages(recipe, "frames", (2, 4, 6, 8)),
        ),
        "data": Family(
            "What does more data give?",
            "Scores follow a power law of the amount of SA-V (figure 7).",
            {
                str(share): {f"sources.{i}.share": str(share) for i in range(len(recipe.sources))}
                for share in (0.003, 0.03, 0.1, 0.3, 1.0)
            },
            scaling=True,
        ),
    }


@dataclass(frozen=True)
class Result:
    """Scores of one run."""

    variant: str
    seed: int
    scores: Scores


def run_family(
    recipe: Recipe,
    family: Family,
    out: Path,
    seeds: int,
    score: Callable[[Sam2], Scores],
    *,
    on_start: Callable[[str, int], None] = lambda variant, seed: None,
) -> Iterator[Result]:
    """Train and score each variant with each seed, and yield the results; finished runs are read, cut ones go on.

    Args:
        recipe: What the variants are made of.
        family: The variants.
        out: Folder; a run is in ``<variant>/<seed>``.
        seeds: Runs of each variant.
        score: Scores of a model, higher is better.
        on_start: Called before each run that is not finished.
    """
    for seed in range(seeds):
        for variant, changes in family.variants.items():
            folder = out / variant / str(seed)
            made = replace(override(recipe, changes), seed=seed, name=f"{recipe.name} {variant}")
            note = folder / "scores.json"
            if not note.exists():
                on_start(variant, seed)
                found: list[Scores] = []
                for report in train(made, folder, validate=score):
                    found += [report.scores] if report.scores else []
                if not found:
                    raise ValueError(f"{folder} holds a run that has ended and no scores: remove the folder")
                write_bytes(note, json.dumps(found[-1]).encode())
            yield Result(variant, seed, json.loads(note.read_text()))


@dataclass(frozen=True)
class PowerLaw:
    """``1 - score = factor * amount ** -exponent``."""

    factor: float
    exponent: float

    def error(self, amount: float) -> float:
        """What is missing from a score of 1."""
        return self.factor * amount**-self.exponent


def fit_power_law(amounts: Sequence[float], scores: Sequence[float]) -> PowerLaw:
    """Least squares on the logarithms.

    Raises:
        ValueError: There are fewer than two amounts, or a score or amount is out of range.
    """
    if len(set(amounts)) < 2 or min(amounts) <= 0 or max(scores) >= 1:
        raise ValueError(f"a power law needs two amounts above 0 and scores below 1, got {amounts} and {scores}")
    slope, offset = np.polyfit(np.log(amounts), np.log(1 - np.asarray(scores)), 1)
    return PowerLaw(float(np.exp(offset)), float(-slope))


def table(family: Family, results: Sequence[Result]) -> str:
    """Mean and spread over seeds of every score, a row a variant, as Markdown."""
    names = list(results[0].scores)
    lines = [f"{family.question} The paper: {family.paper}", ""]
    lines += ["| variant | runs | " + " | ".join(names) + " |", "|" + "---|" * (2 + len(names))]
    for variant in family.variants:
        own = [r.scores for r in results if r.variant == variant]
        if not own:
            continue
        cells = []
        for name in names:
            values = [scores[name] for scores in own]
            spread = f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else ""
            cells.append(f"{np.mean(values):.3f}{spread}")
        lines.append(f"| {variant} | {len(own)} | " + " | ".join(cells) + " |")
    if family.scaling:
        for name in names:
            try:
                law = fit_power_law([float(r.variant) for r in results], [r.scores[name] for r in results])
            except ValueError:
                continue
            lines.append(f"\n{name}: 1 - score = {law.factor:.3f} · share^{-law.exponent:.3f}")
    return "\n".join(lines) + "\n"


def plot(family: Family, results: Sequence[Result], path: Path) -> None:
    """Scores of each run by variant; where the variants are amounts, on logarithmic axes with the power law."""
    import io

    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 4))
    for name in results[0].scores:
        scores = [r.scores[name] for r in results]
        if family.scaling:
            amounts = [float(r.variant) for r in results]
            points = axes.loglog(amounts, [1 - s for s in scores], "o", label=name)[0]
            if len(set(amounts)) > 1 and max(scores) < 1:
                law, line = fit_power_law(amounts, scores), np.geomspace(min(amounts), max(amounts), 50)
                axes.loglog(line, [law.error(x) for x in line], color=points.get_color())
        else:
            axes.plot([r.variant for r in results], scores, "o", label=name)
    axes.set_xlabel("share of the data" if family.scaling else "variant")
    axes.set_ylabel("1 - score" if family.scaling else "score")
    axes.set_title(family.question)
    axes.legend()
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=120, bbox_inches="tight")
    plt.close(figure)
    write_bytes(path, picture.getvalue())
