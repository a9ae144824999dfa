"""The official image predictor: ``sam2/sam2_image_predictor.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ...inference.image import ImageEmbedding, ImagePredictor, ImageResult
from .prompts import in_pixels, plain, without_corners

if TYPE_CHECKING:
    from .build_sam import SAM2Base

Answer = tuple[np.ndarray, np.ndarray, np.ndarray]


class SAM2ImagePredictor:
    """Masks of an image, or of each of several, from prompts.

    Args:
        sam_model: What :func:`~masklet.compat.sam2.build_sam.build_sam2` returns.
        mask_threshold: Logit above which a pixel is inside.
        max_hole_area: Holes of at most this many stride-4 pixels are filled.
        max_sprinkle_area: Specks of at most so many are removed.
        kwargs: Ignored, as officially.
    """

    def __init__(
        self,
        sam_model: SAM2Base,
        mask_threshold: float = 0.0,
        max_hole_area: float = 0.0,
        max_sprinkle_area: float = 0.0,
        **kwargs: Any,
    ) -> None:
        self.model, self.mask_threshold = sam_model, mask_threshold
        self._predictor = ImagePredictor(
            sam_model.model,
            resample="official_image",
            max_hole_area=int(max_hole_area),
            max_speck_area=int(max_sprinkle_area),
            stability_fallback=sam_model.settings.stability_fallback,
        )
        self._images: list[ImageEmbedding] = []
        self._is_batch = False

    @classmethod
    def from_pretrained(cls, model_id: str, **kwargs: Any) -> SAM2ImagePredictor:
        """With weights of the Hugging Face hub; ``kwargs`` go to the builder and here."""
        from .build_sam import build_sam2_hf

        return cls(build_sam2_hf(model_id, **kwargs), **kwargs)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.model.model.device

    def set_image(self, image: Any) -> None:
        """Encode an image (RGB array ``h w 3``, or PIL)."""
        self._images, self._is_batch = self._predictor.encode([image]), False

    def set_image_batch(self, image_list: list[np.ndarray]) -> None:
        """Encode images of any sizes, for :meth:`predict_batch`."""
        self._images, self._is_batch = self._predictor.encode(image_list), True

    def predict(
        self,
        point_coords: Any = None,
        point_labels: Any = None,
        box: Any = None,
        mask_input: Any = None,
        multimask_output: bool = True,
        return_logits: bool = False,
        normalize_coords: bool = True,
    ) -> Answer:
        """Masks of one object, or of several whose prompts have one more axis in front.

        Returns:
            Masks ``[c h w]`` of 0 and 1 (logits, if asked for) as float32, predicted IoU ``[c]`` and low-resolution
            logits ``[c h4 w4]``; with an axis of objects in front for several.

        Raises:
            RuntimeError: No image is set.
            ValueError: A prompt has a wrong shape or value.
        """
        if not self._images or self._is_batch:
            raise RuntimeError("An image must be set with .set_image(...) before mask prediction.")
        prompts = point_coords, point_labels, box, mask_input
        return self._answer(self._images[0], prompts, multimask_output, return_logits, normalize_coords)

    def predict_batch(
        self,
        point_coords_batch: list[Any] | None = None,
        point_labels_batch: list[Any] | None = None,
        box_batch: list[Any] | None = None,
        mask_input_batch: list[Any] | None = None,
        multimask_output: bool = True,
        return_logits: bool = False,
        normalize_coords: bool = True,
    ) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
        """What :meth:`predict` gives, for each image of :meth:`set_image_batch` with prompts of its own.

        Raises:
            RuntimeError: No images are set.
        """
        if not self._is_batch:
            raise RuntimeError("Images must be set with .set_image_batch(...) before mask prediction.")
        given = (point_coords_batch, point_labels_batch, box_batch, mask_input_batch)
        answers = []
        for i, image in enumerate(self._images):
            prompts = tuple(None if one is None else one[i] for one in given)
            answers.append(self._answer(image, prompts, multimask_output, return_logits, normalize_coords))
        masks, iou, logits = zip(*answers, strict=True)
        return list(masks), list(iou), list(logits)

    def get_image_embedding(self) -> torch.Tensor:
        """Features of the image, ``1 c h w``.

        Raises:
            RuntimeError: No image is set.
        """
        if not self._images:
            raise RuntimeError("An image must be set with .set_image(...) to generate an embedding.")
        return torch.cat([image.conditioned for image in self._images])

    def reset_predictor(self) -> None:
        """Forget the images."""
        self._images, self._is_batch = [], False

    def _answer(
        self, image: ImageEmbedding, prompts: tuple[Any, ...], multimask: bool, return_logits: bool, normalize: bool
    ) -> Answer:
        requests = _requests(image.size, *map(plain, prompts), normalize=normalize)
        results = self._predictor.predict_batch(requests, multimask=multimask, embedding=image)
        parts = [self._parts(result, return_logits) for result in results]
        masks, iou, logits = (np.stack(each) if len(parts) > 1 else each[0] for each in zip(*parts, strict=True))
        return masks, iou, logits

    def _parts(self, result: ImageResult, return_logits: bool) -> Answer:
        full = result.logits if return_logits else (result.logits > self.mask_threshold)
        return full.astype(np.float32), result.iou, result.low_logits


def _requests(
    size: tuple[int, int],
    points: np.ndarray | None,
    labels: np.ndarray | None,
    boxes: np.ndarray | None,
    masks: np.ndarray | None,
    *,
    normalize: bool,
) -> list[dict[str, Any]]:
    """A request an object."""
    if points is not None:
        if labels is None:
            raise ValueError("point_labels must be supplied if point_coords is supplied.")
        points, labels = points.reshape(-1, *points.shape[-2:]), labels.reshape(-1, labels.shape[-1])
    if boxes is not None:
        boxes = boxes.reshape(-1, 2, 2)
    if masks is not None:
        masks = masks.reshape(-1, *masks.shape[-2:])
    count = max((len(one) for one in (points, boxes, masks) if one is not None), default=0)
    if not count:
        raise ValueError("expected points, a box or a mask input, got none")
    requests = []
    for i in range(count):
        clicks = None if points is None else in_pixels(points[i % len(points)], size, normalize=normalize)
        signs = None if labels is None else labels[i % len(labels)]
        box = None if boxes is None else in_pixels(boxes[i % len(boxes)], size, normalize=normalize).reshape(4)
        clicks, signs, box = without_corners(clicks, signs, box)
        refined = None if masks is None else masks[i % len(masks)]
        requests.append({"points": clicks, "labels": signs, "box": box, "logits": refined})
    return requests
