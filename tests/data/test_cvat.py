from __future__ import annotations

import pickle
from itertools import groupby

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_sets import FRAMES, SIZE, assert_scene, mask, put, put_movie, put_picture

from masklet.data.cvat import open_cvat
from masklet.data.open import open_dataset
from masklet.data.paths import BrokenAnnotations
from masklet.masks.boxes import box_of_mask

H, W = SIZE


def coded(made, frame=None, **more):
    """A ``<mask>`` element: run lengths inside the box, row by row, background first."""
    x0, y0, x1, y1 = box_of_mask(made) or (0, 0, 1, 1)
    counts = [] if not made[y0, x0] else [0]
    counts += [len(list(run)) for _, run in groupby(made[y0:y1, x0:x1].ravel().tolist())]
    numbers = {"rle": ", ".join(map(str, counts)), "left": x0, "top": y0, "width": x1 - x0, "height": y1 - y0, **more}
    return element("mask", frame, **numbers)


def square(index, object_id, frame=None, **more):
    x0, y0, x1, y1 = box_of_mask(mask(index, object_id))
    return element("polygon", frame, points=f"{x0},{y0};{x1},{y0};{x1},{y1}.0;{x0},{y1}", **more)


def element(tag, frame=None, **attributes):
    if frame is not None:
        attributes = {"frame": frame, "outside": 0, "keyframe": 1, **attributes}
    return " ".join([f"<{tag}", *(f'{key}="{value}"' for key, value in attributes.items()), "/>"])


def image(shapes, name="a.jpg", subset=""):
    sub = f'subset="{subset}"' if subset else ""
    return f'<image id="0" name="{name}" {sub} width="{W}" height="{H}">{"".join(shapes)}</image>'


def xml(inner, size=True):
    stated = f"<original_size><width>{W}</width><height>{H}</height></original_size>" if size else ""
    return (
        f"<annotations><version>1.1</version><meta><task><name>walk</name>{stated}</task></meta>{inner}</annotations>"
    )


def track(number, shapes, task=0):
    return f'<track id="{number}" label="x" task_id="{task}">{"".join(shapes)}</track>'


def test_shapes_of_images_are_objects_and_boxes_are_not(tmp_path):
    box = element("box", xtl=0, ytl=0, xbr=9, ybr=9)
    put(tmp_path / "annotations.xml", xml(image([box, square(4, 1), coded(mask(4, 2))], "in/a.jpg")))
    put_picture(tmp_path / "images" / "in" / "a.jpg", index=4)
    dataset = open_dataset(tmp_path)
    assert (dataset.format, dataset.names, dataset.stills) == ("cvat", ("in/a.jpg",), True)
    assert_scene(dataset[0], [4])
    assert dataset[0].objects(0) == (1, 2)


def test_subsets(tmp_path):
    put(tmp_path / "a.xml", xml(image([square(0, 1)], "a.jpg", "Train") + image([square(4, 1)], "b.jpg", "Test")))
    put_picture(tmp_path / "images" / "Train" / "a.jpg")
    assert_scene(open_cvat(tmp_path, "Train")[0], [0])
    assert len(open_cvat(tmp_path)) == 2
    with pytest.raises(BrokenAnnotations, match="Test, Train"):
        open_cvat(tmp_path, "Val")


def all_tracks():
    one = [square(index, 1, index) for index in range(FRAMES)]
    two = [coded(mask(index, 2), index) for index in (3, 4, 5)]
    two += [coded(mask(5, 2), 6, outside=1), *(coded(mask(index, 2), index) for index in (7, 8))]
    return track(1, one) + track(2, two) + track(3, [element("box", 0, xtl=0, ytl=0, xbr=9, ybr=9)])


@pytest.mark.parametrize("size", [True, False])
def test_a_video_of_images(tmp_path, size):
    for index in range(FRAMES):
        put_picture(tmp_path / "images" / f"frame_{index:06d}.png", index=index)
    put(tmp_path / "annotations.xml", xml(all_tracks(), size))
    dataset = open_dataset(tmp_path)
    assert (dataset.names, dataset.stills) == (("walk",), False)
    assert dataset[0].annotated == tuple(range(FRAMES))
    assert_scene(dataset[0])
    assert [dataset[0].unknown(index) for index in range(FRAMES)] == [frozenset()] * FRAMES


def test_a_task_of_every_third_frame_names_its_images_after_them(tmp_path):
    for index in range(3):
        put_picture(tmp_path / "images" / f"frame_{3 * index:06d}.png", index=index)
    put(tmp_path / "annotations.xml", xml(track(0, [square(0, 1, 0), square(2, 1, 6)])))
    video = open_cvat(tmp_path)[0]
    assert video.annotated == (0, 2)
    np.testing.assert_array_equal(video.masks(2)[0], mask(2, 1))


def test_a_video_of_a_movie_with_few_frames_annotated(tmp_path):
    put_movie(tmp_path / "walk.mp4")
    shapes = track(0, [square(0, 1, 0), square(4, 1, 4), square(8, 1, 8)]), track(1, [square(3, 2, 3, outside=1)])
    put(tmp_path / "annotations.xml", xml("".join(shapes)))
    video = open_dataset(tmp_path)[0]
    assert video.frame_count == FRAMES
    assert video.annotated == (0, 3, 4, 8)
    assert video.masks(3) == {}
    assert video.unknown(3) == {0}
    assert video.unknown(4) == frozenset()
    np.testing.assert_array_equal(video.masks(8)[0], mask(8, 1))


@given(st.lists(st.lists(st.booleans(), min_size=W, max_size=W), min_size=H, max_size=H).map(np.array))
def test_run_lengths_of_any_mask(tmp_path_factory, made):
    folder = tmp_path_factory.mktemp("cvat")
    put(folder / "annotations.xml", xml(image([coded(made)])))
    put_picture(folder / "images" / "a.jpg")
    found = open_cvat(folder)[0].masks(0)
    np.testing.assert_array_equal(found[1] if found else np.zeros(SIZE, bool), made)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (coded(mask(4, 2), rle="3, 4"), "cover 7 pixels, its box 20x12 has 240"),
        (coded(mask(4, 2), left=40), "not inside the image of 48x32"),
        (coded(mask(4, 2), rle="x"), "invalid literal"),
        (element("polygon"), "lacks its attribute 'points'"),
        (element("polygon", points="1,2;3,4"), "4 values"),
    ],
)
def test_a_damaged_shape_is_an_error_when_it_is_drawn(tmp_path, shape, message):
    put(tmp_path / "annotations.xml", xml(image([shape])))
    put_picture(tmp_path / "images" / "a.jpg")
    with pytest.raises(ValueError, match=f"object 1 of frame 0: .*{message}"):
        open_cvat(tmp_path)[0].masks(0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<annotations>", "parsed as XML"),
        ("<a/>", "got <a>"),
        (xml(""), "neither images nor tracks"),
        (xml('<image name="a.jpg"/>'), "name, width or height"),
        (xml(track(0, [square(0, 1)])), "damaged"),
        (xml(track(0, [square(0, 1, 0)]) + track(1, [], task=1)), "tracks of 2 tasks"),
    ],
)
def test_broken_annotations_are_named(tmp_path, text, message):
    put_movie(tmp_path / "walk.mp4")
    put(tmp_path / "annotations.xml", text)
    with pytest.raises(BrokenAnnotations, match=rf"annotations\.xml.*{message}"):
        open_cvat(tmp_path)


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"annotations\.xml"):
        open_cvat(tmp_path)
    put(tmp_path / "annotations.xml", xml(all_tracks()))
    with pytest.raises(FileNotFoundError, match="one movie"):
        open_cvat(tmp_path)
    put(tmp_path / "annotations.xml", xml(image([])))
    with pytest.raises(FileNotFoundError):
        open_cvat(tmp_path)[0].image(0)


def grouped(*tracks):
    """Tracks of one mask each: frame, object that it shows, group."""
    return "".join(
        f'<track id="{place}" label="cat" group_id="{group}">{coded(mask(frame, shown), frame=frame)}</track>'
        for place, (frame, shown, group) in enumerate(tracks, start=10)
    )


def test_masks_of_one_group_are_one_object_unless_they_meet(tmp_path):
    put_movie(tmp_path / "walk.mp4")
    put(tmp_path / "annotations.xml", xml(grouped((3, 1, 5), (4, 1, 5), (4, 2, 6))))
    video = pickle.loads(pickle.dumps(open_cvat(tmp_path)))[0]
    assert {t: video.masks(t).keys() for t in video.annotated} == {3: {5}, 4: {5, 6}}
    np.testing.assert_array_equal(video.masks(4)[5], mask(4, 1))
    assert video.categories() == {5: "cat", 6: "cat"}
    put(tmp_path / "annotations.xml", xml(grouped((4, 1, 5), (4, 2, 5))))
    assert open_cvat(tmp_path)[0].masks(4).keys() == {10, 11}
