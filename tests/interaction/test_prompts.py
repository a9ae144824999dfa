from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from masklet.interaction.prompts import (
    BOX_LABELS,
    UserPrompt,
    check_box,
    check_labels,
    check_mask,
    check_points,
    user_prompt,
)
from masklet.video.fitting import fit_frame

FRAME = (48, 72)  # height, width
CPU = torch.device("cpu")
pytestmark = pytest.mark.usefixtures("as_user")


def square() -> np.ndarray:
    mask = np.zeros(FRAME, bool)
    mask[10:30, 20:50] = True
    return mask


# Points


@pytest.mark.parametrize("given", [(3, 4), [(3, 4)], np.array([[3, 4]], np.int16), torch.tensor([[3.0, 4.0]])])
def test_points_come_in_many_forms(given: Any):
    points = check_points(given, FRAME)
    assert points.dtype == np.float32
    assert points.tolist() == [[3, 4]]


@pytest.mark.parametrize("point", [(0, 0), (71.9, 47.9), (0, 47), (71, 0)])
def test_points_at_the_border_are_inside(point: tuple[float, float]):
    assert check_points([point], FRAME)[0].tolist() == pytest.approx(point)


@pytest.mark.parametrize("point", [(-1, 3), (72, 3), (3, 48), (3, -0.5), (40, 60)])
def test_points_outside(point: tuple[float, float]):
    message = (
        rf"point \({point[0]:g}, {point[1]:g}\) is outside the frame of 72 x 48 pixels: .* 0 <= x < 72 and 0 <= y < 48"
    )
    with pytest.raises(ValueError, match=message):
        check_points([(5, 5), point], FRAME)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_points_that_are_not_finite(bad: float):
    with pytest.raises(
        ValueError, match=r"points must be finite numbers, got \[\[5.0, 5.0\], \[(nan|inf|-inf), 1.0\]\]"
    ):
        check_points([(5, 5), (bad, 1)], FRAME)


@pytest.mark.parametrize("bad", [[], [[]], [1, 2, 3], [[1, 2, 3]], 5, [[[1, 2]]], np.zeros((0, 2))])
def test_points_of_wrong_shape(bad: Any):
    shape = re.escape(str(np.shape(bad)))
    with pytest.raises(ValueError, match=rf"points must be an array of \(x, y\) pairs .* \(n, 2\), got shape {shape}"):
        check_points(bad, FRAME)


@pytest.mark.parametrize("bad", ["here", [("a", "b")], [(1, 2), (3,)], object(), [(10**400, 1)], {1: 2}])
def test_points_that_are_no_numbers(bad: Any):
    with pytest.raises(ValueError, match=r"points must be an array of \(x, y\) pairs in pixels, got "):
        check_points(bad, FRAME)


@given(hnp.arrays(np.float64, hnp.array_shapes(min_dims=0, max_dims=3, max_side=4), elements=st.floats(width=64)))
def test_any_array_is_a_list_of_points_inside_or_an_error(array: np.ndarray):
    try:
        points = check_points(array, FRAME)
    except ValueError as error:
        sensible = re.search("got|outside", str(error))
    else:
        sensible = points.ndim == 2 and len(points) > 0 and ((points >= 0) & (points < (72, 48))).all()
    assert sensible


# Labels


def test_clicks_without_labels_are_on_the_object():
    assert check_labels(None, 3).tolist() == [1, 1, 1]
    assert check_labels(1, 1).tolist() == [1]
    assert check_labels([True, False], 2).tolist() == [1, 0]


@pytest.mark.parametrize("bad", [[2], [-1], [0.5], [3]])
def test_labels_other_than_0_and_1(bad: list[float]):
    with pytest.raises(
        ValueError, match=rf"labels must be 1 \(on the object\) or 0 \(off it\), got \[{bad[0]:.1f}\]; for a box"
    ):
        check_labels(bad, 1)


@pytest.mark.parametrize("bad", [[1], [1, 0, 1], [[1, 0]], 1])
def test_as_many_labels_as_points(bad: Any):
    with pytest.raises(ValueError, match=r"labels must be one for each of the 2 points, got shape \("):
        check_labels(bad, 2)


@pytest.mark.parametrize("bad", ["yes", [None], [np.nan]])
def test_labels_that_are_no_numbers(bad: Any):
    with pytest.raises(ValueError, match=r"labels must be .*, got "):
        check_labels(bad, 1)


# Boxes


@pytest.mark.parametrize("given", [(0, 0, 72, 48), [[1, 2, 3, 4]], np.array([[1, 2], [3, 4]]), torch.ones(4).cumsum(0)])
def test_boxes_come_in_many_forms(given: Any):
    assert check_box(given, FRAME).shape == (4,)


def test_a_box_with_swapped_corners_is_explained():
    with pytest.raises(
        ValueError, match=r"\(30, 5, 10, 20\) has its corners swapped.*did you mean \(10, 5, 30, 20\)\?"
    ):
        check_box((30, 5, 10, 20), FRAME)
    with pytest.raises(ValueError, match=r"not \(x, y, width, height\)"):
        check_box((40, 30, 20, 10), FRAME)


@pytest.mark.parametrize("bad", [(5, 5, 5, 20), (5, 5, 20, 5), (5, 5, 5, 5)])
def test_a_box_without_area(bad: tuple[int, ...]):
    with pytest.raises(
        ValueError, match=r"has no area: it must be \(x0, y0, x1, y1\) in pixels with x0 < x1 and y0 < y1"
    ):
        check_box(bad, FRAME)


@pytest.mark.parametrize("bad", [(-1, 0, 5, 5), (0, -1, 5, 5), (0, 0, 73, 5), (0, 0, 5, 49)])
def test_a_box_outside(bad: tuple[int, ...]):
    with pytest.raises(ValueError, match=r"reaches outside the frame of 72 x 48 pixels: clip it"):
        check_box(bad, FRAME)


@pytest.mark.parametrize("bad", [(1, 2, 3), (1, 2, 3, 4, 5), [], 7])
def test_a_box_of_wrong_shape(bad: Any):
    with pytest.raises(
        ValueError, match=rf"box must be \(x0, y0, x1, y1\) in pixels, got shape {re.escape(str(np.shape(bad)))}"
    ):
        check_box(bad, FRAME)


@pytest.mark.parametrize("bad", [(1, 2, 3, np.nan), "all", (1, 2, 3, None)])
def test_a_box_that_is_no_numbers(bad: Any):
    with pytest.raises(ValueError, match=r"box must be .*, got "):
        check_box(bad, FRAME)


@given(st.lists(st.floats(-100, 200) | st.sampled_from([0.0, 48.0, 72.0, np.nan]), min_size=4, max_size=4))
def test_any_four_numbers_are_a_box_or_an_error(values: list[float]):
    try:
        x0, y0, x1, y1 = check_box(values, FRAME)
    except ValueError as error:
        sensible = re.search("got|must be|clip", str(error))
    else:
        sensible = 0 <= x0 < x1 <= 72 and 0 <= y0 < y1 <= 48
    assert sensible


# Masks


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int64, np.float32])
@pytest.mark.parametrize("top", [1, 255])
def test_masks_come_in_many_forms(kind: type, top: int):
    given = square().astype(kind) * kind(top) if kind is not bool else square()
    for form in (given, given[None], given[..., None], torch.from_numpy(given), given.tolist()):
        checked = check_mask(form, FRAME)
        assert checked.dtype == np.bool_
        assert np.array_equal(checked, square())


@pytest.mark.parametrize("frame", [(1, 5), (5, 1), (1, 1)])
def test_masks_of_frames_that_are_a_line(frame: tuple[int, int]):
    for form in (np.ones(frame), np.ones((1, *frame)), np.ones((*frame, 1))):
        assert check_mask(form, frame).shape == frame


@pytest.mark.parametrize("shape", [(72, 48), (48, 71), (48,), (3, 48, 72), (2, 48, 72), (1, 72, 48), ()])
def test_a_mask_of_the_wrong_size(shape: tuple[int, ...]):
    with pytest.raises(
        ValueError, match=rf"the frame's height and width \(48, 72\), got shape {re.escape(str(shape))}"
    ):
        check_mask(np.ones(shape), FRAME)


def test_an_empty_mask():
    with pytest.raises(ValueError, match="mask is empty: paint the object"):
        check_mask(np.zeros(FRAME), FRAME)


def test_a_mask_of_many_values():
    labels = square().astype(np.uint8)
    labels[0, 0] = 2
    with pytest.raises(
        ValueError, match=r"must hold one object .* got 3 values from 0 to 2: .*split label maps by label"
    ):
        check_mask(labels, FRAME)
    with pytest.raises(ValueError, match=r"got 2 values from -3\.0 to 4.0: threshold logits"):
        check_mask(np.where(square(), 4.0, -3.0), FRAME)


@pytest.mark.parametrize("bad", [np.full(FRAME, np.nan), np.full(FRAME, "x"), np.full(FRAME, 1j)])
def test_a_mask_of_no_numbers(bad: np.ndarray):
    with pytest.raises(ValueError, match="mask must be boolean or finite numbers, got "):
        check_mask(bad, FRAME)


def test_a_ragged_mask():
    with pytest.raises(
        ValueError, match=r"mask must be an array of height and width \(48, 72\), got \[\[1\], \[1, 2\]\]"
    ):
        check_mask([[1], [1, 2]], FRAME)


# Together


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ({}, "nothing to prompt with: give points, a box or a mask"),
        ({"labels": [1]}, "nothing to prompt with .*labels were given without points"),
        ({"box": (1, 1, 9, 9), "labels": [1]}, "labels were given without points: give one label for each point"),
        ({"mask": square(), "points": [(1, 1)]}, "neither clicks nor a box"),
        ({"mask": square(), "box": (1, 1, 9, 9)}, "neither clicks nor a box"),
    ],
)
def test_combinations_that_say_nothing_or_too_much(prompt: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        user_prompt(FRAME, **prompt)


def test_the_box_comes_first_and_everything_is_scaled():
    prompt = user_prompt(FRAME, points=[(36, 12), (18, 24)], labels=[1, 0], box=(0, 0, 72, 48))
    model = prompt.to_model(fit_frame(FRAME, 128), CPU)
    assert model.points is not None
    assert model.labels is not None
    assert model.points[0].tolist() == [[0, 0], [128, 128], [64, 32], [32, 64]]
    assert model.labels[0].tolist() == [*BOX_LABELS, 1, 0]
    assert model.mask is None
    assert model.previous_logits is None


def test_earlier_logits_are_clamped():
    previous = torch.tensor([-1024.0, -3.0, 50.0, 0.0]).reshape(1, 1, 2, 2)
    model = user_prompt(FRAME, points=(1, 1)).to_model(fit_frame(FRAME, 64), CPU, previous)
    assert model.previous_logits is not None
    assert model.previous_logits.flatten().tolist() == [-32, -3, 32, 0]


def test_a_mask_is_brought_to_the_input():
    fit = fit_frame(FRAME, 64)
    model = user_prompt(FRAME, mask=square()).to_model(fit, CPU)
    assert model.points is None
    assert model.mask is not None
    assert model.mask.shape == (1, 1, 64, 64)
    assert set(model.mask.unique().tolist()) == {0.0, 1.0}
    assert model.mask.mean().item() == pytest.approx(square().mean(), abs=0.02)
    assert torch.equal(model.mask, fit.mask(square()))


def test_newer_prompts_add_clicks_and_replace_box_and_mask():
    first = user_prompt(FRAME, points=[(1, 2)], box=(0, 0, 9, 9))
    clicked = first.extended(user_prompt(FRAME, points=[(3, 4)], labels=[0]))
    assert clicked.points.tolist() == [[1, 2], [3, 4]]
    assert clicked.labels.tolist() == [1, 0]
    assert clicked.box is not None
    assert clicked.box.tolist() == [0, 0, 9, 9]
    boxed = clicked.extended(user_prompt(FRAME, box=(5, 5, 8, 8)))
    assert boxed.box is not None
    assert boxed.box.tolist() == [5, 5, 8, 8]
    assert len(boxed.points) == 2
    masked = boxed.extended(user_prompt(FRAME, mask=square()))
    assert masked.mask is not None
    assert len(masked.points) == 0
    assert masked.box is None


def test_a_prompt_of_nothing_is_empty():
    assert UserPrompt().points.shape == (0, 2)
    assert UserPrompt().labels.shape == (0,)
