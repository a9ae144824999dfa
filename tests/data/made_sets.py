"""Small data sets in the formats of the readers, made anew for a test. Files go to any path with ``write_bytes``."""

from __future__ import annotations

import io
import json
from typing import Any

import av
import cv2
import numpy as np

from masklet.masks import rle
from masklet.masks.label_png import encode_label_png
from masklet.masks.palette import davis_palette

SIZE = (32, 48)
FRAMES = 9


def labels(index: int) -> np.ndarray:
    """Object 1 moves to the right; object 2 appears in frame 3 and is gone in frame 6."""
    made = np.zeros(SIZE, np.uint8)
    made[4:14, 2 + 3 * index : 14 + 3 * index] = 1
    if 3 <= index != 6:
        made[18:30, 20:40] = 2
    return made


def mask(index: int, object_id: int) -> np.ndarray:
    return labels(index) == object_id


def picture(index: int) -> np.ndarray:
    """RGB: the frame number as a grey level, the objects red and green."""
    image = np.full((*SIZE, 3), 20 * index, np.uint8)
    image[mask(index, 1)] = (220, 0, 0)
    image[mask(index, 2)] = (0, 220, 0)
    return image


def put(path: Any, data: bytes | str) -> Any:
    """Write a file, folders included; gives the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def put_json(path: Any, content: Any) -> Any:
    return put(path, json.dumps(content))


def put_picture(path: Any, image: np.ndarray | None = None, index: int = 0) -> Any:
    image = picture(index) if image is None else image
    flags = [cv2.IMWRITE_JPEG_QUALITY, 98] if path.suffix == ".jpg" else []
    return put(path, cv2.imencode(path.suffix, image[..., ::-1], flags)[1].tobytes())


def put_labels(path: Any, made: np.ndarray) -> Any:
    return put(path, encode_label_png(made, davis_palette()))


def put_binary(path: Any, made: np.ndarray) -> Any:
    return put(path, cv2.imencode(".png", made.astype(np.uint8) * 255)[1].tobytes())


def put_movie(path: Any, count: int = FRAMES) -> Any:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=24, options={"crf": "5", "g": "4"})
        stream.height, stream.width, stream.pix_fmt = *SIZE, "yuv444p"
        for index in range(count):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(index), format="rgb24")))
        container.mux(stream.encode())
    return put(path, file.getvalue())


def put_folders(root: Any, name: str, step: int = 1, digits: int = 5, known: Any = range(FRAMES)) -> None:
    """A video in ``JPEGImages/<name>`` and ``Annotations/<name>``, frames numbered in steps."""
    for index in range(FRAMES):
        stem = f"{step * index:0{digits}d}"
        put_picture(root / "JPEGImages" / name / f"{stem}.jpg", index=index)
        if index in known:
            put_labels(root / "Annotations" / name / f"{stem}.png", labels(index))


def sa_v_json(ids: list[int], count: int = FRAMES) -> dict[str, Any]:
    """The fields that matter of an annotation file; the object of each masklet is its place plus 1."""
    frames = [[rle.encode(mask(index, place)) for place, _ in enumerate(ids, start=1)] for index in range(0, count, 4)]
    return {"video_id": "sav_000001", "masklet_id": ids, "masklet": frames}


def assert_scene(video: Any, shown: list[int] | None = None) -> None:
    """The frames of a video are those of the scene, and so are the masks of objects 1 and 2 where it is annotated."""
    assert video.size == SIZE
    for number, index in enumerate(shown or range(video.frame_count)):
        image = video.image(number)
        assert image.shape == (*SIZE, 3)
        assert image.dtype == np.uint8
        assert np.abs(image.astype(int) - picture(index)).mean() < 6
        if number in video.annotated:
            masks = video.masks(number)
            assert set(masks) == {one for one in (1, 2) if mask(index, one).any()}
            for object_id, found in masks.items():
                assert found.dtype == bool
                np.testing.assert_array_equal(found, mask(index, object_id))
