"""Trains ``nano``, the small default model, on CPU processes that average their gradients.

    python -m masklet.training.nano --data DIR --out runs/nano --minutes 240
    python -m masklet.training.nano --data DIR --out runs/more --minutes 110 --start nano

Run it again with the same ``--out`` to go on where it stopped; kill it at any time, it saves after the step.
``weights.safetensors`` in that folder is the running average that ships. Recipe and scores: docs/nano.md.
"""

from __future__ import annotations

import argparse
import logging
import math
import os
import time
from collections.abc import Generator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.multiprocessing.spawn import spawn

from ..checkpoints.load import load, save
from ..data.sampling import TrainingData, batches
from ..model.config import NANO, ModelConfig
from ..model.efficientnet import EfficientNetLite
from ..model.memory_attention import MemoryAttentionLayer
from ..model.sam2 import Sam2, build
from ..video.atomic import replacing
from .losses import LossWeights
from .optimisation import Average, Optimisation, parameter_groups
from .pretrained_trunk import load_pretrained
from .rollout import Outcome, RolloutConfig, clip_rollout, image_rollout
from .user import Interaction

log = logging.getLogger("masklet.training")


@dataclass(frozen=True)
class Stage:
    """A stretch of the run, in shares of its length.

    Attributes:
        until: Where the stretch ends, 0..1 (of processor time).
        clips: Share of steps on clips, the others on images.
        size: Side of the input.
        images: Images of a step and process, ``masks`` objects each.
        videos: Clips of a step and process.
        frames: Frames of a clip.
    """

    until: float
    clips: float
    size: int = 256
    images: int = 4
    masks: int = 8
    videos: int = 2
    frames: int = 4
    objects: int = 2


STAGES = (
    Stage(0.3, clips=0.0),
    Stage(0.7, clips=0.6),
    Stage(1.0, clips=0.6, size=384, images=2, videos=1, frames=6),
)
# For a run that starts from trained weights.
CONTINUED = (
    Stage(0.15, clips=0.65),
    Stage(0.65, clips=0.65, size=384, images=2, videos=1, frames=6),
    Stage(1.0, clips=0.65, size=384, images=2, videos=1, frames=8),
)


FIRST = Optimisation(
    rate=7e-4,
    encoder_rate=1.5e-4,
    encoder="image_encoder.trunk.*",
    weight_decay=0.02,
    betas=(0.9, 0.98),
    clip=1.0,
    warmup=300,
    floor=0.02,
    average=0.999,
)
GOING_ON = replace(FIRST, rate=5e-4, encoder_rate=1e-4)

# Departures from the paper's defaults, which at this size and length of training collapse to empty masks.
ROLLOUT = RolloutConfig(
    Interaction(
        box=0.25,
        prompted=1,
        correct=0.3,
        correct_masks=True,
        corrections=(0.45, 0.3, 0.25),
        keep_logits=0.75,
        from_truth=0.0,
        centre=0.6,
        forget=0.25,
        stride=4,
    ),
    LossWeights(focal=6.0, dice=1.5, alpha=0.5, full_size=False, all_masks=True, gate=False),
    per_decoding=True,
    pointers_ahead=False,
    span_of_clip=False,
)


def initial_model(config: ModelConfig = NANO) -> Sam2:
    """Random weights, the pretrained trunk, and memory attention that starts as appearance matching."""
    model = Sam2(config)
    if isinstance(model.image_encoder.trunk, EfficientNetLite):
        load_pretrained(model.image_encoder.trunk)
    start_as_matching(model)
    return model


@torch.no_grad()
def start_as_matching(model: Sam2) -> None:
    """Make memory maps an orthonormal view of the embedding, and queries and keys compare in that view."""
    width, narrow = model.config.width, model.config.memory_width
    encoder = model.memory_encoder
    view = torch.linalg.qr(torch.randn(width, narrow)).Q.T  # [narrow width]
    encoder.image.weight.copy_(torch.eye(width)[:, :, None, None])
    encoder.out.weight.copy_(view[:, :, None, None])
    for conv in (encoder.image, encoder.out):
        assert conv.bias is not None
        conv.bias.zero_()
    for layer in model.memory_attention.layers:
        assert isinstance(layer, MemoryAttentionLayer)
        attention = layer.cross_attention
        for head in range(attention.heads):
            rows = slice(head * width // attention.heads, (head + 1) * width // attention.heads)
            size = min(rows.stop - rows.start, narrow)
            attention.query.weight[rows][:size].copy_(view[:size])
            attention.key.weight[rows][:size].copy_(torch.eye(narrow)[:size])


def average_gradients(model: nn.Module, extra: Tensor) -> Tensor:
    """Average gradients over the processes, in one message; ``extra`` numbers travel along."""
    params = list(model.parameters())
    grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in params]
    flat = torch.cat([g.reshape(-1) for g in grads] + [extra])
    if dist.is_initialized():
        dist.all_reduce(flat)
        flat /= dist.get_world_size()
    offset = 0
    for p in params:
        p.grad = flat[offset : offset + p.numel()].view_as(p)
        offset += p.numel()
    return flat[offset:]


class Run:
    """Everything of a run that a checkpoint holds: weights, their average, the optimiser, and how far it is."""

    def __init__(self, model: Sam2, schedule: Optimisation) -> None:
        self.model, self.schedule = model, schedule
        self.optimizer = torch.optim.AdamW(parameter_groups(model, schedule), lr=schedule.rate, betas=schedule.betas)
        self.average = Average(model, schedule.average or 0.0)
        self.step, self.spent, self.ended = 0, 0.0, False

    def load(self, path: Path) -> None:
        """Go on from a checkpoint."""
        saved = torch.load(path, weights_only=True)
        self.model.load_state_dict(saved["model"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.average.state, self.step, self.spent = saved["average"], saved["step"], saved["spent"]
        log.info("resumed at step %d after %.1f minutes", self.step, self.spent / 60)

    def save(self, folder: Path) -> None:
        """Write the checkpoint, and the averaged weights by themselves."""
        state = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        with replacing(folder / "checkpoint.pt") as part:
            torch.save({**state, "average": self.average.state, "step": self.step, "spent": self.spent}, part)
        averaged = build(self.model.config)
        averaged.load_state_dict(self.average.state)
        save(averaged, folder / "weights.safetensors", dtype=torch.float16)

    def update(self, outcome: Outcome, progress: float, seconds: float, *, alone: bool = False) -> list[float]:
        """One step of the optimiser; returns loss, IoUs, gradient norm and seconds, averaged over the processes.

        ``alone`` says that whoever started this process is gone: after the step all processes know that they must end.
        """
        factor = self.schedule.factor(self.step, progress)
        for group in self.optimizer.param_groups:
            group["lr"] = group["base"] * factor
        self.optimizer.zero_grad(set_to_none=True)
        outcome.loss.backward()
        scores = [float(outcome.loss.detach()), outcome.iou_prompted, outcome.iou]
        facts = torch.tensor([*scores, seconds, float(alone)])
        facts = average_gradients(self.model, facts).tolist()
        norm = float(nn.utils.clip_grad_norm_(self.model.parameters(), self.schedule.clip or math.inf))
        if math.isfinite(norm):
            self.optimizer.step()
            self.average.update(self.model, self.step)
        else:
            log.warning("step %d: gradient norm %s, step skipped", self.step, norm)
        self.step += 1
        self.spent += facts[3]
        self.ended = facts[4] > 0
        return [*facts[:3], norm, facts[3]]


def run(
    rank: int,
    world: int,
    data: Path,
    out: Path,
    minutes: float,
    seed: int,
    config: ModelConfig = NANO,
    start: str | None = None,
) -> None:
    """One process of a run."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", filename=out / f"log{rank}.txt")
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // world))
    cv2.setNumThreads(0)
    if world > 1:
        dist.init_process_group("gloo", init_method=f"file://{out / 'rendezvous'}", rank=rank, world_size=world)
    torch.manual_seed(seed)
    stages, schedule = (STAGES, FIRST) if start is None else (CONTINUED, GOING_ON)
    state = Run(initial_model(config) if start is None else load(start), schedule)
    if (out / "checkpoint.pt").exists():
        state.load(out / "checkpoint.pt")
    training = TrainingData.open(data)
    state.model.train()
    parent = os.getppid()
    last, saved_at = time.process_time(), state.spent
    streams: Streams | None = None
    while state.spent < minutes * 60 and not state.ended:
        progress = state.spent / (minutes * 60)
        stage = next(s for s in stages if progress < s.until)
        if streams is None or streams.stage is not stage:
            if streams is not None:
                streams.close()
            streams = Streams(training, stage, seed, rank, world, state.step)
        shared = np.random.default_rng([seed, state.step])  # the same on every process: kind of step, rounds of clicks
        kind = "clip" if shared.random() < stage.clips else "image"
        rollout = clip_rollout if kind == "clip" else image_rollout
        batch = streams.next(kind)
        places = [np.random.default_rng([seed, state.step, rank, i]) for i in range(len(batch["masks"]))]
        outcome = rollout(state.model, batch, ROLLOUT, shared, places)
        clock = time.process_time()  # not the wall clock: a busy machine does not shorten the run
        facts = state.update(outcome, progress, clock - last, alone=os.getppid() != parent)
        last = clock
        if rank == 0 and state.step % 20 == 0:
            text = "step %d %s %d px  loss %.3f  iou %.3f %.3f  norm %.2f  %.2f s  %.1f min"
            log.info(text, state.step, kind, stage.size, *facts, state.spent / 60)
        if state.spent - saved_at > 120 or state.spent >= minutes * 60 or state.ended:
            saved_at = state.spent
            if rank == 0:
                state.save(out)
    if streams is not None:
        streams.close()


class Streams:
    """Batches of both kinds for a stage; numbered from the step on, so that a resumed run sees new ones."""

    def __init__(self, training: TrainingData, stage: Stage, seed: int, rank: int, world: int, step: int) -> None:
        self.stage = stage
        place = (seed, rank, world)
        images = partial(batches, training, "image", *place, batch=stage.images, masks=stage.masks)
        clips = partial(batches, training, "clip", *place, batch=stage.videos, frames=stage.frames)
        self._open: dict[str, Generator[dict[str, np.ndarray], None, None]] = {}
        self._make = {
            "image": lambda: images(size=stage.size, start=step, prefetch=2),
            "clip": lambda: clips(size=stage.size, objects=stage.objects, start=step, prefetch=2),
        }

    def next(self, kind: str) -> dict[str, np.ndarray]:
        """The next batch of a kind."""
        if kind not in self._open:
            self._open[kind] = self._make[kind]()
        return next(self._open[kind])

    def close(self) -> None:
        """Stop making batches."""
        for stream in self._open.values():
            stream.close()


def main() -> None:
    """Parse the command line and start the processes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with images/, videos/ and splits.json")
    parser.add_argument("--out", type=Path, required=True, help="folder of checkpoints and logs")
    parser.add_argument(
        "--minutes", type=float, default=240, help="processor time of the whole run, resumed parts included"
    )
    parser.add_argument(
        "--start", help="trained weights to go on from, such as nano: no images-only stage; default: ImageNet's trunk"
    )
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    args.out = args.out.absolute()  # the processes meet at a file, by an absolute path
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "rendezvous").unlink(missing_ok=True)
    rest = (args.processes, args.data, args.out, args.minutes, args.seed, NANO, args.start)
    spawn(run, rest, nprocs=args.processes)


if __name__ == "__main__":
    main()
