"""``masklet ablate``: what one choice in a recipe matters."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import tyro

from .train import Texts, change
from .validation import make_scorer


def ablate(
    family: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="FAMILY")],
    /,
    data: Path,
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
    recipe: str = "nano",
    set: Texts = [],  # noqa: B006 - tyro reads the default, nothing changes it
    seeds: int = 2,
    videos: int | None = None,
) -> int:
    """Train variants of a recipe with several seeds, score them on held-back data, and write a table and a plot.

    Writes FAMILY.md and FAMILY.png beside the runs, and again after each run; the same command goes on with what was
    stopped. Scores are J and F from the first-frame mask on DATA/videos/dev and the mean IoU of 1 click and 3 clicks on
    their first frames.

    Args:
        family: memories, memory-width, attention-depth, pointers, encoder, departures, matching, resolution,
            clip-length, data.
        data: Folder with images/, videos/train, videos/dev and splits.json.
        output: Folder of the runs.
        recipe: Recipe that is varied. Where it starts from trained weights, each variant takes those that fit it.
        set: A field of the recipe to change in all variants, such as minutes=10.
        seeds: Runs of each variant.
        videos: Score the first so many videos only.
    """
    from ..checkpoints.load import load
    from ..training.ablation import Result, families, plot, run_family, table
    from ..training.recipe import override
    from ..training.recipes import RECIPES
    from ..video.atomic import write_bytes

    if recipe not in RECIPES:
        raise ValueError(f"there is no recipe {recipe!r}: expected one of {', '.join(RECIPES)}")
    if seeds < 1:
        raise ValueError(f"expected at least 1 seed, got {seeds}")
    base = override(RECIPES[recipe](str(data)), dict(change(text) for text in set))
    if base.model is None:
        base = replace(base, model=load(base.start).config)
    known = families(base)
    if family not in known:
        raise ValueError(f"there is no family {family!r}: expected one of {', '.join(known)}")
    score = make_scorer(str(data / "videos" / "dev"), videos, tracked_clicks=())
    output = output.absolute() / family
    output.mkdir(parents=True, exist_ok=True)
    results: list[Result] = []

    def started(variant: str, seed: int) -> None:
        print(f"{family}: {variant}, seed {seed}", flush=True)

    for result in run_family(base, known[family], output, seeds, score, on_start=started):
        results.append(result)
        write_bytes(output / f"{family}.md", table(known[family], results).encode())
        plot(known[family], results, output / f"{family}.png")
    print(table(known[family], results))
    return 0
