"""A training rollout: a batch of images or clips, a simulated user, the model's answers and their losses.

The same four calls as in inference; a rollout conditions a frame once and decodes once for each prompt and correction.
Paper, section 4 and appendix C.2. Parity: training/model/sam2.py, ``forward_tracking`` and ``track_step``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from ..model.memory_bank import PROMPTED_SLOT, MemoryBank
from ..model.sam2 import Sam2, no_prompt
from ..structures import FrameFeatures, Prediction, Prompts, Selection
from ..video.pixels import MEAN, STD
from .losses import LossTerms, LossWeights, prediction_loss
from .mistakes import Mistakes
from .user import Interaction, User, draw_plan, seen_masks

STRIDE = 4


@dataclass(frozen=True)
class RolloutConfig:
    """What a rollout does besides the model.

    Attributes:
        interaction: The simulated user.
        loss: The losses.
        per_decoding: The loss is the mean over decodings; else their sum, as officially.
        pointers_ahead: Frames also read the pointers of prompted frames after them, as officially in training only.
        span_of_clip: Pointer distances are divided by the clip's length - 1, as officially; else by the model's own
            span, as sessions do.
        mistakes: Chance that a tracked object's masks are remembered with a mistake from some frame on.
        recompute: Decodings are computed again in the backward pass instead of being kept (activation checkpointing).
    """

    interaction: Interaction = field(default_factory=Interaction)
    loss: LossWeights = field(default_factory=LossWeights)
    per_decoding: bool = False
    pointers_ahead: bool = True
    span_of_clip: bool = True
    mistakes: float = 0.0
    recompute: bool = False


@dataclass(frozen=True)
class Visit:
    """What happened on one frame, in the order of processing: enough for another model to do the same.

    Attributes:
        time: Number of the frame in the clip.
        prompts: Prompts of each decoding, one after the other; none where masks were given.
        answers: What they gave.
        prompted: The frame was prompted before anything was tracked.
        remembered: The frame became prompted memory.
        forgets: The first decoding read prompted frames only.
    """

    time: int
    prompts: tuple[Prompts, ...]
    answers: tuple[Prediction, ...]
    prompted: bool
    remembered: bool
    forgets: bool


@dataclass(frozen=True)
class Outcome:
    """What a rollout gave.

    Attributes:
        loss: To be minimised.
        terms: Unweighted terms, summed over decodings.
        decodings: How many decodings were supervised.
        iou_prompted: Mean IoU after the first prompts (0 for given masks).
        iou: Mean IoU of images after the last correction, or of tracked frames before any correction.
        answers: The last answer for each frame, in time order.
        visits: Frames in the order in which they were processed.
        features: Of all frames.
    """

    loss: Tensor
    terms: LossTerms
    decodings: int
    iou_prompted: float
    iou: float
    answers: tuple[Prediction, ...]
    visits: tuple[Visit, ...]
    features: FrameFeatures


def to_input(images: UInt8[np.ndarray, "b s s 3"], device: torch.device | str = "cpu") -> Float[Tensor, "b 3 s s"]:
    """Normalised input of square RGB images."""
    mean, std = (torch.tensor(values, device=device).view(3, 1, 1) for values in (MEAN, STD))
    return (torch.from_numpy(images).to(device).permute(0, 3, 1, 2).float() / 255 - mean) / std


class _Rollout:
    """What the parts of one rollout share."""

    def __init__(
        self, model: Sam2, config: RolloutConfig, shared: np.random.Generator, places: Sequence[np.random.Generator]
    ) -> None:
        self.model, self.config, self.shared, self.places = model, config, shared, places
        self.terms: list[LossTerms] = []
        self.first: list[Tensor] = []
        self.prompts: list[Prompts] = []
        self.decoded: list[Prediction] = []
        self.visits: list[Visit] = []

    def target(self, masks: UInt8[np.ndarray, "b s s"]) -> Float[Tensor, "b 1 h w"]:
        """What masks are compared with: sharp at the input's size, or averaged over stride-4 cells."""
        full = torch.from_numpy(masks)[:, None].to(self.model.device).float()
        return full if self.config.loss.full_size else F.avg_pool2d(full, STRIDE)

    def supervise(self, answer: Prediction, target: Tensor, supervised: Tensor) -> Float[Tensor, " b"]:
        """Count a decoding; returns the IoU of its masks."""
        terms, iou = prediction_loss(answer, target, supervised, self.config.loss)
        self.terms.append(terms)
        return iou

    def decode(self, conditioned: Tensor, features: FrameFeatures, prompts: Prompts) -> Prediction:
        """Decode once, cheaply in memory if asked."""
        if self.config.recompute and self.model.training:
            answer = checkpoint(self.model.decode, conditioned, features, prompts, use_reentrant=False)
            assert isinstance(answer, Prediction)
        else:
            answer = self.model.decode(conditioned, features, prompts)
        self.prompts.append(prompts)
        self.decoded.append(answer)
        return answer

    def leave(self, time: int, *, prompted: bool, remembered: bool, forgets: bool) -> None:
        """Note what happened on a frame."""
        self.visits.append(Visit(time, tuple(self.prompts), tuple(self.decoded), prompted, remembered, forgets))
        self.prompts, self.decoded = [], []

    def user(self, masks: UInt8[np.ndarray, "b s s"]) -> User:
        """A user who has seen nothing yet."""
        stride = self.config.interaction.stride
        cells = torch.from_numpy(masks)[:, None].float()
        seen = seen_masks(F.avg_pool2d(cells, stride)) if stride > 1 else masks > 0
        return User(seen, self.config.interaction, self.shared, self.places, self.model.device)

    def correct(
        self,
        user: User,
        answer: Prediction,
        clicks: int,
        conditioned: Tensor,
        features: FrameFeatures,
        target: Tensor,
        supervised: Tensor,
    ) -> tuple[Prediction, Tensor | None]:
        """Correct an answer click by click, every one supervised; returns the last answer and its IoU."""
        iou = None
        for _ in range(clicks):
            answer = self.decode(conditioned, features, user.click(answer))
            iou = self.supervise(answer, target, supervised)
        return answer, iou

    def outcome(self, iou: list[Tensor], answers: Sequence[Prediction], features: FrameFeatures) -> Outcome:
        """Add everything up."""
        terms = self.terms[0]
        for more in self.terms[1:]:
            terms = terms + more
        loss = terms.total(self.config.loss) / (len(self.terms) if self.config.per_decoding else 1)
        visits = tuple(self.visits)
        return Outcome(loss, terms, len(self.terms), _mean(self.first), _mean(iou), tuple(answers), visits, features)


def _mean(parts: list[Tensor]) -> float:
    values = torch.cat(parts) if parts else torch.zeros(0)
    return float(values.mean()) if len(values) else 0.0


def image_rollout(
    model: Sam2,
    batch: Mapping[str, np.ndarray],
    config: RolloutConfig,
    shared: np.random.Generator,
    places: Sequence[np.random.Generator],
) -> Outcome:
    """Images with several objects each, which share their image's encoding.

    Args:
        model: In training mode to learn, in evaluation mode to measure.
        batch: ``images`` [b s s 3] uint8 and ``masks`` [b k s s] of 0 and 1.
        config: User and losses.
        shared: Draws what the whole batch has in common.
        places: Draws the places of clicks, one generator an image.
    """
    images, masks = batch["images"], batch["masks"]
    b, k = masks.shape[:2]
    run, flat = _Rollout(model, config, shared, places), masks.reshape(b * k, *masks.shape[2:])
    encoded = model.encode_image(to_input(images, model.device))
    features = encoded.take(torch.arange(b, device=model.device).repeat_interleave(k))
    conditioned = model.condition(features, Selection())
    target, supervised = run.target(flat), torch.ones(b * k, device=model.device)
    plan = draw_plan(shared, 1, config.interaction)
    user = run.user(flat)
    answer = run.decode(conditioned, features, user.box() if plan.boxes[0] else user.click())
    first = run.supervise(answer, target, supervised)
    run.first.append(first)
    answer, last = run.correct(user, answer, plan.corrected[0], conditioned, features, target, supervised)
    run.leave(0, prompted=True, remembered=False, forgets=False)
    return run.outcome([first if last is None else last], [answer], encoded)


def clip_rollout(
    model: Sam2,
    batch: Mapping[str, np.ndarray],
    config: RolloutConfig,
    shared: np.random.Generator,
    places: Sequence[np.random.Generator],
) -> Outcome:
    """Clips: prompted frames first, then the others through time with memory, some of them corrected.

    Args:
        model: In training mode to learn, in evaluation mode to measure.
        batch: ``frames`` [b t s s 3] uint8, ``masks`` [b t o s s] of 0 and 1 and ``labelled`` [b t] bool.
        config: User and losses.
        shared: Draws what the whole batch has in common.
        places: Draws the places of clicks, one generator a clip.

    Frames without truth are tracked, and supervise nothing; they are prompted or corrected in no clip of the batch.
    """
    frames, masks, labelled = batch["frames"], batch["masks"], batch["labelled"]
    b, t, o = masks.shape[:3]
    run, device = _Rollout(model, config, shared, places), model.device
    encoded = model.encode_image(to_input(frames.reshape(b * t, *frames.shape[2:]), device))
    bank = empty_bank(model, t, config)
    plan = draw_plan(shared, t, config.interaction)
    mistakes = Mistakes(config.mistakes, t, o, places) if config.mistakes else None
    answers: dict[int, Prediction] = {}
    tracked: list[Tensor] = []
    order = plan.order(t)
    for step in order:
        features = encoded.take((torch.arange(b, device=device) * t + step).repeat_interleave(o))
        truth = masks[:, step].reshape(b * o, *masks.shape[3:])
        target = run.target(truth)
        known = bool(labelled[:, step].all())
        supervised = torch.from_numpy(labelled[:, step].astype(np.float32)).to(device).repeat_interleave(o)
        prompted = step in plan.prompted and (known or step == 0)
        clicks = plan.corrected.get(step, 0) if known else 0
        remembered, forgets = prompted or clicks > 0, False
        if prompted and plan.masks:
            answer = model.adopt_mask(features, torch.from_numpy(truth)[:, None].to(device).float())
        else:
            # Prompted frames are encoded on their own, before anything is tracked.
            selection = Selection() if prompted else bank.read(step, pointers_ahead=config.pointers_ahead)
            forgets = shared.random() < config.interaction.forget
            conditioned = model.condition(features, only_prompted(selection) if forgets else selection)
            user = run.user(truth)
            if prompted:
                boxed = plan.boxes[plan.prompted.index(step)]
                answer = run.decode(conditioned, features, user.box() if boxed else user.click())
                run.first.append(run.supervise(answer, target, supervised))
            else:
                answer = run.decode(conditioned, features, no_prompt(b * o, device))
                iou = run.supervise(answer, target, supervised)
                present = (supervised > 0) & (target.flatten(1).amax(1) > 0.5)
                tracked.append(iou[present])
            if clicks and forgets and not prompted:
                conditioned = model.condition(features, selection)
            answer, _ = run.correct(user, answer, clicks, conditioned, features, target, supervised)
        answers[step] = replace(answer, from_prompt=remembered)
        run.leave(step, prompted=prompted, remembered=remembered, forgets=forgets)
        if step != order[-1]:
            kept = answers[step]
            if mistakes is not None and not remembered:
                kept = replace(kept, logits=mistakes.remembered(step, kept.logits))
            previous = None if prompted else bank.before(step)
            bank.write(step, model.encode_memory(features, kept, previous), prompted=remembered)
    return run.outcome(tracked, [answers[i] for i in range(t)], encoded)


def empty_bank(model: Sam2, frames: int, config: RolloutConfig) -> MemoryBank:
    """A bank for a clip of so many frames."""
    span = min(frames, model.config.pointers) - 1 if config.span_of_clip else model.limits.pointer_span
    return MemoryBank(replace(model.limits, pointer_span=max(span, 1)))


def only_prompted(selection: Selection) -> Selection:
    """The selection without recent frames."""
    maps = tuple(m for m in selection.maps if m[0] == PROMPTED_SLOT)
    kept = {id(entry) for _, entry in maps}
    return replace(selection, maps=maps, pointers=tuple(p for p in selection.pointers if id(p[1]) in kept))
