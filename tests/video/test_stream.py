from __future__ import annotations

import cv2
import numpy as np
import pytest

from masklet.video.frames import open_source


class FakeCapture:
    """Stands for a camera: three BGR pictures, then the plug is pulled."""

    opened = True
    released = 0

    def __init__(self, address: int | str) -> None:
        self.address, self.given = address, 0

    def isOpened(self) -> bool:
        return self.opened

    def get(self, _: int) -> float:
        return 25.0

    def read(self) -> tuple[bool, np.ndarray | None]:
        self.given += 1
        return (True, np.full((4, 6, 3), (self.given, 0, 9), dtype=np.uint8)) if self.given < 4 else (False, None)

    def release(self) -> None:
        FakeCapture.released += 1


@pytest.mark.usefixtures("as_user")
@pytest.mark.parametrize("address", [0, "camera:0", "rtsp://example.org/door"])
def test_a_camera_is_a_stream_in_rgb(monkeypatch, address):
    monkeypatch.setattr(cv2, "VideoCapture", FakeCapture)
    monkeypatch.setattr(FakeCapture, "released", 0)
    with open_source(address) as source:
        assert source.size == (4, 6)
        assert source.fps == 25
        assert source.length is None
        assert [image[0, 0].tolist() for image in source] == [[9, 0, 1], [9, 0, 2], [9, 0, 3]]
    assert FakeCapture.released == 1


def test_a_camera_that_cannot_be_opened(monkeypatch):
    monkeypatch.setattr(cv2, "VideoCapture", FakeCapture)
    monkeypatch.setattr(FakeCapture, "opened", False)
    with pytest.raises(ValueError, match="camera 7 cannot be opened"):
        open_source(7)
