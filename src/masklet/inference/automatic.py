"""AutomaticMasks: everything in an image, from grids of clicks (Segment Anything, section 4 and appendix B).

Parity: sam2/automatic_mask_generator.py, with :meth:`AutomaticOptions.official`: the same masks in the same order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import isnan
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..interaction.prompts import MOST_LOGIT
from ..masks.boxes import box_of_mask
from ..masks.components import clean_small
from ..masks.nms import nms
from ..masks.outlines import outline_pieces
from ..masks.resize import resize_logits
from ..masks.rle import Rle, decode, encode_window, union
from ..model.config import HieraConfig
from ..model.sam2 import Sam2
from ..video.fitting import Fitting, check_fitting
from ..video.images import to_rgb_array
from ..video.pixels import Resample
from .crops import Crop, Grid, crops_of, near_inner_edge, points_of
from .image import CLEANED_LOGIT, ImageEmbedding, ImagePredictor
from .named_model import ModelOrName, as_model

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class AutomaticOptions:
    """What is asked and what is kept; thresholds are the official defaults.

    Attributes:
        grids: A grid for the image, and one for each further layer of crops (2 x 2, 4 x 4, ...): points a side, or
            points as shares of width and height. ``(32, 16, 4)`` is what the automatic masklets of SA-V began with.
        coarse: Points a side of a grid that every crop is asked first; of the others then only those that no mask
            covers. None: all.
        least_iou: Masks need a predicted IoU above this.
        least_stability: Masks need at least this IoU of themselves at logits ``stability_offset`` above and below the
            threshold.
        stability_offset: See above.
        mask_threshold: Logit above which a pixel is inside.
        most_overlap: IoU of boxes above which the mask with the lower predicted IoU goes, within a crop.
        most_crop_overlap: The same between crops, where the mask of the smaller crop stays.
        crop_overlap: Overlap of crops in the first layer, a share of the shorter side of the image, 0 to below 1.
        small_area: Holes and specks of at most this many stride-4 pixels of the model's input are repaired.
        refine: Give every candidate back to the model once, with its click.
        multimask: Three candidates for a click, else one.
        fit: How crops fill the model's input, see :class:`~masklet.inference.image.ImagePredictor`.
        resample: Resize filter.
        stability_fallback: An unstable single mask gives way to the best of three.
    """

    grids: tuple[Grid, ...] = (32,)
    coarse: int | None = None
    least_iou: float = 0.8
    least_stability: float = 0.95
    stability_offset: float = 1.0
    mask_threshold: float = 0.0
    most_overlap: float = 0.7
    most_crop_overlap: float = 0.7
    crop_overlap: float = 512 / 1500
    small_area: int = 0
    refine: bool = False
    multimask: bool = True
    fit: Fitting = "stretch"
    resample: Resample = "masklet"
    stability_fallback: bool = True

    def __post_init__(self) -> None:
        if not self.grids:
            raise ValueError("grids is empty: give a grid for the image, and one for each further layer of crops")
        for grid in (*self.grids, *(() if self.coarse is None else (self.coarse,))):
            points_of(grid)
        if not 0 <= self.crop_overlap < 1:
            raise ValueError(f"crop_overlap is a share of the shorter side, 0 to below 1, got {self.crop_overlap}")
        check_fitting(self.fit)

    @staticmethod
    def suited(model: Sam2, **changes: Any) -> AutomaticOptions:
        """Thresholds for a model: the official ones, lower ones for ``nano``, whose scores and logits are lower."""
        lower = {} if isinstance(model.config.trunk, HieraConfig) else {"least_iou": 0.5, "least_stability": 0.5}
        return AutomaticOptions(**{**lower, **changes})

    @staticmethod
    def official(**changes: Any) -> AutomaticOptions:
        """The official generator, to the digit."""
        return AutomaticOptions(**{"resample": "official_image", **changes})


@dataclass(frozen=True)
class AutomaticMask:
    """One mask.

    Attributes:
        rle: COCO run lengths at the image's size.
        area: Pixels.
        box: ``(x, y, width, height)`` of the mask in pixels.
        predicted_iou: What the model thinks of it, 0..1.
        stability: IoU of the mask at a higher and a lower threshold, 0..1; NaN where both are empty.
        point: ``(x, y)`` of the click.
        crop_box: ``(x, y, width, height)`` of the crop that was asked.
    """

    rle: Rle
    area: int
    box: Box
    predicted_iou: float
    stability: float
    point: tuple[float, float]
    crop_box: Box

    @property
    def mask(self) -> Bool[np.ndarray, "h w"]:
        """The mask at the image's size; decoded each time, so that a list of them stays small."""
        return decode(self.rle)

    @property
    def polygons(self) -> list[list[float]]:
        """Outlines ``x0, y0, x1, y1, ...`` of its pieces, which give the mask when they are filled."""
        return outline_pieces(self.mask)[0]

    def annotation(self, number: int) -> dict[str, Any]:
        """As a file of SA-1B holds it, under a number."""
        return {
            "id": number,
            "segmentation": dict(self.rle),
            "area": self.area,
            "bbox": list(self.box),
            "predicted_iou": self.predicted_iou,
            "stability_score": 0.0 if isnan(self.stability) else self.stability,
            "point_coords": [list(self.point)],
            "crop_box": list(self.crop_box),
        }


@dataclass(frozen=True)
class AutomaticProgress:
    """How far an image is.

    Attributes:
        done: Clicks answered, or no longer needed.
        total: All of them.
        masks: The result, with the last one.
    """

    done: int
    total: int
    masks: tuple[AutomaticMask, ...] | None = None


class AutomaticMasks:
    """Finds masks of everything in images.

    Memory does not grow with the clicks: a few at a time are answered, a mask is scaled to the image only where its
    predicted IoU is high enough, one after another, and kept as run lengths.

    Args:
        model: A model from :func:`masklet.load`, or a name or path for it.
        options: What is asked and what is kept; None: as :meth:`AutomaticOptions.suited` says.
    """

    def __init__(self, model: ModelOrName = "nano", options: AutomaticOptions | None = None) -> None:
        model = as_model(model)
        self.options = o = options or AutomaticOptions.suited(model)
        self._predictor = ImagePredictor(model, fit=o.fit, resample=o.resample, stability_fallback=o.stability_fallback)

    def generate(self, image: Any, grids: tuple[Grid, ...] | None = None) -> list[AutomaticMask]:
        """All masks of an image: by descending predicted IoU, with crops the masks of the smallest crops first.

        Args:
            image: As :meth:`~masklet.inference.image.ImagePredictor.set_image` takes it.
            grids: What this image is asked instead of the options' ``grids``, without a coarse grid before.

        Raises:
            ValueError: Not an image.
        """
        *_, last = self.stream(image, grids)
        assert last.masks is not None
        return list(last.masks)

    def generate_each(self, images: Iterable[Any]) -> Iterator[list[AutomaticMask]]:
        """Masks of images one after another, of which one is held at a time."""
        return (self.generate(image) for image in images)

    def stream(self, image: Any, grids: tuple[Grid, ...] | None = None) -> Iterator[AutomaticProgress]:
        """The same as :meth:`generate` in small steps; to stop, ask no further."""
        frame, options = to_rgb_array(image), self.options
        stages = [(one,) for one in grids] if grids else self._stages()
        crops = crops_of(frame.shape[:2], len(stages) - 1, options.crop_overlap)
        asked = [[points_of(grid) * crop.size[::-1] for grid in stages[crop.layer]] for crop in crops]
        done, total = 0, sum(len(points) for one in asked for points in one)
        found: list[AutomaticMask] = []
        for crop, parts in zip(crops, asked, strict=True):
            x0, y0, x1, y1 = crop.box
            (embedding,) = self._predictor.encode([frame[y0:y1, x0:x1]])
            kept: list[AutomaticMask] = []
            for points in parts:
                left = _uncovered(points, crop, kept)
                done += len(points) - len(left)
                for answered, masks in self._ask(embedding, left, crop, frame.shape[:2]):
                    kept += masks
                    done += answered
                    yield AutomaticProgress(done, total)
                kept = _without_duplicates(kept, [one.predicted_iou for one in kept], options.most_overlap)
            found += kept
        if len(crops) > 1:
            scores = [np.float32(1) / np.float32(w * h) for _, _, w, h in (one.crop_box for one in found)]
            found = _without_duplicates(found, scores, options.most_crop_overlap)
        yield AutomaticProgress(total, total, tuple(found))

    def _stages(self) -> list[tuple[Grid, ...]]:
        """What the crops of each layer are asked, grid after grid."""
        first = () if self.options.coarse is None else (self.options.coarse,)
        return [(*first, grid) for grid in self.options.grids]

    def _ask(
        self, embedding: ImageEmbedding, points: Float[np.ndarray, "n 2"], crop: Crop, size: tuple[int, int]
    ) -> Iterator[tuple[int, list[AutomaticMask]]]:
        """How many clicks were answered, and what is kept of the answers, a few clicks at a time."""
        least, start = self.options.least_iou, 0
        if not len(points):
            return
        for logits, iou in self._candidates(embedding, points):
            clicks, start = points[start : start + len(iou)], start + len(iou)
            wanted = iou.float() > least if least > 0 else torch.ones_like(iou, dtype=torch.bool)
            chosen = wanted.nonzero().tolist()
            masks = (self._keep(logits[k, c], float(iou[k, c]), clicks[k], embedding, crop, size) for k, c in chosen)
            yield len(iou), [one for one in masks if one is not None]

    def _candidates(
        self, embedding: ImageEmbedding, points: Float[np.ndarray, "n 2"]
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Logits ``[b m h4 w4]`` and predicted IoU ``[b m]`` of a few clicks at a time."""
        options = self.options
        first = None if options.refine else options.least_iou
        answers = self._predictor.predict_many(
            points=points, multimask=options.multimask, least_iou=first, embedding=embedding
        )
        if not options.refine:
            yield from answers
            return
        start = 0
        for logits, iou in answers:
            clicks, start = points[start : start + len(iou)], start + len(iou)
            earlier = logits.flatten(0, 1).clamp(-MOST_LOGIT, MOST_LOGIT).float().cpu().numpy()
            refined = self._predictor.predict_many(
                points=clicks.repeat(iou.shape[1], 0), logits=earlier, multimask=False, embedding=embedding
            )
            better, sure = (
                torch.cat(parts).view(*iou.shape, *parts[0].shape[2:]) for parts in zip(*refined, strict=True)
            )
            yield better, sure

    @torch.inference_mode()
    def _keep(
        self,
        logits: Float[Tensor, "h4 w4"],
        iou: float,
        click: Float[np.ndarray, " 2"],
        embedding: ImageEmbedding,
        crop: Crop,
        size: tuple[int, int],
    ) -> AutomaticMask | None:
        """A candidate at the image's size; None where it is unstable or goes on beyond its crop."""
        options, small = self.options, self.options.small_area
        shown = clean_small(embedding.fit.cut(logits)[None, None], small, small, CLEANED_LOGIT)
        full = resize_logits(shown, crop.size)[0, 0].cpu().numpy()
        inner, outer = (
            np.float32(np.count_nonzero(full > options.mask_threshold + offset))
            for offset in (options.stability_offset, -options.stability_offset)
        )
        stability = inner / outer if outer else np.float32(np.nan)
        if options.least_stability > 0 and not stability >= np.float32(options.least_stability):
            return None
        mask = full > options.mask_threshold
        x0, y0, x1, y1 = box_of_mask(mask) or (0, 0, 0, 0)
        left, top = crop.box[:2]
        window, box = mask[y0:y1, x0:x1], (left + x0, top + y0, x1 - x0, y1 - y0)
        if near_inner_edge(_corners(box), crop.box, size):
            return None
        height, width = crop.size
        return AutomaticMask(
            rle=encode_window(window, box[:2], size),
            area=int(np.count_nonzero(window)),
            box=box,
            predicted_iou=iou,
            stability=float(stability),
            point=(float(np.float32(click[0]) + left), float(np.float32(click[1]) + top)),
            crop_box=(left, top, width, height),
        )


def _uncovered(points: Float[np.ndarray, "n 2"], crop: Crop, masks: list[AutomaticMask]) -> Float[np.ndarray, "k 2"]:
    """Points in a crop that no mask covers."""
    if not masks:
        return points
    x0, y0, _, _ = crop.box
    x, y = points.astype(int).T
    return points[~decode(union(one.rle for one in masks))[y0 + y, x0 + x]]


def _without_duplicates(
    masks: list[AutomaticMask], scores: Iterable[float | np.float32], most_overlap: float
) -> list[AutomaticMask]:
    boxes = np.array([_corners(one.box) for one in masks], np.float32).reshape(-1, 4)
    return [masks[k] for k in nms(boxes, np.array(list(scores), np.float32), most_overlap)]


def _corners(box: Box) -> Box:
    """First and last column and row of a box, as the official code measures boxes."""
    x, y, width, height = box
    return x, y, x + max(width - 1, 0), y + max(height - 1, 0)
