"""Averages the weights of two models of one line of training: of a start, and of what it became (arXiv 2109.01903).

    python -m masklet.training.weight_average START AFTER --out nano.safetensors

Both must share their history, as when one run starts from the other's weights; the average of strangers is noise.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from ..checkpoints.load import load, save
from ..model.sam2 import Sam2, build


def average(start: Sam2, after: Sam2, share: float = 0.5) -> Sam2:
    """A model whose every weight lies between those of two others, ``share`` of the way to the second.

    Raises:
        ValueError: The two have different configurations, or the share is not in 0..1.
    """
    if start.config != after.config:
        raise ValueError(f"the models differ: {start.config} and {after.config}; average weights of one model")
    if not 0 <= share <= 1:
        raise ValueError(f"share must be in 0..1, got {share}")
    model, ends = build(start.config), after.state_dict()
    model.load_state_dict({name: value.lerp(ends[name], share) for name, value in start.state_dict().items()})
    return model


def main(arguments: list[str] | None = None) -> None:
    """Average two files into a third."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("start", help="name or path of weights")
    parser.add_argument("after", help="name or path of what training made of them")
    parser.add_argument("--share", type=float, default=0.5, help="0: the start, 1: what became of it")
    parser.add_argument("--out", type=Path, required=True, help="file to write, in half precision")
    options = parser.parse_args(arguments)
    save(average(load(options.start), load(options.after), options.share), options.out, dtype=torch.float16)


if __name__ == "__main__":
    main()
