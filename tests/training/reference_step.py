"""One training step written out by hand.

The reference follows the released training code (``SAM2Train`` and ``MultiStepMultiMasksAndIous``) step by step for one
plan. It shares the network's modules with the rollout, and neither its memory bank, its losses nor its order of things.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from masklet.model.memory_tokens import Tokens
from masklet.model.position import sine_code, sine_map
from masklet.model.sam2 import Sam2
from masklet.structures import Prediction, Prompts
from masklet.training.rollout import to_input
from masklet.training.user import Plan
from tiny_model import clip, disc

FRAMES, SIZE, OBJECTS = 5, 64, 2
PLAN = Plan(masks=False, boxes=(False, True), prompted=(0, 3), corrected={0: 2, 3: 2, 2: 2})
MASK_PLAN = Plan(masks=True, boxes=(False,), prompted=(0,), corrected={})


def the_clip() -> dict[str, np.ndarray]:
    discs = np.stack([disc(t, SIZE, SIZE) for t in range(FRAMES)])
    masks = np.stack([discs, discs[:, ::-1]], axis=1).astype(np.uint8)
    masks[4, 1] = 0  # the second object leaves
    return {
        "frames": np.stack(clip(FRAMES, SIZE, SIZE))[None],
        "masks": masks[None],
        "labelled": np.ones((1, FRAMES), bool),
    }


class Reference:
    """The released training step, written out for one clip."""

    def __init__(self, model: Sam2, asked: list[Prompts], plan: Plan) -> None:
        self.model, self.asked, self.plan = model, iter(asked), plan
        self.conditioning: dict[int, tuple[Tensor, Tensor]] = {}  # memory map and pointer
        self.others: dict[int, tuple[Tensor, Tensor]] = {}
        self.terms = dict.fromkeys(("focal", "dice", "iou", "presence"), torch.zeros((), dtype=torch.float64))

    def run(self, batch: dict[str, np.ndarray]) -> dict[str, Tensor]:
        images = to_input(batch["frames"][0])
        for t in [*self.plan.prompted, *(t for t in range(FRAMES) if t not in self.plan.prompted)]:
            truth = torch.from_numpy(batch["masks"][0, t]).double()[:, None]
            features = self.model.encode_image(images[t : t + 1]).take(torch.zeros(OBJECTS, dtype=torch.long))
            first = t in self.plan.prompted
            if first and self.plan.masks:
                answer = self.model.adopt_mask(features, truth.float())
            else:
                embedding = features.embedding
                seen = embedding + self.model.no_memory[:, :, None, None] if first else self.attend(embedding, t)
                answer = self.model.decode(seen, features, next(self.asked))
                self.count(answer, truth)
                for _ in range(self.plan.corrected.get(t, 0)):
                    prompts = next(self.asked)
                    assert prompts.previous_logits is not None
                    assert torch.allclose(prompts.previous_logits, answer.logits.clamp(-32, 32), atol=1e-4)
                    linked = Prompts(prompts.points, prompts.labels, None, answer.logits.clamp(-32, 32))
                    answer = self.model.decode(seen, features, linked)
                    self.count(answer, truth)
            large = F.interpolate(answer.logits.double(), (SIZE, SIZE), mode="bilinear", align_corners=False)
            memory = self.model.memory_encoder(features.embedding, torch.sigmoid(large) * 20 - 10)
            gone = (answer.presence <= 0).double()
            assert self.model.no_object_memory is not None
            memory = memory + gone[:, None, None, None] * self.model.no_object_memory[:, :, None, None]
            kept = self.conditioning if first or t in self.plan.corrected else self.others
            kept[t] = memory, answer.pointer
        assert next(self.asked, None) is None
        return self.terms

    def attend(self, embedding: Tensor, t: int) -> Tensor:
        """Conditioning maps, up to six maps of frames before, pointers of all conditioning frames and those before."""
        model, time = self.model, self.model.memory_tokens.time
        chosen = [(6, memory) for memory, _ in self.conditioning.values()]
        chosen += [(back - 1, self.others[t - back][0]) for back in range(6, 0, -1) if t - back in self.others]
        pointers = [(t - at, pointer) for at, (_, pointer) in self.conditioning.items()]
        pointers += [(back, self.others[t - back][1]) for back in range(1, FRAMES) if t - back in self.others]
        values, codes = [], []
        for row, memory in chosen:
            values.append(memory.flatten(2).permute(0, 2, 1))
            place = sine_map(memory.shape[2], memory.shape[3], memory.shape[1])[0].double()
            codes.append((place + time[row][:, None, None]).flatten(1).T.expand(OBJECTS, -1, -1))
        width, narrow = model.config.width, model.config.memory_width
        assert model.memory_tokens.pointer_time is not None
        for distance, pointer in pointers:
            away = sine_code(torch.tensor([distance / (FRAMES - 1)]), width).to(pointer.dtype)
            code = model.memory_tokens.pointer_time(away)
            for part in range(width // narrow):
                values.append(pointer[:, None, part * narrow : (part + 1) * narrow])
                codes.append(code.expand(OBJECTS, 1, -1))
        tokens = Tokens(torch.cat(values, 1), torch.cat(codes, 1), len(pointers) * (width // narrow))
        return model.memory_attention(embedding, tokens)

    def count(self, answer: Prediction, truth: Tensor) -> None:
        """Focal and dice of the best returned mask, IoU of all returned, presence; divided by the objects."""
        for i in range(OBJECTS):
            logit = answer.presence[i]
            here = bool(truth[i].any())
            self.add("presence", F.softplus(-logit) if here else F.softplus(logit))
            if not here:
                continue
            rated = []
            for mask, guess in zip(answer.candidates[i], answer.candidate_iou[i], strict=True):
                shown = mask if logit > 0 else torch.full_like(mask, -1024.0)
                large = F.interpolate(shown[None, None], (SIZE, SIZE), mode="bilinear", align_corners=False)[0, 0]
                p, goal = torch.sigmoid(large), truth[i, 0]
                right = p * goal + (1 - p) * (1 - goal)
                cross = F.softplus(large) - large * goal
                focal = ((0.25 * goal + 0.75 * (1 - goal)) * cross * (1 - right) ** 2).mean()
                total = p.sum() + goal.sum()
                dice = 1 - (total - (p - goal).abs().sum() + 1) / (total + 1)
                both, either = ((large > 0) & (goal > 0)).sum(), ((large > 0) | (goal > 0)).sum()
                rated.append((focal, dice, (guess - both / either.clamp(min=1)).abs()))
            focal, dice, _ = min(rated, key=lambda r: float((20 * r[0] + r[1]).detach()))
            self.add("focal", focal)
            self.add("dice", dice)
            self.add("iou", torch.stack([error for *_, error in rated]).mean())

    def add(self, term: str, value: Tensor) -> None:
        self.terms[term] = self.terms[term] + value / OBJECTS
