"""Simulated interaction: prompts and correction clicks on images and clips (paper, section 4 and appendix C.2).

The same four calls as in inference; a rollout conditions a frame once and decodes once for each round of clicks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from ..interaction.clicks import boxes_of, center_clicks, random_clicks
from ..model.memory_bank import PROMPTED_SLOT, MemoryBank
from ..model.sam2 import Sam2
from ..structures import FrameFeatures, Prediction, Prompts, Selection
from ..video.pixels import MEAN, STD
from .losses import LossWeights, prediction_loss

STRIDE = 4


@dataclass(frozen=True)
class Interaction:
    """How a user is imitated.

    Attributes:
        box: Share of prompts that are boxes.
        mask: Share of clips that start from a given mask.
        rounds: Chances of 1, 2, ... decodings (a prompt, then corrections).
        keep_logits: Chance that a correction also sees the previous logits.
        centre: Chance that a click falls in the middle of the error and not anywhere in it.
        correct: Chance that one later frame of a clip is corrected by clicks.
        forget: Chance that a frame reads prompted frames only.
    """

    box: float = 0.25
    mask: float = 0.5
    rounds: tuple[float, ...] = (0.45, 0.3, 0.25)
    keep_logits: float = 0.75
    centre: float = 0.6
    correct: float = 0.3
    forget: float = 0.25


@dataclass
class Tally:
    """Sums of losses and IoUs over the decodings of a rollout."""

    loss: Tensor | float = 0.0
    count: int = 0
    iou_first: float = 0.0
    iou_last: float = 0.0

    def add(self, loss: Tensor) -> None:
        """Count one decoding."""
        self.loss, self.count = self.loss + loss, self.count + 1


def to_input(images: UInt8[np.ndarray, "b s s 3"]) -> Float[Tensor, "b 3 s s"]:
    """Normalised input of square RGB images."""
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))
    return (torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255 - mean) / std


def to_target(masks: UInt8[np.ndarray, "b s s"]) -> Float[Tensor, "b 1 h4 w4"]:
    """Masks averaged over the area of each stride-4 cell."""
    return F.avg_pool2d(torch.from_numpy(masks)[:, None].float(), STRIDE)


def _points(at: np.ndarray) -> Tensor:
    """Cells of a stride-4 map to pixels of the input."""
    return torch.from_numpy((np.asarray(at, np.float32) + 0.5) * STRIDE - 0.5)


class User:
    """Imitates one user for a batch of objects; keeps the prompts given so far."""

    def __init__(self, target: Float[Tensor, "b 1 h4 w4"], interaction: Interaction, rng: np.random.Generator) -> None:
        most = target.flatten(1).amax(1)[:, None, None]
        self.truth = ((target[:, 0] > 0.5) | ((target[:, 0] >= most) & (most > 0))).numpy()
        self.interaction, self.rng = interaction, rng
        self.points = torch.zeros(len(target), 0, 2)
        self.labels = torch.zeros(len(target), 0, dtype=torch.long)

    def _add(self, points: Tensor, labels: np.ndarray) -> None:
        self.points = torch.cat((self.points, points), dim=1)
        self.labels = torch.cat((self.labels, torch.from_numpy(labels).long()), dim=1)

    def box(self) -> Prompts:
        """A noisy box around each object."""
        corners = boxes_of(self.truth, self.rng, limit=20 / STRIDE).reshape(-1, 2, 2)
        self._add(_points(corners), np.tile(np.array([2, 3]), (len(corners), 1)))
        return Prompts(self.points, self.labels)

    def click(self, answer: Prediction | None = None) -> Prompts:
        """A click on each object or, given an answer, on its error."""
        wrong = None if answer is None else (answer.logits[:, 0] > 0).numpy()
        if self.rng.random() < self.interaction.centre:
            at, labels = center_clicks(self.truth, wrong)
        else:
            at, labels = random_clicks(self.truth, wrong, self.rng)
        self._add(_points(at)[:, None], labels[:, None])
        logits = None
        if answer is not None and self.rng.random() < self.interaction.keep_logits:
            logits = answer.logits.detach().clamp(-32, 32)
        return Prompts(self.points, self.labels, previous_logits=logits)


def interact(
    model: Sam2,
    conditioned: Tensor,
    features: FrameFeatures,
    target: Tensor,
    supervised: Tensor,
    rng: np.random.Generator,
    interaction: Interaction,
    weights: LossWeights,
    tally: Tally,
    *,
    answer: Prediction | None = None,
) -> Prediction:
    """Prompt, decode and correct; every decoding is supervised."""
    user = User(target, interaction, rng)
    rounds = 1 + int(rng.choice(len(interaction.rounds), p=interaction.rounds))
    boxed = answer is None and rng.random() < interaction.box
    for i in range(rounds):
        prompts = user.box() if boxed and i == 0 else user.click(answer)
        answer = model.decode(conditioned, features, prompts)
        loss, iou = prediction_loss(answer, target, supervised, weights)
        tally.add(loss)
        if i == 0:
            tally.iou_first = float(_chosen_iou(answer, iou).mean())
    assert answer is not None
    tally.iou_last = float(_chosen_iou(answer, iou).mean())
    return replace(answer, from_prompt=True)


def _chosen_iou(answer: Prediction, iou: Tensor) -> Tensor:
    if answer.candidates.shape[1] == 1:
        return iou[:, 0]
    return iou[:, 1:].gather(1, answer.candidate_iou.argmax(1, keepdim=True))[:, 0]


def image_rollout(
    model: Sam2,
    batch: dict[str, np.ndarray],
    rng: np.random.Generator,
    interaction: Interaction,
    weights: LossWeights,
) -> Tally:
    """A batch of images, several objects each, which share their image's encoding."""
    images, masks = batch["images"], batch["masks"]
    b, k = masks.shape[:2]
    target = to_target(masks.reshape(b * k, *masks.shape[2:]))
    features = model.encode_image(to_input(images)).take(torch.arange(b).repeat_interleave(k))
    conditioned = model.condition(features, Selection())
    tally = Tally()
    interact(model, conditioned, features, target, torch.ones(b * k), rng, interaction, weights, tally)
    return tally


def clip_rollout(
    model: Sam2,
    batch: dict[str, np.ndarray],
    rng: np.random.Generator,
    interaction: Interaction,
    weights: LossWeights,
) -> Tally:
    """A batch of clips: prompts on the first frame, tracking with memory, perhaps a correction on a later frame."""
    frames, masks, labelled = batch["frames"], batch["masks"], batch["labelled"]
    b, t, o = masks.shape[:3]
    encoded = model.encode_image(to_input(frames.reshape(b * t, *frames.shape[2:])))
    bank = MemoryBank(model.limits)
    tally, tracking = Tally(), Tally()
    corrected = int(rng.integers(1, t)) if rng.random() < interaction.correct else 0
    for step in range(t):
        features = encoded.take((torch.arange(b) * t + step).repeat_interleave(o))
        truth = masks[:, step].reshape(b * o, *masks.shape[3:])
        target = to_target(truth)
        supervised = torch.from_numpy(labelled[:, step].astype(np.float32)).repeat_interleave(o)
        prompted = step == 0 or (step == corrected and bool(supervised.all()))
        if step == 0:
            if rng.random() < interaction.mask:
                answer = model.adopt_mask(features, torch.from_numpy(truth)[:, None].float())
            else:
                conditioned = model.condition(features, Selection())
                answer = interact(model, conditioned, features, target, supervised, rng, interaction, weights, tally)
        else:
            selection = bank.read(step)
            if rng.random() < interaction.forget:
                selection = only_prompted(selection)
            answer = model.predict(features, selection)
            loss, iou = prediction_loss(answer, target, supervised, weights)
            tally.add(loss)
            present = (supervised > 0) & (target.flatten(1).amax(1) > 0.5)
            if present.any():
                tracking.iou_last += float(_chosen_iou(answer, iou)[present].mean())
                tracking.count += 1
            if prompted:
                conditioned = model.condition(features, selection)
                answer = interact(
                    model, conditioned, features, target, supervised, rng, interaction, weights, tally, answer=answer
                )
        if step < t - 1:
            entry = model.encode_memory(features, answer)
            bank.write(step, entry, prompted=prompted)
    tally.iou_last = tracking.iou_last / max(tracking.count, 1)
    return tally


def only_prompted(selection: Selection) -> Selection:
    """The selection without recent frames."""
    maps = tuple(m for m in selection.maps if m[0] == PROMPTED_SLOT)
    kept = {id(entry) for _, entry in maps}
    return replace(selection, maps=maps, pointers=tuple(p for p in selection.pointers if id(p[1]) in kept))
