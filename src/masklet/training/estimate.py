"""What a recipe costs before it runs: counted arithmetic, memory of a device, time, data rate, checkpoint size.

Arithmetic and kept activations are counted by running the model's four calls on tensors without content; the rest is
stated in :class:`Hardware` or follows from the recipe. Nothing is timed, and a teacher is left out.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from ..model.memory_bank import MemoryBank
from ..model.position import sine_map
from ..model.rope import axial_rotation
from ..model.sam2 import Sam2
from ..structures import Prompts, Selection
from .losses import LossWeights, prediction_loss
from .recipe import Recipe, Stage
from .rollout import STRIDE
from .user import Interaction

T = TypeVar("T")
GIB = 2.0**30
POINTS = 4  # a prompt with some corrections
LIBRARIES = 0.5 * GIB
"""Of a process that trains: the interpreter, torch and its buffers; on a GPU, its context."""


@dataclass(frozen=True)
class Hardware:
    """What a recipe runs on.

    Attributes:
        devices: GPUs, or processes.
        memory: Bytes of one of them.
        flops: Peak floating-point operations a second of one of them.
        utilisation: Share of the peak that training reaches. The paper's 390,000 steps of 256 samples in 108 hours on
            256 A100 GPUs are 1.0 s a step: 0.05 of the counted arithmetic, one object and frame after the other.
        half: Activations are kept in half precision.
        sharded: Weights, gradients and moments are spread over the devices (FSDP).
        frame_bytes: Bytes of a stored frame that is used; an assumption, that of a 1024-px JPEG.
    """

    devices: int = 1
    memory: float = 80e9
    flops: float = 312e12
    utilisation: float = 0.05
    half: bool = True
    sharded: bool = False
    frame_bytes: float = 0.3e6


@dataclass(frozen=True)
class Part:
    """One call of the model for one image or object: operations forward, and bytes kept for the backward pass."""

    flops: float
    kept: float

    def __add__(self, other: Part) -> Part:
        return Part(self.flops + other.flops, self.kept + other.kept)

    def __mul__(self, times: float | int) -> Part:
        return Part(times * self.flops, times * self.kept)


@dataclass(frozen=True)
class Parts:
    """The calls of the model at one size of the input.

    Attributes:
        encode: The image encoder, once an image or frame.
        condition: Memory attention with a full memory, an object.
        decode: The mask decoder with its losses, an object.
        remember: The memory encoder, an object.
    """

    encode: Part
    condition: Part
    decode: Part
    remember: Part


def count_parts(model: Sam2, size: int, loss: LossWeights | None = None) -> Parts:
    """Count the four calls, and the losses, in float32. Takes seconds; computes nothing."""
    loss = LossWeights() if loss is None else loss
    side = size if loss.full_size else size // STRIDE
    device = torch.device("cpu")
    prompts = Prompts(torch.zeros(1, POINTS, 2), torch.ones(1, POINTS, dtype=torch.long))
    training = model.training
    model.train()
    try:
        with FakeTensorMode(allow_non_fake_inputs=True):
            image = torch.zeros(1, 3, size, size, device=device)
            encode, features = _count(lambda: model.encode_image(image))
            alone = model.condition(features, Selection())
            decode, answer = _count(lambda: model.decode(alone, features, prompts))
            remember, entry = _count(lambda: model.encode_memory(features, answer))
            bank = MemoryBank(model.limits)
            times = range(model.limits.recent_maps + 1)
            for t in times:
                bank.write(t, entry, prompted=t == 0)
            selection = bank.read(len(times))
            condition, _ = _count(lambda: model.condition(features, selection))
            target, known = torch.zeros(1, 1, side, side, device=device), torch.ones(1, device=device)
            supervise, _ = _count(lambda: prediction_loss(answer, target, known, loss))
            decode = decode + supervise
    finally:
        model.train(training)
        for cached in (sine_map, axial_rotation):  # what was made without content must not be used again
            cached.cache_clear()
    return Parts(encode, condition, decode, remember)


def _count(call: Callable[[], T]) -> tuple[Part, T]:
    kept: dict[int, int] = {}
    alive: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        if not isinstance(tensor, nn.Parameter):
            storage = tensor.untyped_storage()
            kept[id(storage)] = storage.nbytes()
            alive.append(tensor)  # so that no address comes twice
        return tensor

    with FlopCounterMode(display=False) as counter, saved_tensors_hooks(keep, lambda tensor: tensor):
        result = call()
    return Part(float(counter.get_total_flops()), float(sum(kept.values()))), result


def sample_cost(
    stage: Stage, kind: str, interaction: Interaction, parts: Parts, recompute: bool, most: bool = False
) -> Part:
    """One sample forward, on average over what the simulated user does, or if it does the most that it may."""
    chances = interaction.corrections
    clicks = float(sum(n * chance for n, chance in enumerate(chances)))
    if most:
        clicks = float(max(n for n, chance in enumerate(chances) if chance))
    if kind == "image":
        kept, frames, tracked, decodings = stage.masks, 1, 0.0, 1 + clicks
    else:
        prompted = (1 + min(interaction.prompted, stage.frames)) / 2
        by_points = 1 - interaction.mask
        corrected = by_points * prompted + interaction.correct * (by_points or 1.0) * (interaction.corrected > 1)
        if most:
            prompted = 1
            corrected = min(interaction.corrected if interaction.correct else interaction.prompted, stage.frames)
            clicks = max(clicks, 1.0) if interaction.correct else clicks
        kept, frames, tracked = stage.objects, stage.frames, stage.frames - prompted
        decodings = stage.frames + corrected * clicks
    decode = parts.decode
    if recompute:  # once more backward, and only one at a time is kept
        decode = Part(4 / 3 * decode.flops, decode.kept / max(decodings, 1))
    per_object = decode * decodings + parts.condition * tracked + parts.remember * (frames - 1)
    return parts.encode * frames + per_object * kept


@dataclass(frozen=True)
class Plan:
    """What a recipe costs on some hardware; bytes are those of one device, rates those of all.

    Attributes:
        parameters: Numbers that are learned, and all numbers.
        weights: Weights, gradients, moments and average.
        activations: Kept for the backward pass of the largest step, when the user does the most that it may.
        flops: Of all steps.
        steps: Steps of the run; None where the clock decides.
        seconds: Of a mean step.
        frames_a_second: Frames that must be read and decoded.
        checkpoint: Bytes of ``checkpoint.pt``.
        gradients_a_step: Bytes that each device sends and receives in a step.
    """

    hardware: Hardware
    learned: int
    parameters: int
    weights: float
    activations: float
    flops: float
    steps: int | None
    seconds: float
    frames_a_second: float
    checkpoint: float
    gradients_a_step: float

    @property
    def memory(self) -> float:
        """Bytes of a process at most: on its device, or on a CPU all that it has."""
        return self.weights + self.activations + LIBRARIES

    def lines(self) -> list[str]:
        """The plan in words."""
        h = self.hardware
        fits = "fits" if self.memory < 0.9 * h.memory else "does not fit"
        text = [
            f"parameters        {self.parameters / 1e6:.1f} M, {self.learned / 1e6:.1f} M learned",
            f"weights, moments  {self.weights / GIB:.2f} GiB a device{' (sharded)' if h.sharded else ''}",
            f"activations       {self.activations / GIB:.2f} GiB a device, {'half' if h.half else 'single'} precision",
            f"memory            {self.memory / GIB:.2f} GiB with libraries, of {h.memory / GIB:.0f} GiB: {fits}",
            f"arithmetic        {self.flops / max(self.steps or 1, 1) / 1e12:.3g} TFLOP a step",
            f"time              {self.seconds:.3g} s a step at {h.utilisation:.0%} of {h.flops / 1e12:.3g} TFLOP/s",
        ]
        if self.steps is not None:
            hours = self.seconds * self.steps / 3600
            text.append(f"whole run         {self.steps:,} steps, {hours:.3g} h, {hours * h.devices:,.3g} device hours")
        read, sent = self.frames_a_second * h.frame_bytes, self.gradients_a_step / self.seconds
        text.append(f"data              {self.frames_a_second:.4g} frames/s, {read / 1e6:.3g} MB/s of stored frames")
        text.append(f"gradients         {self.gradients_a_step / 1e9:.3g} GB a step and device, {sent / 1e9:.3g} GB/s")
        text.append(f"checkpoint        {self.checkpoint / 1e9:.3g} GB")
        return text


def plan(recipe: Recipe, model: Sam2, hardware: Hardware) -> Plan:
    """What a recipe costs with a model on some hardware.

    Raises:
        ValueError: A batch cannot be dealt out to so many devices.
    """
    devices = hardware.devices
    learned = sum(p.numel() for p in model.parameters() if p.requires_grad)
    everything = sum(p.numel() for p in model.parameters())
    averaged = recipe.optimisation.average is not None
    weights = 4.0 * everything * (2 if averaged else 1) + 12.0 * learned
    if devices > 1 and hardware.sharded:  # what is no trunk is whole during a step, with its gradients
        trunk = sum(p.numel() for p in model.image_encoder.trunk.parameters())
        weights = weights / devices + 8.0 * (everything - trunk)
    elif devices > 1:  # buckets of gradients on their way
        weights += 4.0 * learned
    activations, flops, frames, begun = 0.0, 0.0, 0.0, 0.0
    config = recipe.rollout
    sizes = {stage.size: count_parts(model, stage.size, config.loss) for stage in recipe.stages}
    for stage in recipe.stages:
        for kind, share in (("clip", stage.clips), ("image", 1 - stage.clips)):
            if not share:
                continue
            batch = stage.batch(kind)
            if batch % devices:
                raise ValueError(f"{batch} {kind}s a step cannot be dealt out to {devices} devices: take a divisor")
            about = stage, kind, config.interaction, sizes[stage.size], config.recompute
            cost, most = sample_cost(*about), sample_cost(*about, most=True)
            activations = max(activations, most.kept * batch / devices * (0.5 if hardware.half else 1.0))
            part = (stage.until - begun) * share * batch * recipe.optimisation.accumulate
            flops += part * 3 * cost.flops  # backward twice forward
            frames += part * (stage.frames if kind == "clip" else 1)
        begun = stage.until
    seconds = flops / (devices * hardware.flops * hardware.utilisation)
    return Plan(
        hardware=hardware,
        learned=learned,
        parameters=everything,
        weights=weights,
        activations=activations,
        flops=flops * (recipe.steps or 1),
        steps=recipe.steps,
        seconds=seconds,
        frames_a_second=frames / seconds,
        checkpoint=4.0 * everything * (2 if averaged else 1) + 8.0 * learned,
        gradients_a_step=2 * 4.0 * learned if devices > 1 else 0.0,
    )


def memory_of(device: str) -> float:
    """Bytes of a CUDA device, else of this machine; infinite where the system does not say."""
    if device.startswith("cuda"):
        return float(torch.cuda.mem_get_info(device)[1])
    if not hasattr(os, "sysconf"):
        return math.inf
    return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))


def outlook(recipe: Recipe, costs: Plan, shared: bool, workers: int = 0) -> tuple[list[str], str | None]:
    """What a run will take, in words, and a warning where that is more memory than there is.

    Args:
        recipe: The run.
        costs: Its plan; the memory of its hardware is compared.
        shared: The processes share that memory, as on a CPU.
        workers: Processes that make batches, for each process that trains.
    """
    devices, has = costs.hardware.devices, costs.hardware.memory
    needed = devices * (costs.memory + workers * LIBRARIES) if shared else costs.memory
    parts = (("weights and moments", costs.weights), ("activations", costs.activations), ("libraries", LIBRARIES))
    listed = ", ".join(f"{name} {value / GIB:.2f}" for name, value in parts)
    there = "" if math.isinf(has) else f"; {needed / GIB:.1f} of {has / GIB:.1f} GiB"
    if recipe.minutes is not None:
        time = f"{'at most ' if recipe.steps is not None else ''}{recipe.minutes:g} minutes of processor time"
    else:
        time = f"{recipe.steps:,} steps, whose time shows after the first ten"
    lines = [
        f"memory: at most {costs.memory / GIB:.2f} GiB a process ({listed}){there}",
        f"disk: {costs.checkpoint / 1e6:,.0f} MB for checkpoint.pt, twice that while it is written",
        f"time: {time}",
    ]
    if needed <= has:
        return lines, None
    return lines, (
        f"this run may need {needed / GIB:.1f} GiB and there are {has / GIB:.1f}: "
        f"lower stages.*.images, videos, masks, objects or frames, or --set rollout.recompute=true"
    )
