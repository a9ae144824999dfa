"""What is timed of each library by ``peers.py``: one pass of a row, and the answer to compare.

Every library gets the same random weights through the converters, the same frames and the same prompts, and reads
frames as the official code does. Clicks go in batches of 64, as the official mask generator gives them; ``sam2-loop``
is the official code with one click at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry, sdpa_flop_count

from masklet.masks.resize import resize_logits
from masklet.model.sam2 import Sam2
from masklet.video.frames import open_source

PEERS = ("masklet", "sam2", "sam2-loop", "transformers")
WARM = 8  # frames until memory is full; pointers still grow after that, at little cost
APART = 24  # different frames of a clip: a long one goes to and fro, or its pictures would be most of the memory
TOGETHER = 64

Answer = dict[str, np.ndarray]


@dataclass(frozen=True)
class Work:
    """A row of one library.

    Attributes:
        run: One pass.
        answer: What the last pass gave, to compare: numbers, or masks (bool).
        warm: Passes that do not count.
        sample: A part of a pass, for counting multiply-adds.
        share: How many of it make a pass.
        before: What must be done before a pass and is no part of it.
    """

    run: Callable[[], Any]
    answer: Callable[[], Answer]
    warm: int = 1
    sample: Callable[[], Any] | None = None
    share: float = 1.0
    before: Callable[[], Any] = lambda: None


@dataclass(frozen=True)
class Row:
    """What is measured, as ``peers.py`` says, and of how many clicks, objects or prompted frames."""

    name: str
    count: int

    @classmethod
    def parse(cls, text: str) -> Row:
        """Read it.

        Raises:
            ValueError: There is no such row.
        """
        name = text.rstrip("0123456789")
        count = text[len(name) :]
        if name not in {"clicks", "masks", "video", "prompts", "long"}:
            if name in {"encode", "click", "memories", "startup"} and not count:
                return cls(name, 1)
        elif count and int(count) > 0:
            return cls(name, int(count))
        raise ValueError(
            f"got row {text!r}, expected encode, click, memories or startup, "
            "or clicks64, masks64, video4, prompts4 or long4 (any number)"
        )


def _attention_flop(query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any) -> int:
    return sdpa_flop_count(query.shape, key.shape, value.shape)


def _added_product_flop(_: Tensor, a: Tensor, b: Tensor, **__: Any) -> int:
    return 2 * a.numel() * b.shape[-1]


def _packed_product_flop(x: Tensor, *_: Any, out_val: Tensor, **__: Any) -> int:
    return 2 * x.numel() * out_val.shape[-1]


FORMULAS = {
    **flop_registry,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention_flop,
    torch.ops.aten.addmm_: _added_product_flop,
    torch.ops.aten.baddbmm_: _added_product_flop,
    torch.ops.mkldnn._linear_pointwise: _packed_product_flop,
}


class Products(TorchDispatchMode):
    """Adds up the work of matrix products and convolutions; torch's own counter lacks some, and wants gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.flop = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Count an operation, or what it is made of."""
        kwargs, packet = kwargs or {}, func._overloadpacket
        if packet not in FORMULAS:
            with self:
                parts = func.decompose(*args, **kwargs)
            return func(*args, **kwargs) if parts is NotImplemented else parts
        out = func(*args, **kwargs)
        self.flop += FORMULAS[packet](*args, **{k: v for k, v in kwargs.items() if k != "out"}, out_val=out)
        return out


def multiply_adds(call: Callable[[], Any]) -> float:
    """GFLOP of a call, two for a multiplication with its addition."""
    with Products() as products:
        call()
    return products.flop / 1e9


def frames_of(clip: Path | None, count: int) -> list[np.ndarray]:
    """Frames of a clip, to and fro, or of a made-up one of 960 x 540 pixels."""
    if clip is None:
        frames = made_frames(min(count, APART))
    else:
        with open_source(clip) as source:
            frames = [source.frame(t) for t in range(min(count, APART, len(source)))]
    last = max(len(frames) - 1, 1)
    return [frames[min(last - abs(last - t % (2 * last)), len(frames) - 1)] for t in range(count)]


def made_frames(count: int) -> list[np.ndarray]:
    """A disc on a ground that moves."""
    rng = np.random.default_rng(0)
    ground = cv2.resize(rng.integers(0, 255, (68, 120, 3), dtype=np.uint8), (960, 540), interpolation=cv2.INTER_CUBIC)
    made = []
    for t in range(count):
        frame = np.roll(ground, 2 * t, axis=1)
        cv2.circle(frame, (300 + 8 * t, 260), 90, (220, 60, 40), -1)
        made.append(frame)
    return made


def points_on(frame: np.ndarray, count: int) -> np.ndarray:
    """Clicks ``(count, 2)`` spread over a frame."""
    return np.random.default_rng(1).uniform((0, 0), frame.shape[1::-1], (count, 2)).astype(np.float32)


def work(peer: str, row: Row, model: Sam2, frames: list[np.ndarray]) -> Work:
    """Prepare a row of a library."""
    if row.name in {"video", "memories", "prompts", "long"}:
        return video_work(tracker_of(peer, model), row, frames)
    segmenter = segmenter_of(peer, model)
    points = points_on(frames[0], row.count)
    last: list[Any] = [None]

    def click() -> None:
        masks, iou = segmenter.predict(points=points[:1], labels=np.ones(1, np.int64))
        last[0] = {"logits": segmenter.logits, "iou": iou, "masks": masks}

    if row.name == "encode":
        return Work(lambda: segmenter.set_image(frames[0]), lambda: (click(), last[0])[1])
    segmenter.set_image(frames[0])
    if row.name == "click":
        return Work(click, lambda: last[0])
    ask, masks = MANY[peer], row.name == "masks"

    def many(points: np.ndarray = points) -> None:
        last[0] = [np.concatenate(each) for each in zip(*ask(segmenter, points, masks), strict=True)]

    first, iou = ("masks" if masks else "logits"), "iou"
    sample = points[:TOGETHER]
    return Work(
        many, lambda: dict(zip((first, iou), last[0], strict=True)), 1, lambda: many(sample), len(points) / len(sample)
    )


def video_work(tracker: Any, row: Row, frames: list[np.ndarray]) -> Work:
    """A frame a pass. ``memories`` begins anew when the clip is at its end: its passes differ in their memories."""
    centres = points_on(frames[0], row.count)
    state: dict[str, Any] = {}

    def begin() -> None:
        tracker.open(frames)
        for i, centre in enumerate(centres):
            frame, one = (i, 1) if row.name == "prompts" else (0, i + 1)
            tracker.prompt(frame, one, points=centre[None], labels=np.ones(1, np.int64))
        state["frames"] = tracker.propagate(start=0)
        state["t"] = next(state["frames"])[0]

    def step() -> None:
        state["t"], masks = next(state["frames"])
        state["last"] = {f"object {i}": masks[i] for i in sorted(masks)}

    def again() -> None:
        if state["t"] == len(frames) - 1:
            begin()

    def clip() -> None:
        for _ in frames[1:]:
            step()

    begin()
    if row.name == "memories":
        return Work(step, lambda: state["last"], 0, clip, 1 / (len(frames) - 1), again)
    return Work(step, lambda: state["last"], WARM + (row.count if row.name == "prompts" else 0))


def tracker_of(peer: str, model: Sam2) -> Any:
    """A tracker in the configuration in which all give the same masks."""
    if peer == "masklet":
        from masklet.inference.adapters import SessionTracker
        from masklet.inference.options import SessionOptions

        return SessionTracker(model, SessionOptions.official(fill_holes=0, object_batch=SessionOptions().object_batch))
    if peer == "sam2":
        from masklet.baselines.official_sam2 import OfficialTracker

        return OfficialTracker(model)
    if peer == "transformers":
        from masklet.baselines.transformers_sam2 import TransformersTracker

        return TransformersTracker(model)
    raise ValueError(f"{peer} has no video rows")


def segmenter_of(peer: str, model: Sam2) -> Any:
    """A segmenter of images."""
    if peer == "masklet":
        from masklet.inference.adapters import PredictorSegmenter

        ours = PredictorSegmenter(model)
        ours.predictor.resample = "official_image"
        return ours
    if peer == "transformers":
        from masklet.baselines.transformers_sam2 import TransformersSegmenter

        return TransformersSegmenter(model)
    from torchvision_stand_in import stand_in

    stand_in()
    from masklet.baselines.official_sam2 import OfficialSegmenter

    return OfficialSegmenter(model)


Many = Iterator[tuple[np.ndarray, np.ndarray]]
"""Logits at stride 4, or the best mask of each click at the image's size, and predicted IoU; batch after batch."""


def _best(logits: Tensor, iou: Tensor, size: tuple[int, int]) -> Tensor:
    best = logits[torch.arange(len(logits)), iou.argmax(1)]
    return resize_logits(best[:, None], size)[:, 0] > 0


def ours_many(segmenter: Any, points: np.ndarray, masks: bool) -> Many:
    """One call for all clicks."""
    size = segmenter.predictor.embedding.size
    for logits, iou in segmenter.predictor.predict_many(points=points):
        yield (_best(logits, iou, size) if masks else logits).numpy(), iou.numpy()


@torch.inference_mode()
def official_many(segmenter: Any, points: np.ndarray, masks: bool, together: int = TOGETHER) -> Many:
    """The predictor's call, which resizes all candidates; for logits only what it calls before that."""
    predictor = segmenter.predictor
    model, maps = predictor.model, predictor._features
    for some in torch.from_numpy(points).split(together):
        clicks, labels = some[:, None], torch.ones(len(some), 1, dtype=torch.int)
        clicks = predictor._transforms.transform_coords(clicks, normalize=True, orig_hw=predictor._orig_hw[-1])
        if masks:
            full, iou, _ = predictor._predict(clicks, labels, multimask_output=True)
            yield full[torch.arange(len(full)), iou.argmax(1)].numpy(), iou.numpy()
            continue
        sparse, dense = model.sam_prompt_encoder(points=(clicks, labels), boxes=None, masks=None)
        logits, iou, _, _ = model.sam_mask_decoder(
            image_embeddings=maps["image_embed"],
            image_pe=model.sam_prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=True,
            repeat_image=len(some) > 1,
            high_res_features=maps["high_res_feats"],
        )
        yield logits.numpy(), iou.numpy()


def official_loop(segmenter: Any, points: np.ndarray, masks: bool) -> Many:
    """The same with one click at a time."""
    return official_many(segmenter, points, masks, 1)


@torch.inference_mode()
def transformers_many(segmenter: Any, points: np.ndarray, masks: bool) -> Many:
    """``Sam2Model`` on image embeddings; of the masks only the best are resized."""
    scale = torch.tensor(segmenter._size[::-1]) / segmenter._image_size
    for some in torch.from_numpy(points).split(TOGETHER):
        clicks = (some / scale)[None, :, None]
        labels = torch.ones(clicks.shape[:3], dtype=torch.int)
        answer = segmenter.model(image_embeddings=list(segmenter._maps), input_points=clicks, input_labels=labels)
        logits, iou = answer.pred_masks[0], answer.iou_scores[0]
        yield (_best(logits, iou, segmenter._size) if masks else logits).numpy(), iou.numpy()


MANY: dict[str, Callable[[Any, np.ndarray, bool], Many]] = {
    "masklet": ours_many,
    "sam2": official_many,
    "sam2-loop": official_loop,
    "transformers": transformers_many,
}
