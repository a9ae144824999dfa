from __future__ import annotations

import numpy as np
import pytest
import torch

from masklet.video.pixels import MEAN, STD, to_input

RESAMPLES = ["masklet", "official_image", "official_video"]


def unit(pixels: torch.Tensor) -> torch.Tensor:
    """Undo the normalisation: 0..1, channels last."""
    return (pixels[0] * torch.tensor(STD)[:, None, None] + torch.tensor(MEAN)[:, None, None]).permute(1, 2, 0)


@pytest.mark.parametrize("resample", RESAMPLES)
@pytest.mark.parametrize("shape", [(1, 1), (30, 50), (300, 20), (200, 200), (64, 64)])
def test_a_plain_colour_stays_what_it_is(resample, shape):
    frame = np.full((*shape, 3), (10, 100, 250), dtype=np.uint8)
    pixels = to_input(frame, 64, resample=resample)
    assert pixels.shape == (1, 3, 64, 64)
    assert pixels.dtype == torch.float32
    assert torch.allclose(unit(pixels), torch.tensor([10.0, 100.0, 250.0]) / 255, atol=1e-6)


@pytest.mark.parametrize("resample", RESAMPLES)
def test_shrinking_averages_fine_detail_instead_of_sampling_it(resample):
    frame = np.zeros((256, 256, 3), dtype=np.uint8)
    frame[:, ::2] = 255
    assert (unit(to_input(frame, 32, resample=resample)) - 0.5).abs().max() < 0.02


@pytest.mark.parametrize("resample", RESAMPLES)
def test_the_aspect_is_not_kept_and_corners_stay_in_place(resample):
    frame = np.zeros((40, 120, 3), dtype=np.uint8)
    frame[:20, 60:, 0] = 255
    red = unit(to_input(frame, 64, resample=resample))[..., 0]
    assert red[4, 60] > 0.99
    assert red[60, 60] < 0.01
    assert red[4, 4] < 0.01


def test_the_normalisation_of_the_official_video_path_is_exact():
    frame = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    values = (frame / 255.0).astype(np.float32)  # the official code divides in double precision
    expected = (torch.from_numpy(values).permute(2, 0, 1) - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[
        :, None, None
    ]
    assert torch.equal(to_input(frame, 16, resample="official_video")[0], expected)


def test_the_official_image_path_is_antialiased_bilinear_on_floats():
    frame = np.random.default_rng(0).integers(0, 256, (50, 90, 3), dtype=np.uint8)
    floats = torch.from_numpy(frame).permute(2, 0, 1)[None].float() / 255
    expected = torch.nn.functional.interpolate(floats, (32, 32), mode="bilinear", antialias=True, align_corners=False)
    assert torch.allclose(unit(to_input(frame, 32, resample="official_image")), expected[0].permute(1, 2, 0), atol=1e-6)


def test_a_read_only_frame_is_taken_and_not_changed():
    frame = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    before = frame.copy()
    frame.flags.writeable = False
    for resample in RESAMPLES:
        to_input(frame, 20, resample=resample).zero_()
    np.testing.assert_array_equal(frame, before)


@pytest.mark.usefixtures("as_user")
@pytest.mark.parametrize(
    ("frame", "size", "resample", "message"),
    [
        (np.zeros((4, 4), dtype=np.uint8), 8, "masklet", r"uint8 \(4, 4\)"),
        (np.zeros((4, 4, 3)), 8, "masklet", r"float64 \(4, 4, 3\)"),
        ([[1]], 8, "masklet", "got list"),
        (np.zeros((0, 4, 3), dtype=np.uint8), 8, "masklet", "0x4 pixels"),
        (np.zeros((4, 4, 3), dtype=np.uint8), 0, "masklet", "0x0"),
        (np.zeros((4, 4, 3), dtype=np.uint8), 8, "lanczos", "lanczos"),
    ],
)
def test_wrong_input(frame, size, resample, message):
    with pytest.raises(ValueError, match=message):
        to_input(frame, size, resample=resample)
