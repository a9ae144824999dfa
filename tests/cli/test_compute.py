from __future__ import annotations

import pytest
import torch

from masklet.cli.compute import check_compute, devices, fitting


@pytest.fixture
def accelerators(monkeypatch: pytest.MonkeyPatch):
    """Pretend that there are so many."""

    def pretend(cuda: int, mps: bool) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return pretend


@pytest.mark.parametrize("device", ["cuda", "cuda:0", "mps", "foo", "", "meta", "CPU"])
def test_a_device_that_is_not_here(accelerators, device: str):
    accelerators(0, False)
    with pytest.raises(ValueError, match=f"got --device {device}, but torch can use only cpu here: choose"):
        check_compute(device, None)


def test_devices_that_are_here(accelerators):
    accelerators(2, True)
    assert devices() == ["cpu", "cuda", "cuda:0", "cuda:1", "mps"]
    for device in devices():
        check_compute(device, None)
    with pytest.raises(ValueError, match="only cpu, cuda, cuda:0, cuda:1, mps here"):
        check_compute("cuda:2", None)


def test_absurd_inputs():
    check_compute("cpu", 4096)
    for size in (4128, 3_200_000, 10**30):
        with pytest.raises(ValueError, match=f"got --image-size {size}, expected at most 4096"):
            check_compute("cpu", size)


def test_how_frames_fill_the_input():
    assert [fitting(text) for text in ("stretch", "letterbox", "native")] == ["stretch", "letterbox", "native"]
    assert fitting("288x512") == (288, 512)
    for text in ("288x500", "0x32", "288", "x", "cover", "99999x32", "-32x32"):
        with pytest.raises(ValueError, match=f"got --fit {text}, expected stretch, letterbox, native or HEIGHTxWIDTH"):
            fitting(text)
    with pytest.raises(ValueError, match="got --fit 32x4128, expected at most 4096 for a side"):
        fitting("32x4128")
