"""Video sequences on disk: ``<name>/frames/*.jpg`` with indexed masks ``<name>/masks/*.png`` where annotated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Integer, UInt8

from ..masks.label_png import read_label_png
from ..video.folder import natural_key
from ..video.images import read_image

FRAME_SUFFIXES = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True)
class VideoSequence:
    """One annotated video; files are read when asked for.

    Attributes:
        name: Name of its folder.
        frames: Frame files in natural order: a frame's number is its place here.
        masks: Label map files by frame number; frames that are not annotated have none.
    """

    name: str
    frames: tuple[Path, ...]
    masks: Mapping[int, Path]

    @property
    def folder(self) -> Path:
        """Folder of the frames, a source that a tracker opens."""
        return self.frames[0].parent

    @property
    def annotated(self) -> tuple[int, ...]:
        """Numbers of the annotated frames, in order."""
        return tuple(sorted(self.masks))

    @cached_property
    def objects(self) -> Mapping[int, int]:
        """First annotated frame in which each object is seen, by object id, ids in order.

        Reads every label map once.
        """
        first: dict[int, int] = {}
        for frame in self.annotated:
            for label in np.flatnonzero(np.bincount(self.labels(frame).ravel())):
                first.setdefault(int(label), frame)
        return {label: first[label] for label in sorted(first) if label != 0}

    def image(self, frame: int) -> UInt8[np.ndarray, "h w 3"]:
        """Decode a frame as RGB.

        Raises:
            ValueError: The file is no image.
            IndexError: There is no such frame.
        """
        return read_image(self.frames[frame])

    def labels(self, frame: int) -> Integer[np.ndarray, "h w"]:
        """Object ids of a frame's pixels, 0 where there is none.

        Raises:
            KeyError: The frame is not annotated.
        """
        if frame not in self.masks:
            raise KeyError(f"frame {frame} of {self.name} is not annotated: take one of {self.annotated[:10]}...")
        return read_label_png(self.masks[frame])

    def mask(self, frame: int, object_id: int) -> Bool[np.ndarray, "h w"]:
        """Mask of one object in an annotated frame.

        Raises:
            KeyError: The frame is not annotated.
        """
        return self.labels(frame) == object_id


def read_sequence(folder: Path) -> VideoSequence:
    """Read what a sequence folder holds, without decoding it.

    Raises:
        FileNotFoundError: There is no ``frames`` folder with images.
        ValueError: A mask file has no frame of its name, or none is there.
    """
    frames = tuple(p for p in _sorted_files(folder / "frames") if p.suffix.lower() in FRAME_SUFFIXES)
    if not frames:
        raise FileNotFoundError(
            f"expected images in {folder / 'frames'}, found none: give a folder with frames/, masks/"
        )
    number = {path.stem: i for i, path in enumerate(frames)}
    files = [p for p in _sorted_files(folder / "masks") if p.suffix.lower() == ".png"]
    stray = [p.name for p in files if p.stem not in number]
    if stray or not files:
        got = f"{len(stray)} masks without a frame of the same name, such as {stray[0]}" if stray else "no masks"
        raise ValueError(f"expected masks named like frames in {folder / 'masks'}, got {got}: rename or remove them")
    return VideoSequence(folder.name, frames, {number[p.stem]: p for p in files})


def iter_sequences(root: Path, split: str) -> Iterator[VideoSequence]:
    """Yield the sequences of ``<root>/videos/<split>`` by name.

    Raises:
        FileNotFoundError: There is no such folder, or it has no sequence.
    """
    parent = root / "videos" / split
    folders = sorted(p for p in parent.iterdir() if p.is_dir()) if parent.is_dir() else []
    if not folders:
        raise FileNotFoundError(
            f"expected sequence folders in {parent}, found none: check the data folder and the split"
        )
    for folder in folders:
        yield read_sequence(folder)


def _sorted_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted((p for p in folder.iterdir() if p.is_file()), key=natural_key)
