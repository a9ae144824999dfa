"""Writers of masks as JSON: COCO run lengths, and the annotation files of SA-V."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..masks import rle
from .atomic import write_bytes
from .writer import Masks, Picture

_SMALL_AREA = 32 * 32  # pixels, the bounds COCO uses
_MEDIUM_AREA = 96 * 96


class CocoRleJsonWriter:
    """Collects encoded masks and writes them as one JSON file at the end.

    The file holds ``size`` ([height, width]) and ``frames``, a list by rising frame number of
    ``{"frame": t, "objects": {"<id>": {"size": [h, w], "counts": "..."}}}``.
    """

    def __init__(self, path: str | os.PathLike[str], size: tuple[int, int]) -> None:
        """Write to ``path`` the masks of a video of ``size`` (height, width)."""
        self._path = Path(path)
        self._size = size
        self._frames: dict[int, dict[int, rle.Rle]] = {}

    def add(self, index: int, masks: Masks, *, frame: Picture | None = None) -> None:
        """Encode the masks of one frame, in any order of frames; adding a frame again replaces it.

        Raises:
            ValueError: A mask has another size than the video.
        """
        self._frames[index] = _encoded(index, masks, self._size)

    def close(self) -> None:
        """Write the file, complete or not at all.

        Raises:
            OSError: The file cannot be written, for instance because the disk is full.
        """
        frames = [
            {"frame": index, "objects": {str(object_id): one for object_id, one in sorted(self._frames[index].items())}}
            for index in sorted(self._frames)
        ]
        _write_json(self._path, {"size": list(self._size), "frames": frames})

    def __enter__(self) -> CocoRleJsonWriter:
        """Give the writer itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Write the file, unless an error ended the block."""
        if kind is None:
            self.close()


class SaVJsonWriter:
    """Collects encoded masks and writes them as an annotation file of SA-V at the end.

    Only every ``step``-th frame is annotated (SA-V: 24 frames a second, 6 of them annotated). Averages of a masklet are
    taken over the annotated frames in which it is visible.

    Source: fields of sav_dataset/README.md of facebookresearch/sam2.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        size: tuple[int, int],
        *,
        video_id: str,
        frame_count: int,
        fps: float = 24.0,
        step: int = 4,
        environment: str = "",
        split: str = "",
        kind: str = "auto",
        edited: Mapping[int, int] | None = None,
    ) -> None:
        """Write to ``path``.

        Args:
            path: The file to write.
            size: Height and width of the video.
            video_id: Name of the video, such as ``sav_000001``.
            frame_count: Number of frames of the whole video.
            fps: Frames per second, for the duration.
            step: Distance of annotated frames.
            environment: ``Indoor`` or ``Outdoor``, where known.
            split: Part of the data set, where known.
            kind: ``auto`` or ``manual``.
            edited: Annotated frames that a user edited, by object; others count as 0.

        Raises:
            ValueError: The step or the frame rate is not above 0, or the kind is another one.
        """
        if step < 1 or fps <= 0 or kind not in ("auto", "manual"):
            raise ValueError(f"Expected step >= 1, fps > 0 and kind auto or manual, got {step}, {fps} and {kind!r}.")
        self._path = Path(path)
        self._size = size
        self._step = step
        self._kind = kind
        self._edited = edited or {}
        self._frame_count = frame_count
        self._frames: dict[int, dict[int, rle.Rle]] = {}
        self._stability: dict[int, Mapping[int, float]] = {}
        height, width = size
        self._video = {
            "video_id": video_id,
            "video_duration": float(frame_count / fps),
            "video_frame_count": float(frame_count),
            "video_height": float(height),
            "video_width": float(width),
            "video_resolution": float(height * width),
            "video_environment": environment,
            "video_split": split,
        }

    def add(
        self,
        index: int,
        masks: Masks,
        *,
        frame: Picture | None = None,
        stability: Mapping[int, float] | None = None,
    ) -> None:
        """Encode the masks of one frame; frames between annotated ones are passed over.

        Args:
            index: Number of the frame.
            masks: By object.
            frame: Not used.
            stability: Of the masks, 0..1, where it is known; others then count as 0.

        Raises:
            ValueError: A mask has another size than the video, or the frame lies outside it.
        """
        if not 0 <= index < self._frame_count:
            raise ValueError(f"Frame {index} lies outside the video of {self._frame_count} frames.")
        if index % self._step == 0:
            self._frames[index] = _encoded(index, masks, self._size)
            if stability is not None:
                self._stability[index] = stability

    def close(self) -> None:
        """Write the file, complete or not at all; frames never added count as showing nothing.

        Raises:
            OSError: The file cannot be written, for instance because the disk is full.
        """
        ids = sorted({object_id for masks in self._frames.values() for object_id in masks})
        nothing = rle.encode(np.zeros(self._size, dtype=bool))
        times = range(0, self._frame_count, self._step)
        masklets = [[self._frames.get(t, {}).get(object_id, nothing) for object_id in ids] for t in times]
        areas = np.array([[rle.area(one) for one in frame] for frame in masklets]).reshape(len(times), len(ids))
        fields = self._statistics(ids, areas)
        if self._stability:
            rows = [[self._stability.get(t, {}).get(object_id, 0.0) for object_id in ids] for t in times]
            fields["masklet_stability_score"] = rows
        _write_json(self._path, {**self._video, "masklet": masklets, **fields})

    def __enter__(self) -> SaVJsonWriter:
        """Give the writer itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Write the file, unless an error ended the block."""
        if kind is None:
            self.close()

    def _statistics(self, ids: list[int], areas: np.ndarray) -> dict[str, Any]:
        """Fields with one number a masklet; ``areas`` is in pixels, annotated frames by objects."""
        visible = areas > 0
        mean = areas.sum(axis=0) / np.maximum(visible.sum(axis=0), 1)
        first = visible.argmax(axis=0) if len(areas) else np.zeros(len(ids), dtype=int)
        changes = [int((np.diff(visible[start:, k].astype(int)) != 0).sum()) for k, start in enumerate(first)]
        return {
            "masklet_id": ids,
            "masklet_size_rel": (mean / (self._size[0] * self._size[1])).tolist(),
            "masklet_size_abs": mean.tolist(),
            "masklet_size_bucket": [
                "small" if a < _SMALL_AREA else "medium" if a < _MEDIUM_AREA else "large" for a in mean
            ],
            "masklet_visibility_changes": changes,
            "masklet_first_appeared_frame": first.tolist(),
            "masklet_frame_count": [len(areas)] * len(ids),
            "masklet_edited_frame_count": [self._edited.get(object_id, 0) for object_id in ids],
            "masklet_type": [self._kind] * len(ids),
            "masklet_stability_score": [None] * len(ids),
            "masklet_num": len(ids),
        }


def _encoded(index: int, masks: Masks, size: tuple[int, int]) -> dict[int, rle.Rle]:
    encoded = {}
    for object_id, mask in masks.items():
        if np.shape(mask) != tuple(size):
            raise ValueError(
                f"The mask of object {object_id} on frame {index} has shape {np.shape(mask)}, "
                f"the video has {tuple(size)}."
            )
        encoded[object_id] = rle.encode(mask)
    return encoded


def _write_json(path: Path, content: dict[str, Any]) -> None:
    write_bytes(path, json.dumps(content, separators=(",", ":")).encode("ascii"))
