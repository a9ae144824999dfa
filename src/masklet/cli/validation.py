"""Scores of a model on images that were held back, while it is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ..data.regions import ImageRegions
    from ..model.sam2 import Sam2

MOST_IMAGES = 50


def image_validator(path: str, most: int = MOST_IMAGES) -> Callable[[Sam2], dict[str, float]]:
    """A function that gives the mean IoU over the masks of a data set's first images: 1 click, 3 clicks, exact box.

    Raises:
        ValueError: The data set is none of images, or has no mask.
    """
    from ..data.open import open_dataset
    from ..data.regions import ImageRegions
    from ..evaluation.images import evaluate_images
    from ..inference.adapters import PredictorSegmenter

    dataset = open_dataset(path)
    if not dataset.stills:
        raise ValueError(f"--validate takes images with masks, {path} holds videos ({dataset.format}): give images")

    def regions() -> Iterator[ImageRegions]:
        for index in range(min(len(dataset), most)):
            image = dataset[index]
            masks = image.masks(image.annotated[0]) if image.annotated else {}
            if masks:
                yield ImageRegions(
                    image.name, np.array(image.image(image.annotated[0])), np.stack(list(masks.values()))
                )

    if next(regions(), None) is None:
        raise ValueError(f"the first {most} images of {path} have no mask: look with `masklet data check`")

    def validate(model: Sam2) -> dict[str, float]:
        segmenter = PredictorSegmenter(model)

        def logits() -> np.ndarray:
            assert segmenter.logits is not None
            return segmenter.logits

        score = evaluate_images(segmenter, regions(), logits=logits)
        assert score.box is not None
        return {"1 click": score.after_clicks[1], "3 clicks": score.after_clicks[3], "box": score.box}

    return validate
