from __future__ import annotations

from made_sets import assert_scene, labels, mask, put_folders, put_labels

from masklet.data.open import open_dataset


def test_it_is_told_from_mose_by_its_frame_numbers(tmp_path):
    put_folders(tmp_path / "train", "a", step=5, digits=8)
    put_folders(tmp_path / "valid", "b", step=5, digits=8)
    dataset = open_dataset(tmp_path, split="valid")
    assert (dataset.format, dataset.names) == ("lvos", ("b",))
    assert_scene(dataset[0])
    assert dataset[0].unknown(6) == frozenset()
    assert dataset[0].first_frames() == {1: 0, 2: 3}


def test_first_appearances_of_test(tmp_path):
    put_folders(tmp_path / "test", "b", digits=8, known=(0,))
    put_labels(tmp_path / "test" / "Annotations" / "b" / "00000003.png", labels(3) * mask(3, 2))
    assert open_dataset(tmp_path)[0].unknown(3) == {1}
