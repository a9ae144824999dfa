from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from masklet.data.open import open_dataset
from masklet.data.record_stills import SET, RecordStills


def write(folder: Path, name: str, masks: list[np.ndarray]) -> None:
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / "masks" / name).mkdir(parents=True, exist_ok=True)
    image = np.full((60, 80, 3), 20, np.uint8)
    for number, mask in enumerate(masks):
        image[mask] = 80 + 50 * number
        cv2.imwrite(str(folder / "masks" / name / f"{number}.png"), mask.astype(np.uint8) * 255)
    cv2.imwrite(str(folder / "images" / f"{name}.png"), image)


def rectangle(top: int, left: int, height: int, width: int) -> np.ndarray:
    mask = np.zeros((60, 80), bool)
    mask[top : top + height, left : left + width] = True
    return mask


def area(stills: RecordStills, name: int, region: int) -> np.ndarray:
    still = stills.by_set[SET][name]
    return np.isin(stills.parts(still)[0], stills.regions(still)[region].ids)


def test_a_mask_inside_another_is_part_of_it(tmp_path: Path):
    whole, inner, aside = rectangle(10, 10, 40, 30), rectangle(20, 15, 10, 10), rectangle(5, 55, 20, 15)
    write(tmp_path, "a", [inner, whole, aside])
    stills = RecordStills(open_dataset(str(tmp_path)))
    np.testing.assert_array_equal(area(stills, 0, 0), whole)  # the largest first
    np.testing.assert_array_equal(area(stills, 0, 1), aside)
    np.testing.assert_array_equal(area(stills, 0, 2), inner)
    assert [region.area for region in stills.regions(stills.by_set[SET][0])] == [1200, 300, 100]


def test_of_two_masks_that_overlap_the_smaller_is_whole(tmp_path: Path):
    large, small = rectangle(10, 10, 30, 30), rectangle(25, 30, 20, 20)
    write(tmp_path, "a", [large, small])
    stills = RecordStills(open_dataset(str(tmp_path)))
    np.testing.assert_array_equal(area(stills, 0, 0), large & ~small)
    np.testing.assert_array_equal(area(stills, 0, 1), small)


def test_what_the_border_cuts_off_does_not_move(tmp_path: Path):
    write(tmp_path, "a", [rectangle(10, 0, 40, 20), rectangle(10, 40, 20, 20), rectangle(50, 50, 2, 2)])
    stills = RecordStills(open_dataset(str(tmp_path)))
    regions = stills.regions(stills.by_set[SET][0])
    assert [region.movable for region in regions] == [False, True, False]  # cut off, whole, tiny


def test_images_are_kept_up_to_a_number_and_read_again_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in "abc":
        write(tmp_path, name, [rectangle(10, 10, 20, 20)])
    dataset = open_dataset(str(tmp_path))
    read: list[int] = []
    before = type(dataset).__getitem__
    monkeypatch.setattr(type(dataset), "__getitem__", lambda self, index: read.append(index) or before(self, index))
    stills = RecordStills(dataset, keep=2)
    for name in (0, 1, 0, 2, 0, 1):
        assert stills.image(stills.by_set[SET][name]).shape == (60, 80, 3)
    assert read == [0, 1, 2, 1]  # 0 was used after 1, so that 1 had to go


def test_an_image_without_masks_has_no_region(tmp_path: Path):
    write(tmp_path, "a", [rectangle(10, 10, 20, 20)])
    cv2.imwrite(str(tmp_path / "images" / "b.png"), np.zeros((60, 80, 3), np.uint8))
    stills = RecordStills(open_dataset(str(tmp_path)))
    assert stills.regions(stills.by_set[SET][1]) == ()
    assert not stills.parts(stills.by_set[SET][1])[0].any()


def test_videos_are_refused(tmp_path: Path):
    for part, values in (("frames", np.zeros((8, 8, 3), np.uint8)), ("masks", np.ones((8, 8), np.uint8))):
        (tmp_path / "one" / part).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "one" / part / "0.png"), values)
    with pytest.raises(ValueError, match=r"images with masks, .* holds videos"):
        RecordStills(open_dataset(str(tmp_path)))
