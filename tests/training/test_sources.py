from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from masklet.data.augmentation import FLIP_ONLY
from masklet.training.recipe import Stage
from masklet.training.sources import Blobs, Clips, Images, MadeUpClips

STAGE = Stage(size=64, masks=3, frames=4, objects=2)
STILL = replace(FLIP_ONLY, flip=0.0)


def write(folder: Path, name: str, image: np.ndarray, labels: np.ndarray) -> None:
    for part, values in (("images", image), ("masks", labels)):
        (folder / part).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / part / f"{name}.png"), values)


def scene(t: int, objects: int) -> tuple[np.ndarray, np.ndarray]:
    image, labels = np.full((48, 80, 3), 30, np.uint8), np.zeros((48, 80), np.uint8)
    for o in range(objects):
        y, x = 4 + 22 * (o // 2), 5 + 35 * (o % 2) + t
        labels[y : y + 16, x : x + 20] = o + 1
        image[y : y + 16, x : x + 20] = 100 + 50 * o
    return image, labels


@pytest.fixture
def images(tmp_path: Path) -> str:
    for i, objects in enumerate((1, 3, 0, 2)):
        write(tmp_path, f"{i}", *scene(i, objects))
    return str(tmp_path)


@pytest.fixture
def videos(tmp_path: Path) -> str:
    for name, frames in (("long", 9), ("short", 2)):
        for t in range(frames):
            image, labels = scene(t, 2)
            for part, values in (("frames", image), ("masks", labels if t < 6 else np.minimum(labels, 1))):
                (tmp_path / name / part).mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(tmp_path / name / part / f"{t:05d}.png"), values)
    return str(tmp_path)


def test_images_have_masks_that_lie_on_their_colours(images: str):
    source = Images(images, augmentation=STILL)
    names = set()
    for number in range(8):
        arrays, name = source.sample(number, np.random.default_rng(number), STAGE)
        names.add(name)
        assert arrays["images"].shape == (64, 64, 3)
        assert arrays["masks"].shape == (3, 64, 64)
        for mask in arrays["masks"]:
            inside = arrays["images"][mask > 0]
            assert np.ptp(np.percentile(inside, (35, 65))) < 5
            assert inside.mean() > 80
    assert names == {"0", "1", "3"}  # 2 has no mask


def test_masks_of_nearly_everything_are_dropped(tmp_path: Path):
    write(tmp_path, "all", np.full((20, 20, 3), 9, np.uint8), np.ones((20, 20), np.uint8))
    with pytest.raises(ValueError, match="have no mask of use: look with `masklet data check`"):
        Images(str(tmp_path)).sample(0, np.random.default_rng(0), STAGE)


def test_clips_are_frames_in_a_row_forward_or_backward(videos: str):
    source = Clips(videos, augmentation=STILL)
    starts, directions = set(), set()
    for number in range(40):
        arrays, name = source.sample(number, np.random.default_rng(number), STAGE)
        assert name == "long"  # the other is too short
        assert arrays["frames"].shape == (4, 64, 64, 3)
        assert arrays["masks"].shape == (4, 2, 64, 64)
        assert arrays["labelled"].all()
        assert arrays["masks"][0].any((1, 2)).all()
        first = np.nonzero(arrays["masks"][:, 0].any(1))
        left = [first[1][first[0] == t].min() for t in range(4)] if arrays["masks"][:, 0].any((1, 2)).all() else None
        if left is not None:
            steps = np.diff(left)
            assert (abs(steps) <= 2).all()
            directions.add(bool(steps.sum() > 0))
            starts.add(int(left[0]))
    assert directions == {True, False}
    assert len(starts) > 2


def test_an_object_that_leaves_is_empty_there(videos: str):
    source = Clips(videos, augmentation=STILL, reverse=0.0, longest_step=2)
    gone = []
    for number in range(30):
        arrays, _ = source.sample(number, np.random.default_rng(number), STAGE)
        gone.append((~arrays["masks"].any((2, 3))).any())
    assert any(gone)
    assert not all(gone)


def test_too_short_videos_are_said_to_be(videos: str):
    with pytest.raises(ValueError, match="have no 12 annotated frames with an object in the first: take shorter clips"):
        Clips(videos).sample(0, np.random.default_rng(0), replace(STAGE, frames=12))


@pytest.mark.parametrize("kind", ["image", "clip"])
def test_blobs_need_no_data(kind: str):
    arrays, _ = Blobs(kind).sample(0, np.random.default_rng(0), STAGE)
    again, _ = Blobs(kind).sample(0, np.random.default_rng(0), STAGE)
    assert all(np.array_equal(arrays[key], again[key]) for key in arrays)
    picture, masks = (
        (arrays["images"], arrays["masks"]) if kind == "image" else (arrays["frames"][2], arrays["masks"][2])
    )
    assert masks.sum(0).max() == 1  # what is behind is hidden
    assert picture[masks.any(0)].mean() > 100
    assert picture[~masks.any(0)].mean() < 60


def test_made_up_clips_come_from_any_images(tmp_path: Path):
    labels = np.zeros((90, 120), np.uint8)
    cv2.circle(labels, (60, 45), 18, 1, -1)
    write(tmp_path, "ball", np.where(labels[..., None] > 0, 200, 40).astype(np.uint8).repeat(3, 2), labels)
    source = MadeUpClips(str(tmp_path))
    arrays, name = source.sample(3, np.random.default_rng(3), STAGE)
    assert name == "made-up clip 3"
    assert arrays["frames"].shape == (4, 64, 64, 3)
    assert arrays["masks"].shape == (4, 2, 64, 64)
    assert arrays["masks"][0].any((1, 2)).all()  # both objects are seen first
    assert arrays["labelled"].all()
    again, _ = source.sample(3, np.random.default_rng(3), STAGE)
    np.testing.assert_array_equal(again["frames"], arrays["frames"])
