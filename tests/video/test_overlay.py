from __future__ import annotations

import numpy as np
import pytest

from masklet.masks.palette import object_colors
from masklet.video.overlay import overlay, overlay_labels


@pytest.fixture
def frame() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def test_the_fill_is_a_blend_and_the_rest_is_untouched(frame):
    mask = np.zeros((40, 60), dtype=bool)
    mask[10:20, 20:50] = True
    before = frame.copy()
    drawn = overlay(frame, {3: mask}, 0.25, contour=False)
    np.testing.assert_array_equal(frame, before)
    np.testing.assert_array_equal(drawn[~mask], frame[~mask])
    expected = frame[mask] * 0.75 + np.array(object_colors([3])[3]) * 0.25
    assert np.abs(drawn[mask] - expected).max() <= 0.5


def test_the_contour_is_opaque_and_the_lower_id_lies_on_top(frame):
    mask = np.zeros((40, 60), dtype=bool)
    mask[10:20, 20:50] = True
    drawn = overlay(frame, {2: mask, 1: mask}, 0.5)
    assert drawn[10, 30].tolist() == [128, 0, 0] == drawn[15, 20].tolist()
    np.testing.assert_array_equal(drawn[12, 30], overlay(frame, {1: mask}, 0.5)[12, 30])


def test_labels_and_degenerate_masks(frame):
    full, none, corner = np.ones((40, 60), dtype=bool), np.zeros((40, 60), dtype=bool), np.zeros((40, 60), dtype=bool)
    corner[0, 0] = True
    np.testing.assert_array_equal(overlay(frame, {1: none, 2: none}, labels=True), frame)
    plain = overlay(frame, {12: full, 3: corner})
    assert (overlay(frame, {12: full, 3: corner}, labels=True) != plain).any()
    assert overlay(frame[:1, :1], {1: full[:1, :1]}, labels=True).shape == (1, 1, 3)


@pytest.mark.usefixtures("as_user")
def test_wrong_input(frame):
    with pytest.raises(ValueError, match=r"object 1 has shape \(4, 4\)"):
        overlay(frame, {1: np.zeros((4, 4), dtype=bool)})
    with pytest.raises(ValueError, match="opacity"):
        overlay(frame, {}, 1.5)
    with pytest.raises(ValueError, match="start at 1"):
        overlay(frame, {0: np.zeros((40, 60), dtype=bool)})


def written(masks: dict[int, np.ndarray]) -> np.ndarray:
    """Pixels that labels change."""
    large = np.zeros((200, 300, 3), np.uint8)
    plain, drawn = (overlay(large, masks, labels=labels) for labels in (False, True))
    return (plain != drawn).any(axis=2)


def test_a_label_stands_where_its_object_is_widest():
    head, body = np.zeros((2, 200, 300), bool)
    head[40:100, 120:180] = True
    body[100:200, 100:200] = True
    body[10:14, 2:6] = True  # a speck far away, which would be the corner of a box around both
    for object_id, mask in ((1, head), (2, body)):
        label = written({object_id: mask})
        assert label.any()
        assert not (label & ~mask).any()


def test_the_label_of_a_narrow_object_hides_no_object():
    pole, head = np.zeros((2, 200, 300), bool)
    pole[100:180, 150:154] = True
    pole[10:12, 2:4] = True
    head[40:99, 120:184] = True  # a label above the pole would stand on it
    label = written({1: head, 2: pole}) & ~written({1: head})
    assert label.any()
    assert not (label & (head | pole)).any()
    rows, columns = np.nonzero(label)
    assert rows.min() > 90
    assert columns.min() > 100


def test_a_label_map_is_drawn_as_its_masks_are(as_user, frame):
    labels = np.zeros((40, 60), np.int32)
    labels[10:20, 20:50], labels[20:35, 20:30], labels[2:5, 2:5] = 1, 300, 2
    drawn = overlay_labels(frame, labels, 0.25)
    np.testing.assert_array_equal(drawn[labels == 0], frame[labels == 0])
    wanted = overlay(frame, {i: labels == i for i in (1, 2, 300)}, 0.25, contour=False)
    inner = [(slice(11, 20), slice(21, 50)), (slice(21, 35), slice(21, 30)), (slice(3, 5), slice(3, 5))]
    for part in inner:
        assert np.abs(drawn[part].astype(int) - wanted[part]).max() <= 1
    assert drawn[10, 30].tolist() == list(object_colors([1])[1])
    assert drawn[25, 20].tolist() == list(object_colors([300])[300])
    with pytest.raises(ValueError, match="label map has shape"):
        overlay_labels(frame, labels[:3])
