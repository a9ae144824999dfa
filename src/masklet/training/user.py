"""The simulated user: which frames of a clip get prompts and corrections, and where its clicks fall.

Paper, section 4 and appendix C.2. Parity: training/model/sam2.py, ``prepare_prompt_inputs`` and
``_iter_correct_pt_sampling`` (the choices, not their random numbers).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from ..interaction.clicks import boxes_of, center_clicks, random_clicks
from ..structures import Prediction, Prompts

MOST_CERTAIN = 32.0  # logits beyond are cut before a correction sees them, as in sessions


@dataclass(frozen=True)
class Interaction:
    """How a user is imitated; the defaults are the paper's.

    Attributes:
        mask: Share of clips that start from given masks; the others start from clicks and boxes.
        box: Share of those others' prompts that are boxes.
        prompted: Most frames of a clip that are prompted before tracking starts; from 1 to this many, the first always.
        corrected: Most frames that get correction clicks, the prompted ones included.
        correct: Chance that a further frame is corrected while fewer than ``corrected`` are.
        correct_masks: Whether clips that start from masks get corrections on a further frame too.
        corrections: Chances of 0, 1, ... correction clicks on each frame that gets them (at least 1 on later frames).
        keep_logits: Chance that a correction also sees the logits of the answer that it corrects.
        from_truth: Chance that a correction is drawn from the object instead of the error.
        centre: Chance that a click falls in the middle of the object or the error and not anywhere in it.
        forget: Chance that a frame reads prompted frames only.
        stride: Pixels of the input in a cell of the map on which the user sees masks: 1, or 4 to save time.
    """

    mask: float = 0.5
    box: float = 0.5
    prompted: int = 2
    corrected: int = 2
    correct: float = 0.5
    correct_masks: bool = False
    corrections: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)
    keep_logits: float = 1.0
    from_truth: float = 0.1
    centre: float = 0.0
    forget: float = 0.0
    stride: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.prompted <= self.corrected:
            raise ValueError(f"expected 1 <= prompted <= corrected, got {self.prompted} and {self.corrected}")
        if not self.corrections or abs(sum(self.corrections) - 1) > 1e-6 or min(self.corrections) < 0:
            raise ValueError(f"corrections must be chances that sum to 1, got {self.corrections}")


@dataclass(frozen=True)
class Plan:
    """What the user will do with a clip.

    Attributes:
        masks: The prompts are masks.
        boxes: For each prompted frame, whether its prompt is a box and not a click.
        prompted: Frames prompted up front, the first one first; they are processed before all others.
        corrected: Correction clicks of each frame that gets any.
    """

    masks: bool
    boxes: tuple[bool, ...]
    prompted: tuple[int, ...]
    corrected: dict[int, int]

    def order(self, frames: int) -> list[int]:
        """Frames in the order in which they are processed: prompted ones, then the others through time."""
        return [*self.prompted, *(t for t in range(frames) if t not in self.prompted)]


def draw_plan(rng: np.random.Generator, frames: int, interaction: Interaction) -> Plan:
    """Draw what a user does with a clip of so many frames; an image (1 frame) is never prompted by a mask."""
    masks = bool(rng.random() < interaction.mask) and frames > 1
    count = int(rng.integers(1, min(interaction.prompted, frames), endpoint=True))
    others = rng.permutation(np.arange(1, frames)).tolist()
    prompted = (0, *others[: count - 1])
    rest = others[count - 1 :]
    corrected = [] if masks else list(prompted)
    if interaction.correct_masks or not masks:
        further = 0
        while rest and count + further < interaction.corrected and rng.random() < interaction.correct:
            corrected.append(rest.pop(0))
            further += 1
    clicks = {t: int(rng.choice(len(interaction.corrections), p=interaction.corrections)) for t in corrected}
    return Plan(
        masks,
        tuple(bool(rng.random() < interaction.box) and not masks for _ in prompted),
        prompted,
        {t: n if t in prompted else max(n, 1) for t, n in clicks.items()},
    )


class User:
    """Clicks on one frame for a batch of objects; keeps the prompts given so far.

    Args:
        truth: What the user sees of the true masks, on a grid of ``interaction.stride`` pixels.
        interaction: How clicks are drawn.
        shared: Draws what is the same for the whole batch, so that all processes do the same work. The number of draws
            does not depend on the masks.
        places: Draws where clicks fall, one generator a sample, so that a sample gets the same clicks in any batch. The
            objects of a sample are neighbours in ``truth``.
        device: Where prompts go.
    """

    def __init__(
        self,
        truth: Bool[np.ndarray, "b h w"],
        interaction: Interaction,
        shared: np.random.Generator,
        places: Sequence[np.random.Generator],
        device: torch.device | str = "cpu",
    ) -> None:
        if not places or len(truth) % len(places):
            raise ValueError(f"expected the same number of objects in each of {len(places)} samples, got {len(truth)}")
        self.truth, self.interaction = truth, interaction
        self.shared, self.places = shared, places
        self.points = torch.zeros(len(truth), 0, 2, device=device)
        self.labels = torch.zeros(len(truth), 0, dtype=torch.long, device=device)

    def box(self) -> Prompts:
        """A noisy box around each object; around the first cell where an object is absent."""
        seen = self.truth.copy()
        seen[~self.truth.any((1, 2)), 0, 0] = True
        limit = 20 / self.interaction.stride
        corners = np.concatenate([boxes_of(seen[part], rng, limit=limit) for part, rng in self._samples()])
        return self._add(corners.reshape(-1, 2, 2), np.tile(np.array([2, 3]), (len(corners), 1)))

    def click(self, answer: Prediction | None = None) -> Prompts:
        """A click on each object or, given an answer, on its error."""
        kept, drawn, centred = self.shared.random(3)
        wrong = None
        if answer is not None and drawn >= self.interaction.from_truth:
            shown = F.interpolate(answer.logits.detach().float(), self.truth.shape[1:], mode="bilinear")
            wrong = (shown[:, 0] > 0).cpu().numpy()
        if centred < self.interaction.centre:
            at, labels = center_clicks(self.truth, wrong)
        else:
            drawn_clicks = [
                random_clicks(self.truth[part], None if wrong is None else wrong[part], rng)
                for part, rng in self._samples()
            ]
            at, labels = (np.concatenate(each) for each in zip(*drawn_clicks, strict=True))
        prompts = self._add(at[:, None], labels[:, None])
        if answer is None or kept >= self.interaction.keep_logits:
            return prompts
        return replace(prompts, previous_logits=answer.logits.clamp(-MOST_CERTAIN, MOST_CERTAIN))

    def _samples(self) -> Iterator[tuple[slice, np.random.Generator]]:
        objects = len(self.truth) // len(self.places)
        for i, rng in enumerate(self.places):
            yield slice(i * objects, (i + 1) * objects), rng

    def _add(self, at: np.ndarray, labels: np.ndarray) -> Prompts:
        """Remember points, moved from cells of the grid to pixels of the input."""
        points = (np.asarray(at, np.float32) + np.float32(0.5)) * self.interaction.stride - np.float32(0.5)
        self.points = torch.cat((self.points, torch.from_numpy(points).to(self.points.device)), dim=1)
        self.labels = torch.cat((self.labels, torch.from_numpy(labels).long().to(self.points.device)), dim=1)
        return Prompts(self.points, self.labels)


def seen_masks(target: Float[Tensor, "b 1 h w"]) -> Bool[np.ndarray, "b h w"]:
    """Soft masks as a user sees them: at least half covered cells, else the most covered ones."""
    most = target.flatten(1).amax(1)[:, None, None]
    return ((target[:, 0] > 0.5) | ((target[:, 0] >= most) & (most > 0))).cpu().numpy()
