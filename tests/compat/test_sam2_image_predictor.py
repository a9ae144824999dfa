from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from masklet.compat.sam2.build_sam import SAM2Base
from masklet.compat.sam2.sam2_image_predictor import SAM2ImagePredictor
from masklet.compat.sam2.settings import Settings
from masklet.inference.image import ImagePredictor
from masklet.model.sam2 import Sam2
from tiny_model import DISC

pytestmark = pytest.mark.usefixtures("as_user")


@pytest.fixture
def images(tiny: Sam2) -> SAM2ImagePredictor:
    return SAM2ImagePredictor(SAM2Base(tiny, Settings(stability_fallback=True)))


def test_an_image(images: SAM2ImagePredictor, tiny: Sam2, frames: list[np.ndarray]):
    with pytest.raises(RuntimeError, match="An image must be set with"):
        images.predict(np.array([DISC]), np.array([1]))
    images.set_image(Image.fromarray(frames[0]))
    masks, iou, logits = images.predict(np.array([DISC]), np.array([1]))
    assert (masks.shape, iou.shape, logits.shape) == ((3, 48, 72), (3,), (3, 16, 16))
    assert masks.dtype == np.float32
    assert set(np.unique(masks)) <= {0.0, 1.0}
    ours = ImagePredictor(tiny, resample="official_image")
    ours.set_image(frames[0])
    known = ours.predict(points=[DISC])
    assert np.array_equal(masks, known.masks)
    assert np.array_equal(logits, known.low_logits)
    full, _, _ = images.predict(np.array([DISC]), np.array([1]), return_logits=True)
    assert np.array_equal(full, known.logits)
    one, _, _ = images.predict(np.array([DISC]), np.array([1]), mask_input=logits[:1], multimask_output=False)
    assert one.shape == (1, 48, 72)
    relative = np.array([DISC]) / np.array([72, 48])
    again, _, _ = images.predict(relative, np.array([1]), normalize_coords=False, return_logits=True)
    assert np.allclose(again, full, atol=1e-4)
    assert images.get_image_embedding().shape == (1, 32, 4, 4)
    images.reset_predictor()
    with pytest.raises(RuntimeError, match="to generate an embedding"):
        images.get_image_embedding()


def test_boxes_in_every_form(images: SAM2ImagePredictor, frames: list[np.ndarray]):
    images.set_image(frames[0])
    box = np.array([46, 24, 62, 40], np.float32)
    one, iou, _ = images.predict(box=box, multimask_output=False)
    corners, _, _ = images.predict(box.reshape(2, 2), np.array([2, 3]), multimask_output=False)
    assert np.array_equal(one, corners)
    several, ious, logits = images.predict(box=np.stack([box, box - 3]), multimask_output=False)
    assert (several.shape, ious.shape, logits.shape) == ((2, 1, 48, 72), (2, 1), (2, 1, 16, 16))
    assert np.allclose(several[0], one)
    assert np.allclose(ious[0], iou, atol=1e-5)


def test_a_batch_of_images(images: SAM2ImagePredictor, frames: list[np.ndarray]):
    images.set_image_batch([frames[0], frames[5][:40]])
    points = [np.array([DISC]), np.array([[10, 10], [30, 30]])]
    labels = [np.array([1]), np.array([1, 0])]
    masks, iou, logits = images.predict_batch(points, labels, multimask_output=False)
    assert [m.shape for m in masks] == [(1, 48, 72), (1, 40, 72)]
    assert len(iou) == len(logits) == 2
    images.set_image(frames[0])
    alone, _, _ = images.predict(points[0], labels[0], multimask_output=False)
    assert np.array_equal(masks[0], alone)
