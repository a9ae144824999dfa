from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masklet.video.pillow_bicubic import resize_pillow_bicubic

Image = pytest.importorskip("PIL.Image")

sides = st.integers(1, 70)


def by_pillow(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Pillow's result, width first whatever the release."""
    height, width = size
    return np.asarray(Image.fromarray(image).resize((width, image.shape[0])).resize((width, height)))


@given(sides, sides, sides, sides, st.booleans(), st.integers(0, 2**32 - 1))
@settings(max_examples=200, deadline=None)
def test_equal_to_pillow_bit_for_bit(height, width, new_height, new_width, extreme, seed):
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    if extreme:  # black and white overshoot most
        image = (image > 127).astype(np.uint8) * np.uint8(255)
    size = new_height, new_width
    np.testing.assert_array_equal(resize_pillow_bicubic(image, size), by_pillow(image, size))


@pytest.mark.parametrize("shape", [(480, 854), (720, 1280), (1080, 640)])
def test_equal_to_pillow_at_sizes_of_real_videos(shape):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    np.testing.assert_array_equal(resize_pillow_bicubic(image, (512, 512)), by_pillow(image, (512, 512)))


def test_the_same_size_is_the_same_image():
    image = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    np.testing.assert_array_equal(resize_pillow_bicubic(image, (9, 7)), image)
