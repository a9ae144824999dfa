"""Pictures of what a model does on samples of its recipe: answers filled, truth outlined."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.nn import functional as F

from ..model.sam2 import Sam2
from ..video.overlay import overlay
from .batches import make_batch, place_generators, shared_generator
from .recipe import Recipe
from .rollout import clip_rollout, image_rollout

SHOWN = 2**40  # the number of a step that no run reaches: the samples are not learned from and always the same
IMAGES, CLIPS = 4, 2


@torch.no_grad()
def sample_sheet(recipe: Recipe, model: Sam2) -> UInt8[np.ndarray, "h w 3"]:
    """A row of images, if the last stage has any, and a row a clip.

    Images show the answers to the last correction; of clips, those of frames as they were tracked or prompted.
    """
    last = recipe.stages[-1]
    rows = []
    for kind, share, count in (("image", 1 - last.clips, IMAGES), ("clip", last.clips, CLIPS)):
        if share <= 0:
            continue
        stage = replace(last, clips=float(kind == "clip"), images=count, videos=count)
        alone = replace(recipe, optimisation=replace(recipe.optimisation, accumulate=1), stages=(stage,))
        batch = make_batch(alone, stage, SHOWN)
        rollout = image_rollout if kind == "image" else clip_rollout
        places = place_generators(alone, SHOWN, batch.numbers)
        answers = rollout(model, batch.arrays, recipe.rollout, shared_generator(alone, SHOWN), places).answers
        masks = batch.arrays["masks"]
        if kind == "image":
            shown = _enlarged(answers[0].logits, masks.shape)
            rows.append([_drawn(*each) for each in zip(batch.arrays["images"], shown, masks, strict=True)])
            continue
        for i in range(count):
            tracked = [_enlarged(answer.logits, masks[:, 0].shape)[i] for answer in answers]
            rows.append([_drawn(*each) for each in zip(batch.arrays["frames"][i], tracked, masks[i], strict=True)])
    width = max(sum(picture.shape[1] for picture in row) for row in rows)
    joined = [np.hstack(row) for row in rows]
    return np.vstack([np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0))) for row in joined])


def _enlarged(logits: Tensor, shape: tuple[int, ...]) -> np.ndarray:
    """Answers at the size of the input, samples first."""
    large = F.interpolate(logits.float(), shape[-2:], mode="bilinear")
    return (large[:, 0] > 0).cpu().numpy().reshape(shape)


def _drawn(picture: np.ndarray, answers: np.ndarray, truth: np.ndarray) -> np.ndarray:
    import cv2

    drawn = overlay(picture, {i + 1: mask for i, mask in enumerate(answers)}, contour=False)
    for mask in truth:
        lines, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(drawn, lines, -1, (255, 255, 255), 1)
    return drawn
