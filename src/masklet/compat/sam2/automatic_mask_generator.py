"""The official generator of automatic masks: ``sam2/automatic_mask_generator.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ...inference.automatic import AutomaticMask, AutomaticMasks, AutomaticOptions
from ...inference.crops import points_of
from ...masks.boxes import box_of_mask
from ...masks.components import repair_small_regions
from ...masks.nms import nms
from ...masks.rle import decode, encode, run_lengths
from .sam2_image_predictor import SAM2ImagePredictor

if TYPE_CHECKING:
    from .build_sam import SAM2Base

OUTPUT_MODES = ("binary_mask", "uncompressed_rle", "coco_rle")


class SAM2AutomaticMaskGenerator:
    """Masks of everything in an image.

    Arguments are kept as attributes and read by each :meth:`generate`, as officially.

    Args:
        model: What :func:`~masklet.compat.sam2.build_sam.build_sam2` returns.
        points_per_side: Of the grid of clicks; None: there are ``point_grids``.
        points_per_batch: Without effect on :meth:`generate`, which asks few at a time.
        pred_iou_thresh: Masks need a predicted IoU above this.
        stability_score_thresh: Masks need at least this stability.
        stability_score_offset: Between the threshold and those that the stability is measured at.
        mask_threshold: Logit above which a pixel is inside.
        box_nms_thresh: IoU of boxes above which one mask of a crop goes.
        crop_n_layers: Layers of crops beyond the whole image.
        crop_nms_thresh: As ``box_nms_thresh``, between crops.
        crop_overlap_ratio: Overlap of crops in the first layer, a share of the image's shorter side.
        crop_n_points_downscale_factor: What ``points_per_side`` is divided by from layer to layer.
        point_grids: Clicks of each layer, shares of width and height, in place of ``points_per_side``.
        min_mask_region_area: Holes and specks of at most this many stride-4 pixels are repaired; officially with CUDA.
        output_mode: What ``segmentation`` is: ``binary_mask``, ``uncompressed_rle`` or ``coco_rle``.
        use_m2m: Give every candidate back to the model once.
        multimask_output: Three candidates for a click, else one.
        kwargs: Ignored, as officially.

    Raises:
        ValueError: Both or none of ``points_per_side`` and ``point_grids``, fewer grids than layers, or an unknown
            output mode.
    """

    def __init__(
        self,
        model: SAM2Base,
        points_per_side: int | None = 32,
        points_per_batch: int = 64,
        pred_iou_thresh: float = 0.8,
        stability_score_thresh: float = 0.95,
        stability_score_offset: float = 1.0,
        mask_threshold: float = 0.0,
        box_nms_thresh: float = 0.7,
        crop_n_layers: int = 0,
        crop_nms_thresh: float = 0.7,
        crop_overlap_ratio: float = 512 / 1500,
        crop_n_points_downscale_factor: int = 1,
        point_grids: list[np.ndarray] | None = None,
        min_mask_region_area: int = 0,
        output_mode: str = "binary_mask",
        use_m2m: bool = False,
        multimask_output: bool = True,
        **kwargs: Any,
    ) -> None:
        if (points_per_side is None) == (point_grids is None):
            raise ValueError("give either points_per_side or point_grids (with points_per_side=None)")
        if output_mode not in OUTPUT_MODES:
            raise ValueError(f"got output_mode {output_mode!r}, expected one of {', '.join(OUTPUT_MODES)}")
        if points_per_side is not None:
            layers, factor = range(crop_n_layers + 1), crop_n_points_downscale_factor
            point_grids = [points_of(int(points_per_side / factor**layer)) for layer in layers]
        assert point_grids is not None
        if len(point_grids) <= crop_n_layers:
            raise ValueError(f"got {len(point_grids)} point_grids, expected {crop_n_layers + 1}: one for each layer")
        self.model, self.point_grids = model, point_grids
        small = float(min_mask_region_area)
        self.predictor = SAM2ImagePredictor(model, max_hole_area=small, max_sprinkle_area=small)
        self.points_per_batch = points_per_batch
        self.pred_iou_thresh = pred_iou_thresh
        self.stability_score_thresh = stability_score_thresh
        self.stability_score_offset = stability_score_offset
        self.mask_threshold = mask_threshold
        self.box_nms_thresh = box_nms_thresh
        self.crop_n_layers = crop_n_layers
        self.crop_nms_thresh = crop_nms_thresh
        self.crop_overlap_ratio = crop_overlap_ratio
        self.crop_n_points_downscale_factor = crop_n_points_downscale_factor
        self.min_mask_region_area = min_mask_region_area
        self.output_mode = output_mode
        self.use_m2m = use_m2m
        self.multimask_output = multimask_output

    @classmethod
    def from_pretrained(cls, model_id: str, **kwargs: Any) -> SAM2AutomaticMaskGenerator:
        """With weights of the Hugging Face hub; ``kwargs`` go to the builder and here."""
        from .build_sam import build_sam2_hf

        return cls(build_sam2_hf(model_id, **kwargs), **kwargs)

    def generate(self, image: np.ndarray) -> list[dict[str, Any]]:
        """All masks of an image (RGB ``h w 3``), a dictionary each.

        Returns:
            ``segmentation`` as ``output_mode`` says, ``area``, ``bbox`` (left, top, and the distances from there to the
            last column and row), ``predicted_iou``, ``point_coords``, ``stability_score`` and ``crop_box``
            (left, top, width, height).
        """
        options = AutomaticOptions.official(
            grids=tuple(self.point_grids[: self.crop_n_layers + 1]),
            least_iou=self.pred_iou_thresh,
            least_stability=self.stability_score_thresh,
            stability_offset=self.stability_score_offset,
            mask_threshold=self.mask_threshold,
            most_overlap=self.box_nms_thresh,
            most_crop_overlap=self.crop_nms_thresh,
            crop_overlap=self.crop_overlap_ratio,
            small_area=int(self.min_mask_region_area),
            refine=self.use_m2m,
            multimask=self.multimask_output,
            stability_fallback=self.model.settings.stability_fallback,
        )
        return [self._record(one) for one in AutomaticMasks(self.model.model, options).generate(image)]

    def refine_with_m2m(
        self, points: Tensor, point_labels: Tensor, low_res_masks: Tensor, points_per_batch: int
    ) -> tuple[Float[Tensor, "n 1 h w"], Float[Tensor, "n 1"]]:
        """Give masks back to the model with a click each; the image is that of ``predictor.set_image``.

        Args:
            points: ``(n, 2)`` in pixels of the model's input.
            point_labels: ``(n,)``.
            low_res_masks: Logits ``(n, h4, w4)`` at stride 4.
            points_per_batch: Without effect.

        Returns:
            Logits at the image's size, and predicted IoU.

        Raises:
            RuntimeError: No image is set.
        """
        masks, iou, _ = self.predictor.predict(
            points[:, None] / self.model.image_size,
            point_labels[:, None],
            mask_input=low_res_masks,
            multimask_output=False,
            return_logits=True,
            normalize_coords=False,
        )
        shown = torch.from_numpy(masks).view(len(points), 1, *masks.shape[-2:])
        return shown.to(points.device), torch.from_numpy(iou).view(-1, 1).to(points.device)

    @staticmethod
    def postprocess_small_regions(mask_data: Any, min_area: int, nms_thresh: float) -> Any:
        """Repair holes and specks of fewer than ``min_area`` pixels of the image, then look for duplicates again.

        Args:
            mask_data: The official ``MaskData``, or a dictionary of equally long lists, arrays and tensors, with
                ``rles`` and ``boxes`` (first and last column and row); changed in place.
            min_area: See above.
            nms_thresh: IoU of boxes above which one goes; masks that needed no repair are preferred.
        """
        rles = mask_data["rles"]
        if not len(rles):
            return mask_data
        repaired = [repair_small_regions(decode(rle), min_area) for rle in rles]
        boxes = np.array([_inclusive_box(mask) for mask, _ in repaired], np.float32)
        keep = nms(boxes, np.array([not changed for _, changed in repaired], np.float32), nms_thresh)
        for k in keep:
            mask, changed = repaired[k]
            if changed:
                rles[k] = {"size": list(mask.shape), "counts": run_lengths(encode(mask))}
                mask_data["boxes"][k] = torch.as_tensor(boxes[k])
        for name, values in list(mask_data.items()):
            mask_data[name] = [values[k] for k in keep] if isinstance(values, list) else values[keep]
        return mask_data

    def _record(self, one: AutomaticMask) -> dict[str, Any]:
        x, y, width, height = one.box
        segmentation: Any = dict(one.rle)
        if self.output_mode == "binary_mask":
            segmentation = one.mask
        elif self.output_mode == "uncompressed_rle":
            segmentation["counts"] = run_lengths(one.rle)
        return {
            "segmentation": segmentation,
            "area": one.area,
            "bbox": [float(value) for value in (x, y, max(width - 1, 0), max(height - 1, 0))],
            "predicted_iou": one.predicted_iou,
            "point_coords": [list(one.point)],
            "stability_score": one.stability,
            "crop_box": [float(value) for value in one.crop_box],
        }


def _inclusive_box(mask: np.ndarray) -> tuple[int, int, int, int]:
    x0, y0, x1, y1 = box_of_mask(mask) or (0, 0, 1, 1)
    return x0, y0, x1 - 1, y1 - 1
