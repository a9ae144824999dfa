from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_sets import FRAMES, SIZE, labels, put_folders, put_labels

from masklet.data.open import open_dataset
from masklet.data.stats import DatasetStats, comes_back, spread


@pytest.fixture
def numbers(tmp_path):
    put_folders(tmp_path / "train", "a")
    put_folders(tmp_path / "train", "b", known=(0,))
    put_labels(tmp_path / "train" / "Annotations" / "b" / "00001.png", labels(1))
    stats = DatasetStats()
    for video in open_dataset(tmp_path, "lvos"):
        stats.add(video)
    return stats


def test_summary(numbers):
    summary = numbers.summary()
    assert summary["videos"] == 2
    assert summary["frames"] == 2 * FRAMES
    assert summary["annotated_frames"] == FRAMES + 2
    assert summary["masklets"] == 3  # two of a, one of b
    assert summary["masks"] == FRAMES + 5 + 2
    assert summary["disappearance_rate"] == 1 / 3  # the second object of a is gone in frame 6
    assert "not visible in an annotated frame between two" in summary["disappearance_definition"]
    assert summary["masks_below_a_tenth"] == 11 / 16  # 120 pixels of 1536, and 240 of them
    assert summary["objects_per_video"] == {"min": 1, "median": 1.5, "mean": 1.5, "p90": pytest.approx(1.9), "max": 2}
    assert summary["area_per_masklet"]["min"] == pytest.approx(120 / (SIZE[0] * SIZE[1]))
    assert sum(summary["areas"]["counts"]) == 16


def test_a_video_that_cannot_be_read_counts_for_nothing(numbers, tmp_path):
    before = numbers.summary()
    (tmp_path / "train" / "Annotations" / "a" / "00005.png").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"00005\.png"):
        numbers.add(open_dataset(tmp_path, "lvos")[0])
    assert numbers.summary() == before


def test_files(numbers, tmp_path):
    paths = numbers.write(tmp_path / "out")
    assert [path.name for path in paths] == ["stats.json", "areas.png", "lengths.png", "objects.png", "sizes.png"]
    assert sorted((tmp_path / "out").iterdir()) == sorted(paths)
    assert json.loads(paths[0].read_text()) == numbers.summary()
    for path in paths[1:]:
        assert cv2.imread(str(path)).shape[1] == 720


def test_nothing_was_added(tmp_path):
    DatasetStats().write(tmp_path)
    assert DatasetStats().summary()["disappearance_rate"] is None


def test_objects_that_are_unknown_do_not_disappear(tmp_path):
    put_folders(tmp_path / "test", "a", known=(0,))
    put_labels(tmp_path / "test" / "Annotations" / "a" / "00003.png", labels(3) * (labels(3) == 2))
    put_labels(tmp_path / "test" / "Annotations" / "a" / "00005.png", labels(5) * (labels(5) == 1))
    stats = DatasetStats()
    stats.add(open_dataset(tmp_path, "lvos")[0])
    assert stats.summary()["disappearance_rate"] == 0


@pytest.mark.parametrize(
    ("visible", "back"), [("", 0), ("1", 0), ("0", 0), ("0110", 0), ("101", 1), ("0011001", 1), ("100", 0)]
)
def test_coming_back(visible, back):
    assert comes_back([one == "1" for one in visible]) == bool(back)


@given(st.lists(st.integers(-1000, 1000), min_size=1))
def test_spread(values):
    found = spread(values)
    assert found is not None
    assert found["min"] == min(values)
    assert found["max"] == max(values)
    assert found["median"] == np.median(values)
    assert spread([]) is None
