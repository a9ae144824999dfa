"""What every writer takes: the masks of one video as run lengths, whatever they were read from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from ..data.frames import PICTURES, MovieFrames
from ..data.paths import BrokenAnnotations
from ..data.records import AnnotatedVideo, Frames
from ..masks import rle
from ..masks.rle import Rle


@dataclass(frozen=True)
class VideoMasks:
    """The masks of one video, or of one image, which is a video of one frame.

    Attributes:
        name: Its name; parts may be divided by ``/``.
        size: Height and width of its frames.
        files: Name of the image file of each frame; of a movie's frames ``00000.jpg`` and so on.
        masks: Masks by annotated frame and object, frames and ids in order. An object without an entry is not visible.
        unknown: By annotated frame, objects of which the source says neither where they are nor that they are not.
        categories: Category by object, where it is known.
        still: Whether it is an image.
        frames: Its pictures; None where there are none to be copied.
        where: What errors name.
    """

    name: str
    size: tuple[int, int]
    files: tuple[str, ...]
    masks: Mapping[int, Mapping[int, Rle]]
    unknown: Mapping[int, frozenset[int]]
    categories: Mapping[int, str]
    still: bool
    frames: Frames | None
    where: str

    @property
    def objects(self) -> list[int]:
        """Ids of all objects with a mask, in order."""
        return sorted({number for masks in self.masks.values() for number in masks})

    @property
    def count(self) -> int:
        """Number of frames."""
        return len(self.files)

    @property
    def folder(self) -> str:
        """Name for a folder of its own: of an image without the suffix of its file."""
        path = PurePosixPath(self.name)
        named = self.still and path.suffix.lower() in PICTURES  # not every point begins a suffix
        return str(path.with_suffix("")) if named else self.name

    @property
    def flat(self) -> str:
        """The same without folders."""
        return self.folder.replace("/", "_")

    def image(self, frame: int) -> str:
        """Name of a frame's image file where many videos share a folder."""
        suffix = PurePosixPath(self.files[frame]).suffix
        return f"{self.folder}{suffix}" if self.still else f"{self.folder}/{self.files[frame]}"

    def stem(self, frame: int) -> str:
        """Name of a frame without a suffix."""
        return PurePosixPath(self.files[frame]).stem


def read_masks(video: AnnotatedVideo, *, still: bool) -> VideoMasks:
    """Read all masks of a video of a data set; pictures are not decoded.

    Raises:
        ValueError: A mask is damaged, of another size, or in a frame that the video lacks; the message names the file,
            the frame and the object.
        FileNotFoundError: Frames are needed, for their number or their size, and are not there.
    """
    parts = PurePosixPath(video.name).parts
    if not parts or video.name.startswith("/") or ".." in parts or "\\" in video.name:
        raise ValueError(f"{video.truth.where}: {video.name!r} is no name for files: rename the video")
    size, count = video.size, video.frame_count
    masks: dict[int, dict[int, Rle]] = {}
    unknown: dict[int, frozenset[int]] = {}
    for frame in video.annotated:
        if not 0 <= frame < count:
            raise ValueError(
                f"{video.truth.where} has masks of frame {frame}, {video.frames.where} has frames 0 to {count - 1}: "
                "they do not belong together"
            )
        try:
            masks[frame] = {number: rle.encode(mask) for number, mask in video.masks(frame).items()}
        except BrokenAnnotations:
            raise
        except ValueError as error:
            raise ValueError(f"{video.truth.file(frame)}: frame {frame} of {video.name}: {error}") from error
        if missing := video.unknown(frame):
            unknown[frame] = missing
    if isinstance(video.frames, MovieFrames):
        files = tuple(f"{frame:05d}.jpg" for frame in range(count))
    else:
        files = tuple(PurePosixPath(video.frames.file(frame)).name for frame in range(count))
    categories = dict(video.categories())
    return VideoMasks(video.name, size, files, masks, unknown, categories, still, video.frames, video.truth.where)
