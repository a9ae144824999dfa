from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from masklet.data.made_up_set import write_made_up_set
from masklet.data.open import open_dataset
from masklet.data.record_stills import RecordStills, of_records
from masklet.data.synthetic import ClipConfig


@pytest.fixture
def photos(tmp_path: Path) -> str:
    rng = np.random.default_rng(0)
    for part in ("images", "masks"):
        (tmp_path / "photos" / part).mkdir(parents=True)
    for number in range(3):
        image, labels = rng.integers(0, 90, (90, 120, 3)).astype(np.uint8), np.zeros((90, 120), np.uint8)
        cv2.circle(labels, (40, 45), 18, 1, -1)
        cv2.circle(labels, (85, 40), 14, 2, -1)
        image[labels == 1], image[labels == 2] = (240, 60, 60), (60, 240, 60)
        cv2.imwrite(str(tmp_path / "photos" / "images" / f"{number}.png"), image)
        cv2.imwrite(str(tmp_path / "photos" / "masks" / f"{number}.png"), labels)
    return str(tmp_path / "photos")


def made(photos: str, out: Path, clips: int = 2, **changes: int) -> list[Path]:
    stills = RecordStills(open_dataset(photos))
    numbers = {"frames": 5, "size": 96, **changes}
    return list(write_made_up_set(stills, out, clips, **numbers, config=of_records(ClipConfig())))


def test_clips_are_a_data_set_whose_objects_are_seen_first(photos: str, tmp_path: Path):
    folders = made(photos, tmp_path / "clips")
    assert [folder.name for folder in folders] == ["00000", "00001"]
    dataset = open_dataset(str(tmp_path / "clips"))
    assert (dataset.stills, len(dataset)) == (False, 2)
    for video in dataset:
        assert video.frame_count == 5
        assert video.size == (96, 96)
        assert video.annotated == (0, 1, 2, 3, 4)
        assert set(video.masks(0)) == {1, 2}


def test_things_move(photos: str, tmp_path: Path):
    made(photos, tmp_path / "clips")
    video = open_dataset(str(tmp_path / "clips"))[0]
    first, last = video.masks(0), video.masks(4)
    assert any(one not in last or (first[one] != last[one]).any() for one in first)


def test_a_clip_depends_on_seed_and_number_alone(photos: str, tmp_path: Path):
    def pictures(out: str, **changes: int) -> list[bytes]:
        return [
            path.read_bytes()
            for folder in made(photos, tmp_path / out, **changes)
            for path in sorted((folder / "frames").iterdir())
        ]

    first = pictures("one")
    assert pictures("more", clips=3)[: len(first)] == first
    assert pictures("other", seed=1) != first


def test_what_was_cut_off_is_finished_and_the_rest_left_alone(photos: str, tmp_path: Path):
    first, second = made(photos, tmp_path / "clips")
    wanted = {path: path.read_bytes() for path in sorted(second.rglob("*.*"))}
    (second / "masks" / "00004.png").unlink()
    (first / "frames" / "00000.jpg").write_bytes(b"mine")
    made(photos, tmp_path / "clips")
    assert {path: path.read_bytes() for path in sorted(second.rglob("*.*"))} == wanted
    assert (first / "frames" / "00000.jpg").read_bytes() == b"mine"


def test_bad_numbers(photos: str, tmp_path: Path):
    for changes in ({"clips": 0}, {"frames": 0}, {"objects": 256}, {"size": 0}):
        with pytest.raises(ValueError, match="expected at least 1 clip, frame, object"):
            made(photos, tmp_path / "clips", **changes)
    assert not (tmp_path / "clips").exists()


def test_images_without_a_whole_object(tmp_path: Path):
    for part, values in (("images", np.zeros((40, 40, 3), np.uint8)), ("masks", np.ones((40, 40), np.uint8))):
        (tmp_path / part).mkdir()
        cv2.imwrite(str(tmp_path / part / "0.png"), values)
    with pytest.raises(ValueError, match="region to cut out"):
        made(str(tmp_path), tmp_path / "clips")
