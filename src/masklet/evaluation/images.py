"""Image segmentation from clicks and boxes: mean IoU over masks, as in the SAM 2 paper's image task."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..data.regions import ImageRegions
from ..interaction.clicks import box_of, center_click
from .metrics import jaccard
from .scores import Click

if TYPE_CHECKING:
    from ..tracker import ImageSegmenter


Logits = Callable[[], "np.ndarray | None"]
"""Gives the low-resolution logits ``[m h4 w4]`` of the candidates of a segmenter's last answer."""


@dataclass(frozen=True)
class MaskScore:
    """IoU of one mask under each prompt.

    Attributes:
        name: Name of the image.
        index: Place of the mask in the image's masks.
        after_clicks: IoU by number of clicks, for the numbers that were asked for.
        best_of_candidates: Highest IoU among the first click's candidates, as if the user chose.
        box: IoU from the exact box; None where boxes were not asked for.
        clicks: What the simulated user clicked, in order; an answer without any error ends it.
        click_iou: IoU after each of the clicks.
        candidates: IoU of each candidate of the first click.
        chosen: Place of the candidate with the highest predicted IoU: the answer that counts and that is refined.
    """

    name: str
    index: int
    after_clicks: Mapping[int, float]
    best_of_candidates: float
    box: float | None
    clicks: tuple[Click, ...] = ()
    click_iou: tuple[float, ...] = ()
    candidates: tuple[float, ...] = ()
    chosen: int = 0

    @property
    def best(self) -> int:
        """Place of the candidate with the highest IoU."""
        return int(np.argmax(self.candidates))


@dataclass(frozen=True)
class ImageScore:
    """Means over masks, whatever image they are in."""

    masks: tuple[MaskScore, ...]

    @property
    def after_clicks(self) -> Mapping[int, float]:
        """Mean IoU by number of clicks."""
        return {n: float(np.mean([m.after_clicks[n] for m in self.masks])) for n in self.masks[0].after_clicks}

    @property
    def best_of_candidates(self) -> float:
        """Mean IoU of the best candidate of the first click."""
        return float(np.mean([m.best_of_candidates for m in self.masks]))

    @property
    def box(self) -> float | None:
        """Mean IoU from exact boxes; None where boxes were not asked for."""
        values = [m.box for m in self.masks if m.box is not None]
        return float(np.mean(values)) if values else None


def evaluate_images(
    segmenter: ImageSegmenter,
    samples: Iterable[ImageRegions],
    clicks: tuple[int, ...] = (1, 3),
    boxes: bool = True,
    *,
    logits: Logits | None = None,
    on_mask: Callable[[MaskScore], None] | None = None,
) -> ImageScore:
    """Score a segmenter on images; :func:`iter_images` with the results gathered.

    Args:
        segmenter: What is scored.
        samples: Images with the masks to be found.
        clicks: Numbers of clicks after which the IoU is taken.
        boxes: Also prompt with the exact box.
        logits: Returns the low-resolution logits ``[m h4 w4]`` of the candidates of the segmenter's last answer,
            which the next click refines. None: a click only comes with the earlier clicks.
        on_mask: Called with the score of each finished mask.

    Raises:
        ValueError: As :func:`iter_images`, or there is no mask.
    """
    scores = []
    for score in iter_images(segmenter, samples, clicks, boxes, logits=logits):
        scores.append(score)
        if on_mask is not None:
            on_mask(score)
    if not scores:
        raise ValueError("there is no mask to evaluate: pass samples with masks")
    return ImageScore(tuple(scores))


def iter_images(
    segmenter: ImageSegmenter,
    samples: Iterable[ImageRegions],
    clicks: tuple[int, ...] = (1, 3),
    boxes: bool = True,
    *,
    logits: Logits | None = None,
) -> Iterator[MaskScore]:
    """Yield the score of one mask after the other; each image is set once.

    The first click lies in the middle of the object and asks for several candidates, of which the one with the
    highest predicted IoU counts. Each next one lies in the middle of the error and asks for a single mask. An answer
    without any error is kept as it is.

    Raises:
        ValueError: A number of clicks is below 1, or a mask is empty.
    """
    if not clicks or min(clicks) < 1:
        raise ValueError(f"got clicks={clicks}, expected numbers of at least 1")
    for sample in samples:
        if len(sample.masks) == 0:
            continue
        segmenter.set_image(sample.image)
        for index, gt in enumerate(sample.masks):
            if not gt.any():
                raise ValueError(f"mask {index} of {sample.name} is empty: drop it")
            clicked = _click(segmenter, gt, max(clicks), logits)
            box = None
            if boxes:
                masks, _ = segmenter.predict(box=box_of(gt), multimask=False)
                box = float(jaccard(np.asarray(masks[0]), gt))
            after = {n: clicked.click_iou[min(n, len(clicked.click_iou)) - 1] for n in sorted(clicks)}
            yield MaskScore(sample.name, index, after, max(clicked.candidates), box, *clicked)


class _Clicked(NamedTuple):
    """The last fields of a :class:`MaskScore`."""

    clicks: tuple[Click, ...]
    click_iou: tuple[float, ...]
    candidates: tuple[float, ...]
    chosen: int


def _click(segmenter: ImageSegmenter, gt: np.ndarray, count: int, logits: Logits | None) -> _Clicked:
    """Click at most ``count`` times, until there is no error."""
    clicks: list[Click] = []

    def predict(prediction: np.ndarray | None, **options: Any) -> tuple[np.ndarray, np.ndarray]:
        (x, y), label = center_click(gt, prediction)
        clicks.append(Click(0, x, y, label))
        points = np.array([(c.x, c.y) for c in clicks], np.float32)
        masks, predicted = segmenter.predict(points=points, labels=np.array([c.label for c in clicks]), **options)
        return np.asarray(masks), predicted

    masks, predicted = predict(None, multimask=True)
    candidates = tuple(map(float, jaccard(masks, np.broadcast_to(gt, masks.shape))))
    chosen = int(np.argmax(predicted))
    values, place = [candidates[chosen]], chosen
    while len(values) < count and values[-1] < 1.0:
        earlier = None if logits is None else logits()
        refined = None if earlier is None else earlier[place]
        masks, _ = predict(masks[place], mask_logits=refined, multimask=False)
        place = 0
        values.append(float(jaccard(masks[0], gt)))
    return _Clicked(tuple(clicks), tuple(values), candidates, chosen)
