"""The reader of real training clips."""

from __future__ import annotations

from masklet.data.clips import ClipStore
from masklet.data.sequences import iter_sequences


def test_annotated_frames_are_known(mini_root):
    sparse, walk = iter_sequences(mini_root, "train")
    assert (sparse.name, walk.name) == ("sparse", "walk")
    assert sparse.annotated == (2, 6)
    assert walk.annotated == tuple(range(6))
    store = ClipStore([sparse])
    assert store.labels(sparse, 0) is None
    assert store.objects(sparse, 0) == {}
    assert store.objects(sparse, 2) == {1: 30 * 25 / 6000}
    assert store.frame(sparse, 0).shape == (60, 100, 3)


def test_shared_train_and_dev_clips_are_disjoint(shared_root):
    train, dev = (list(iter_sequences(shared_root, split)) for split in ("train", "dev"))
    assert len(train) == 15
    assert len(dev) == 14
    assert not {c.name for c in train} & {c.name for c in dev}
    assert not any(c.name.startswith("davis16") for c in train)
