from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from masklet.data.order import record_of

MASKLET = "import sys; from masklet.cli.main import main; sys.exit(main())"


def images(folder: Path, damaged: int) -> Path:
    """Four images, the mask of one of which has another size."""
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
        for name in range(4):
            values = np.zeros((50 if (part, name) == ("masks", damaged) else 64, 64), np.uint8)
            values[8:30, 8:40] = 1
            cv2.imwrite(str(folder / part / f"{name}.png"), values)
    return folder


def test_a_process_that_fails_ends_all_with_its_message(tmp_path: Path):
    """The second process meets the damaged sample in the second step, while the first one waits for its gradients."""
    damaged = record_of(3, 4, 0)
    data, out = images(tmp_path / "data", damaged), tmp_path / "out"
    changes = ("steps=4", "stages.0.size=64", "stages.0.images=2", "stages.0.masks=1")
    command = [sys.executable, "-c", MASKLET, "train", "images", "--data", str(data), "-o", str(out)]
    command += ["--processes", "2", *(word for change in changes for word in ("--set", change))]
    try:
        ended = subprocess.run(
            command, env={**os.environ, "OMP_NUM_THREADS": "1"}, timeout=400, capture_output=True, text=True
        )
    except subprocess.TimeoutExpired:
        pytest.fail("the other process waits without end")
    assert ended.returncode == 2
    last = ended.stderr.strip().splitlines()[-1]
    assert "training process 1 failed: ValueError" in last
    assert f"masks/{damaged}.png): the mask of object 1 in frame 0 has 64x50 pixels" in last
    assert torch.load(out / "checkpoint.pt", weights_only=True)["counters"]["step"] == 1
