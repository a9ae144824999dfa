"""Image and clip samples."""

from __future__ import annotations

import numpy as np

from masklet.data.real_clips import RealClipConfig, real_clip
from masklet.data.sampling import ImageConfig, TrainingData, clip_sample, image_sample
from masklet.data.synthetic import LEAST_AREA, ClipConfig


def test_image_samples_have_regions_of_the_right_size(mini_data):
    for seed in range(30):
        sample = image_sample(np.random.default_rng(seed), mini_data.stills, 64, 8)
        assert sample["image"].shape == (64, 64, 3)
        assert sample["image"].dtype == np.uint8
        assert sample["masks"].shape == (8, 64, 64)
        assert sample["masks"].dtype == np.uint8
        areas = sample["masks"].mean(axis=(1, 2))
        assert areas.min() >= 0.005
        assert areas.max() <= 0.9
        assert len({mask.tobytes() for mask in sample["masks"]}) >= 2


def test_masks_lie_on_their_colours(mini_data):
    config = ImageConfig(weights={"camvid": 1.0}, paste=0.0, union=0.0)
    sample = image_sample(np.random.default_rng(2), mini_data.stills, 64, 4, config)
    for mask in sample["masks"]:
        inside = sample["image"][mask > 0].astype(float)
        assert np.abs(inside - np.median(inside, axis=0)).mean() < 12  # the made-up regions have one colour each


def test_pasting_adds_a_region_and_hides_others(mini_data):
    plain = ImageConfig(paste=0.0, union=0.0, weights={"camvid": 1.0})
    pasted = ImageConfig(paste=1.0, twice=1.0, union=0.0, weights={"camvid": 1.0})
    assert len(image_sample(np.random.default_rng(0), mini_data.stills, 64, 12, plain)["masks"]) == 12
    for seed in range(10):
        masks = image_sample(np.random.default_rng(seed), mini_data.stills, 64, 12, pasted)["masks"]
        distinct = {mask.tobytes(): mask for mask in masks}
        assert np.sum(list(distinct.values()), axis=0).max() == 1


def test_real_clips_keep_their_unlabelled_frames(mini_data):
    config = RealClipConfig(share=1.0, paste=0.0)
    known = []
    for seed in range(30):
        clip = clip_sample(np.random.default_rng(seed), mini_data.stills, mini_data.clips, 64, 4, 2, None, config)
        assert clip.masks.shape == (4, 2, 64, 64)
        assert clip.labelled[0]
        assert (clip.masks[0].mean(axis=(1, 2)) >= LEAST_AREA).all()
        np.testing.assert_array_equal(clip.masks[:, 0], clip.masks[:, 1])  # one object, listed twice
        known.append(clip.labelled.mean())
    assert min(known) < 1
    assert max(known) == 1


def test_pasted_things_hide_real_objects(mini_data):
    config = RealClipConfig(paste=1.0)
    found = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        clip = real_clip(rng, mini_data.stills, mini_data.clips, 64, 4, 2, ClipConfig(), config)
        if clip is not None:
            found += 1
            assert clip.masks.sum(axis=1).max() <= 1
    assert found > 10


def test_shared_data_gives_samples(shared_root):
    data = TrainingData.open(shared_root)
    drawn = image_sample(np.random.default_rng(0), data.stills, 128, 8)
    assert drawn["image"].shape == (128, 128, 3)
    assert drawn["masks"].shape == (8, 128, 128)
    clip = clip_sample(np.random.default_rng(0), data.stills, data.clips, 128, 4, 2)
    assert clip.frames.shape == (4, 128, 128, 3)
    assert clip.masks.shape == (4, 2, 128, 128)
