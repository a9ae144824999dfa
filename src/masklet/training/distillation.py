"""Distillation: a larger model answers the same prompts on the same samples, and its masks and features are learned.

The teacher tracks with its own memory. Masks: cross-entropy with the teacher's probabilities. Features: similarities
between the places of a frame, which compare across widths (similarity-preserving distillation, arXiv 1907.09682).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from ..model.sam2 import Sam2
from ..structures import FrameFeatures, Prediction, Prompts, Selection
from .rollout import Outcome, RolloutConfig, empty_bank, only_prompted, to_input
from .user import MOST_CERTAIN

PLACES = 16  # sides of the map of places whose similarities are compared


@dataclass(frozen=True)
class Distillation:
    """What is learned from whom.

    Attributes:
        teacher: Name or file of the teacher's weights; empty: no distillation.
        size: Side of the teacher's input; 0: that of the samples.
        masks: Weight of the cross-entropy with the teacher's masks, a mean over decodings.
        features: Weight of the difference of similarities, a mean over frames.
    """

    teacher: str = ""
    size: int = 0
    masks: float = 1.0
    features: float = 1.0


class Teacher:
    """Follows a student's rollout with a model of its own, which learns nothing and is no part of the student."""

    def __init__(self, model: Sam2, config: Distillation) -> None:
        self.model, self.config = model.eval().requires_grad_(False), config

    def loss(
        self, kind: str, arrays: Mapping[str, np.ndarray], outcome: Outcome, rollout: RolloutConfig
    ) -> Float[Tensor, ""]:
        """What the student's rollout loses to the teacher."""
        features, answers = self.replay(kind, arrays, outcome, rollout)
        given = [answer for visit in outcome.visits for answer in visit.answers]
        loss = outcome.features.embedding.new_zeros(())
        if self.config.masks and given:
            each = [mask_loss(ours, theirs) for ours, theirs in zip(given, answers, strict=True)]
            loss = loss + self.config.masks * torch.stack(each).mean()
        if self.config.features:
            loss = loss + self.config.features * feature_loss(outcome.features.embedding, features.embedding)
        return loss

    @torch.no_grad()
    def replay(
        self, kind: str, arrays: Mapping[str, np.ndarray], outcome: Outcome, rollout: RolloutConfig
    ) -> tuple[FrameFeatures, list[Prediction]]:
        """The teacher's features of all frames, and its answer to each decoding of the student, in the same order."""
        model, masks = self.model, arrays["masks"]
        images = arrays["images" if kind == "image" else "frames"]
        clips, frames = (len(images), 1) if kind == "image" else images.shape[:2]
        objects = masks.shape[-3]
        picture = to_input(images.reshape(clips * frames, *images.shape[-3:]), model.device)
        size = self.config.size or picture.shape[-1]
        scale = size / picture.shape[-1]
        if scale != 1:
            picture = F.interpolate(picture, (size, size), mode="bilinear", antialias=True)
        encoded = model.encode_image(picture)
        bank, answers = empty_bank(model, frames, rollout), []
        for visit in outcome.visits:
            rows = torch.arange(clips, device=model.device) * frames + visit.time
            features = encoded.take(rows.repeat_interleave(objects))
            selection = Selection()
            if not visit.prompted:
                selection = bank.read(visit.time, pointers_ahead=rollout.pointers_ahead)
            if visit.prompts:
                first = only_prompted(selection) if visit.forgets else selection
                seen = conditioned = model.condition(features, first)
                if visit.forgets and len(visit.prompts) > 1:
                    conditioned = model.condition(features, selection)
                for i, prompts in enumerate(visit.prompts):
                    asked = _scaled(prompts, scale, size)
                    answers.append(model.decode(seen if i == 0 else conditioned, features, asked))
                answer = answers[-1]
            else:
                truth = torch.from_numpy(masks[:, visit.time].reshape(clips * objects, 1, *masks.shape[-2:])).float()
                answer = model.adopt_mask(features, F.interpolate(truth.to(model.device), (size, size)))
            if kind == "clip":
                answer = replace(answer, from_prompt=visit.remembered)
                previous = None if visit.prompted else bank.before(visit.time)
                bank.write(visit.time, model.encode_memory(features, answer, previous), prompted=visit.remembered)
        return encoded, answers


def _scaled(prompts: Prompts, scale: float, size: int) -> Prompts:
    """Prompts in pixels of the teacher's input."""
    points, logits = prompts.points, prompts.previous_logits
    if points is not None and scale != 1:
        points = (points + 0.5) * scale - 0.5
    if logits is not None:
        logits = F.interpolate(logits.detach().float(), (size // 4, size // 4), mode="bilinear")
        logits = logits.clamp(-MOST_CERTAIN, MOST_CERTAIN)
    return replace(prompts, points=points, previous_logits=logits)


def mask_loss(student: Prediction, teacher: Prediction) -> Float[Tensor, ""]:
    """Cross-entropy of the student's nearest candidate, and of its presence, with the teacher's."""
    best = teacher.candidate_iou.argmax(1)
    masks = teacher.candidates[torch.arange(len(best)), best][:, None].float()
    present = torch.sigmoid(teacher.presence.float())
    size = student.candidates.shape[-2:]
    target = torch.sigmoid(F.interpolate(masks, size, mode="bilinear")) * (teacher.presence > 0)[:, None, None, None]
    ours = student.candidates.float()
    each = F.binary_cross_entropy_with_logits(ours, target.expand_as(ours), reduction="none").mean((2, 3))
    presence = F.binary_cross_entropy_with_logits(student.presence.float(), present, reduction="none")
    return (each.min(1).values + presence).mean()


def feature_loss(student: Float[Tensor, "b c h w"], teacher: Float[Tensor, "b d p q"]) -> Float[Tensor, ""]:
    """Mean squared difference of the cosine similarities between all pairs of places of a frame."""
    similar = []
    for features in (student, teacher):
        side = min(PLACES, student.shape[-1], teacher.shape[-1])
        places = F.normalize(F.adaptive_avg_pool2d(features.float(), side).flatten(2), dim=1)
        similar.append(places.transpose(1, 2) @ places)
    return (similar[0] - similar[1]).square().mean()
