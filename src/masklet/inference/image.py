"""ImagePredictor: encode an image once, then answer any number of prompts on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..interaction.prompts import MOST_LOGIT, UserPrompt, check_mask, numbers_of, user_prompt
from ..masks.components import clean_small
from ..masks.resize import resize_logits
from ..masks.rle import encode
from ..model.frame_encoder import FrameEncoder
from ..model.many_prompts import Candidates, decode_many
from ..model.sam2 import GIVEN_MASK_BIAS, GIVEN_MASK_SCALE
from ..structures import FrameFeatures, Prompts, Selection
from ..video.fitting import Fit, Fitting, check_fitting, fit_frame
from ..video.images import to_rgb_array
from ..video.pixels import Resample
from .named_model import ModelOrName, as_model

CLEANED_LOGIT = 10.0


@dataclass(frozen=True)
class ImageEmbedding:
    """An encoded image; it never changes, so threads may share it.

    Attributes:
        features: What the image encoder said.
        conditioned: The stride-16 map with the no-memory code: an image is a video of one frame.
        fit: Where the image lies in the model's input.
    """

    features: FrameFeatures
    conditioned: Float[Tensor, "1 c h w"]
    fit: Fit

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the image."""
        return self.fit.frame


@dataclass(frozen=True)
class ImageResult:
    """Candidate masks of one prompt.

    Attributes:
        low_logits: Logits at stride 4 of the model's input, -32..32: give the best one back to refine it.
        iou: Predicted IoU of each candidate.
        size: Height and width of the image.
        shown: Logits at stride 4 that masks are made from: of what the image fills of the input, after clean-up.
    """

    low_logits: Float[np.ndarray, "m h4 w4"]
    iou: Float[np.ndarray, " m"]
    size: tuple[int, int]
    shown: Float[Tensor, "m p q"]

    @cached_property
    def logits(self) -> Float[np.ndarray, "m h w"]:
        """Logits at the image's size."""
        with torch.inference_mode():
            return resize_logits(self.shown[None], self.size)[0].cpu().numpy()

    @cached_property
    def masks(self) -> Bool[np.ndarray, "m h w"]:
        """Candidate masks at the image's size."""
        return self.logits > 0

    @property
    def best(self) -> int:
        """Index of the candidate with the highest predicted IoU."""
        return int(self.iou.argmax())

    @property
    def mask(self) -> Bool[np.ndarray, "h w"]:
        """The best candidate."""
        return self.masks[self.best]

    def rle(self) -> dict:
        """The best candidate as COCO run lengths."""
        return dict(encode(self.mask))


class ImagePredictor:
    """Segments objects of images from clicks, boxes, masks and their combinations.

    Args:
        model: A model from :func:`masklet.load`, or a name or path for it.
        fit: How images fill the model's input: ``stretch`` (official), ``letterbox``, ``native`` or a height and width;
            see :mod:`~masklet.video.fitting`.
        resample: Resize filter; ``official_image`` for the digits of the official predictor.
        max_hole_area: Holes of at most this many stride-4 pixels are filled (official default 0: none).
        max_speck_area: Specks of at most this many stride-4 pixels are removed (official default 0: none).
        stability_fallback: An unstable single mask gives way to the best of three (official default).
    """

    def __init__(
        self,
        model: ModelOrName = "nano",
        *,
        fit: Fitting = "stretch",
        resample: Resample = "masklet",
        max_hole_area: int = 0,
        max_speck_area: int = 0,
        stability_fallback: bool = True,
    ) -> None:
        self.model = as_model(model)
        self._encoder = FrameEncoder(self.model)
        self.fit: Fitting = check_fitting(fit)
        self.resample: Resample = resample
        self.max_hole_area, self.max_speck_area = max_hole_area, max_speck_area
        self.stability_fallback = stability_fallback
        self._embedding: ImageEmbedding | None = None

    def set_image(self, image: Any) -> ImageEmbedding:
        """Encode an image and make it the current one.

        Args:
            image: RGB array ``(h, w, 3)`` (``uint8``, ``uint16`` or floats in 0..1), grey or RGBA array, or PIL image.

        Raises:
            ValueError: Not an image.
        """
        (self._embedding,) = self.encode([image])
        return self._embedding

    @torch.inference_mode()
    def encode(self, images: Sequence[Any]) -> list[ImageEmbedding]:
        """Encode images of any sizes; those with inputs of one size (all, unless ``native``) in one pass."""
        frames = [to_rgb_array(image) for image in images]
        fits = [fit_frame(frame.shape[:2], self.model.config.image_size, self.fit) for frame in frames]
        groups: dict[tuple[int, int], list[int]] = {}
        for i, fit in enumerate(fits):
            groups.setdefault(fit.input, []).append(i)
        embeddings: dict[int, ImageEmbedding] = {}
        for together in groups.values():
            inputs = torch.cat([fits[i].pixels(frames[i], self.resample) for i in together])
            features = self._encoder(inputs)
            conditioned = self.model.condition(features, Selection())
            for k, i in enumerate(together):
                row = torch.tensor([k], device=self.model.device)
                embeddings[i] = ImageEmbedding(features.take(row), conditioned[row], fits[i])
        return [embeddings[i] for i in range(len(frames))]

    @property
    def embedding(self) -> ImageEmbedding:
        """The current image.

        Raises:
            RuntimeError: No image was set.
        """
        if self._embedding is None:
            raise RuntimeError("no image is set: call set_image(image) before predict()")
        return self._embedding

    def predict(
        self,
        *,
        points: Any = None,
        labels: Any = None,
        box: Any = None,
        mask: Any = None,
        logits: Any = None,
        multimask: bool = True,
        embedding: ImageEmbedding | None = None,
    ) -> ImageResult:
        """Masks of one object.

        Args:
            points: ``(n, 2)`` clicks in pixels of the image.
            labels: 1 on the object, 0 off it; None: all on it.
            box: ``(x0, y0, x1, y1)`` in pixels.
            mask: A rough mask at the image's size, which the model refines.
            logits: ``low_logits`` of an earlier candidate, which the model refines.
            multimask: Three candidates, for an ambiguous prompt; else one.
            embedding: An encoded image; None: the current one.

        Raises:
            ValueError: A prompt of wrong shape or value, or none at all.
            RuntimeError: No image was set.
        """
        request = {"points": points, "labels": labels, "box": box, "mask": mask, "logits": logits}
        return self.predict_batch([request], multimask=multimask, embedding=embedding)[0]

    @torch.inference_mode()
    def predict_batch(
        self,
        requests: Sequence[dict[str, Any]],
        *,
        multimask: bool = True,
        embedding: ImageEmbedding | None = None,
    ) -> list[ImageResult]:
        """Masks of many objects of one image; requests of equal shape go through the decoder together.

        Args:
            requests: What :meth:`predict` takes, a dictionary for each object. Numbers of clicks may differ.
            multimask: As in :meth:`predict`.
            embedding: As in :meth:`predict`.
        """
        image = embedding or self.embedding
        prompts = [self._prompt(request, image.fit) for request in requests]
        groups: dict[tuple[int, bool], list[int]] = {}
        for i, prompt in enumerate(prompts):
            groups.setdefault((prompt.count, prompt.previous_logits is not None), []).append(i)
        results: dict[int, ImageResult] = {}
        for rows in groups.values():
            row = iter(rows)
            for candidates, iou in self._decode(image, [prompts[i] for i in rows], multimask):
                for one, scores in zip(candidates, iou, strict=True):
                    results[next(row)] = self._result(one, scores, image.fit)
        return [results[i] for i in range(len(prompts))]

    def predict_many(
        self,
        *,
        points: Any = None,
        labels: Any = None,
        boxes: Any = None,
        logits: Any = None,
        multimask: bool = True,
        least_iou: float | None = None,
        embedding: ImageEmbedding | None = None,
    ) -> Iterator[Candidates]:
        """Candidates of any number of objects of one image, a few objects at a time: memory does not grow with them.

        Args:
            points: ``(n, 2)`` in pixels, a click an object, or ``(n, k, 2)``.
            labels: ``(n, k)``, 1 on the object, 0 off it; None: all on it.
            boxes: ``(n, 4)``, with or without points.
            logits: ``(n, h4, w4)``, of earlier candidates, which the model refines by the points or boxes.
            multimask: As in :meth:`predict`.
            least_iou: Candidates with a predicted IoU of at most this are not wanted. Where none of an object's is,
                masks need not be made: its logits may be -inf.
            embedding: As in :meth:`predict`.

        Yields:
            Logits ``[b m h4 w4]`` at stride 4 of the model's input and predicted IoU ``[b m]`` of the next few objects.
            ``embedding.fit.cut`` leaves what the image fills of the input.

        Raises:
            ValueError: A prompt of wrong shape or value, none at all, or different numbers of them.
            RuntimeError: No image was set.
        """
        image = embedding or self.embedding
        clicks = None if points is None else np.asarray(points)
        if clicks is not None and clicks.ndim == 2:
            clicks = clicks[:, None]
        given = {"points": clicks, "labels": labels, "box": boxes, "logits": logits}
        given = {name: value for name, value in given.items() if value is not None}
        counts = {len(value) for value in given.values()}
        if len(counts) != 1 or counts == {0}:
            raise ValueError(
                f"expected points or boxes (and labels) of equally many objects, got {sorted(counts) or 'none'}"
            )
        requests = [dict(zip(given, one, strict=True)) for one in zip(*given.values(), strict=True)]
        return self._decode(image, [self._prompt(request, image.fit) for request in requests], multimask, least_iou)

    def _decode(
        self, image: ImageEmbedding, prompts: list[Prompts], multimask: bool, least_iou: float | None = None
    ) -> Iterator[Candidates]:
        return decode_many(
            self.model,
            image.conditioned,
            image.features,
            _stack(prompts),
            ambiguous=multimask,
            stability_fallback=self.stability_fallback,
            least_iou=least_iou,
        )

    def _prompt(self, request: dict[str, Any], fit: Fit) -> Prompts:
        unknown = set(request) - {"points", "labels", "box", "mask", "logits"}
        if unknown:
            raise ValueError(f"unknown prompt {sorted(unknown)}: use points, labels, box, mask and logits")
        points, labels, box = request.get("points"), request.get("labels"), request.get("box")
        previous = self._previous(request.get("mask"), request.get("logits"), fit)
        if points is None and box is None and previous is not None:
            if labels is not None:
                raise ValueError("labels were given without points: give one label for each point")
            return Prompts(previous_logits=previous)
        given: UserPrompt = user_prompt(fit.frame, points=points, labels=labels, box=box)
        return given.to_model(fit, self.model.device, previous)

    def _previous(self, mask: Any, logits: Any, fit: Fit) -> Tensor | None:
        height, width = fit.low
        if mask is not None and logits is not None:
            raise ValueError("give either a mask or logits to refine, not both")
        if mask is not None:
            full = torch.from_numpy(check_mask(mask, fit.frame).astype(np.float32))[None, None]
            previous = fit.soft_mask(full * GIVEN_MASK_SCALE + GIVEN_MASK_BIAS, outside=GIVEN_MASK_BIAS)
        elif logits is not None:
            previous = torch.from_numpy(numbers_of(logits, "logits", f"one map of {height} x {width}").copy())
            previous = previous.reshape(1, 1, *previous.shape[-2:]) if previous.numel() == height * width else previous
            if previous.shape != (1, 1, height, width):
                raise ValueError(
                    f"logits must be one map of {height} x {width} (low_logits of an earlier candidate), "
                    f"got shape {np.shape(logits)}"
                )
        else:
            return None
        return previous.clamp(-MOST_LOGIT, MOST_LOGIT).to(self.model.device)

    def _result(self, candidates: Tensor, iou: Tensor, fit: Fit) -> ImageResult:
        shown = clean_small(fit.cut(candidates[:, None]), self.max_hole_area, self.max_speck_area, CLEANED_LOGIT)
        low = candidates.clamp(-MOST_LOGIT, MOST_LOGIT).float().cpu().numpy()
        return ImageResult(low, iou.float().cpu().numpy(), fit.frame, shown[:, 0])


def _stack(prompts: list[Prompts]) -> Prompts:
    first = prompts[0]
    if len(prompts) == 1:
        return first

    def together(name: str) -> Tensor | None:
        values = [getattr(p, name) for p in prompts]
        return None if values[0] is None else torch.cat(values)

    return replace(
        first, points=together("points"), labels=together("labels"), previous_logits=together("previous_logits")
    )
