from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from masklet.video.fitting import Fit, Fitting, check_fitting, fit_frame
from masklet.video.pixels import to_input

FITTINGS: list[Fitting] = ["stretch", "letterbox", "native", (64, 96)]
SIDES = st.integers(1, 3000)


def test_the_square_is_the_default():
    fit = fit_frame((480, 854), 384)
    assert fit == Fit((480, 854), (384, 384), (384, 384)) == fit_frame((480, 854), 384, "stretch")
    assert (fit.low, fit.low_content) == ((96, 96), (96, 96))


@pytest.mark.parametrize(
    ("frame", "content"),
    [((480, 854), (216, 384)), ((854, 480), (384, 216)), ((50, 50), (384, 384)), ((1, 4000), (4, 384))],
)
def test_a_letterbox_keeps_the_aspect(frame: tuple[int, int], content: tuple[int, int]):
    assert fit_frame(frame, 384, "letterbox") == Fit(frame, (384, 384), content)


@pytest.mark.parametrize(
    ("frame", "size", "grid"),
    [
        ((480, 854), 384, (288, 512)),
        ((1920, 1080), 384, (512, 288)),
        ((480, 640), 384, (320, 448)),
        ((720, 1280), 1024, (768, 1376)),
        ((70, 70), 384, (384, 384)),
    ],
)
def test_native_grids(frame: tuple[int, int], size: int, grid: tuple[int, int]):
    assert fit_frame(frame, size, "native") == Fit(frame, grid, grid)


@given(SIDES, SIDES, st.integers(1, 40).map(lambda n: 32 * n), st.sampled_from(FITTINGS))
def test_any_frame_fits(height: int, width: int, size: int, fitting: Fitting):
    fit = fit_frame((height, width), size, fitting)
    assert not any(side % 32 for side in fit.input)
    assert not any(side % 4 for side in fit.content)
    assert all(0 < inner <= outer for inner, outer in zip(fit.content, fit.input, strict=True))
    other = fit_frame((width, height), size, fitting if isinstance(fitting, str) else (fitting[1], fitting[0]))
    assert (other.input[::-1], other.content[::-1]) == (fit.input, fit.content)
    if fitting == "native" and size >= 256 and 1 / 3 < width / height < 3:
        assert 0.8 < fit.input[0] * fit.input[1] / size**2 < 1.25
        assert 0.8 < fit.input[1] / fit.input[0] / (width / height) < 1.25


def test_what_lies_outside_of_the_frame_is_the_mean_colour():
    frame = np.full((40, 80, 3), 255, np.uint8)
    fit = fit_frame((40, 80), 64, "letterbox")
    pixels = fit.pixels(frame)
    assert pixels.shape == (1, 3, 64, 64)
    assert torch.equal(pixels[..., :32, :], to_input(frame, (32, 64)))
    assert not pixels[..., 32:, :].any()


@pytest.mark.parametrize("resample", ["masklet", "official_image", "official_video"])
def test_height_and_width_are_not_confused(resample):
    frame = np.zeros((40, 120, 3), np.uint8)
    frame[:10, 90:] = 255  # the right quarter of the upper quarter
    for fitting in FITTINGS:
        fit = fit_frame((40, 120), 64, fitting)
        pixels = fit.pixels(frame, resample)[0, 0]
        assert pixels.shape == fit.input
        (x, y), (left, top) = fit.points(np.array([[105, 5], [0, 0]], np.float32)).tolist()
        bright = pixels > pixels.amax() - 0.01
        assert bright[int(y), int(x)]
        assert not bright[int(y), int(x * 0.6)]
        assert (left, top) == (0, 0)


@pytest.mark.parametrize("fitting", FITTINGS)
def test_a_mask_goes_in_and_comes_out(fitting: Fitting):
    mask = np.zeros((48, 72), bool)
    mask[6:30, 30:] = True
    fit = fit_frame(mask.shape, 96, fitting)
    given = fit.mask(mask)
    assert given.shape == (1, 1, *fit.input)
    assert set(given.unique().tolist()) == {0.0, 1.0}
    assert not given[..., fit.content[0] :, :].any()
    assert not given[..., fit.content[1] :].any()
    x, y = fit.points(np.array([[30, 6]], np.float32))[0].round().int().tolist()
    assert given[0, 0, y + 1, x + 1]
    assert not given[0, 0, y - 2, x + 1]
    assert not given[0, 0, y + 1, x - 2]
    low = fit.soft_mask(torch.from_numpy(mask)[None, None].float() * 20 - 10, outside=-10.0)
    assert low.shape == (1, 1, *fit.low)
    shown = fit.cut(low)
    assert shown.shape == (1, 1, *fit.low_content)
    assert (low > 0).sum() == (shown > 0).sum() > 0


@pytest.mark.parametrize("given", [*FITTINGS, [288, 512]])
def test_fittings(given):
    assert check_fitting(given) == (tuple(given) if isinstance(given, list) else given)


@pytest.mark.usefixtures("as_user")
@pytest.mark.parametrize("given", ["squash", None, 384, (100, 64), (0, 64), (64,), (64.0, 64), "288x512"])
def test_what_is_no_fitting(given):
    with pytest.raises(ValueError, match="fit must be 'stretch', 'letterbox', 'native' or a height and width"):
        check_fitting(given)
