"""Fixtures of the tests of training data."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def mini_root(tmp_path_factory):
    """A tiny data root."""
    from mini_sets import write_root

    return write_root(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def mini_data(mini_root):
    """The training split of the tiny data root."""
    from masklet.data.sampling import TrainingData

    return TrainingData.open(mini_root)


@pytest.fixture(scope="session")
def shared_root():
    """The real data root, where there is one."""
    root = Path(__file__).resolve().parents[2].parent / "shared" / "data"
    if not (root / "splits.json").is_file():
        pytest.skip("no shared data here")
    return root
