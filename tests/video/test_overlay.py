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


def test_a_label_goes_where_it_hides_no_object(frame):
    large = np.zeros((200, 300, 3), np.uint8)
    head, body = np.zeros((2, 200, 300), bool)
    head[40:100, 120:180] = True
    body[100:200, 100:200] = True  # its label would stand on the head above
    plain, drawn = (overlay(large, {1: head, 2: body}, labels=labels) for labels in (False, True))
    written = (plain != drawn).any(axis=2)
    assert written.any()
    assert not (written & head)[60:].any()
    assert not (written & body)[:, 130:170].any()


def test_a_label_stays_at_the_largest_piece():
    large, mask = np.zeros((200, 300, 3), np.uint8), np.zeros((200, 300), bool)
    mask[100:180, 200:280] = True
    mask[10:14, 2:6] = True  # a speck far away, which would be the corner of a box around both
    plain, drawn = (overlay(large, {1: mask}, labels=labels) for labels in (False, True))
    rows, columns = np.nonzero((plain != drawn).any(axis=2))
    assert rows.min() > 70
    assert columns.min() > 190


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
