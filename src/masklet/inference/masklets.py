"""Masklets: what was found in a video, frame by frame, and as a file of SA-V."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ..masks.components import repair_rle
from ..masks.rle import Rle
from ..video.annotation_json import SaVJsonWriter
from ..video.frames import FrameSource
from .results import FrameResult
from .session import VideoSession

STEP = 4
"""Every fourth frame is annotated in a file of SA-V."""


class Masklets:
    """Objects of a video. Masks lie in the session that followed them and are read when asked for.

    Args:
        session: The session; closed with this.
        least_area: Holes and specks of fewer pixels are repaired in every mask.
    """

    def __init__(self, session: VideoSession, least_area: int) -> None:
        self.session, self._least_area = session, least_area

    @property
    def source(self) -> FrameSource:
        """The video."""
        assert isinstance(self.session.source, FrameSource)
        return self.session.source

    @property
    def ids(self) -> tuple[int, ...]:
        """The objects, in the order in which they were found."""
        return tuple(self.session.objects)

    def life(self, object_id: int) -> tuple[int, int]:
        """First and last frame of an object.

        Raises:
            KeyError: There is no such object.
        """
        if object_id not in self.session.tracks:
            raise KeyError(f"unknown object {object_id!r}: known are {list(self.ids) or 'none'}")
        track = self.session.tracks[object_id]
        first = min(track.shown)
        return first, min(max(track.shown), track.life[1])

    def frame(self, t: int) -> FrameResult:
        """The objects that live on a frame, with their masks, repaired, and their scores.

        Raises:
            IndexError: There is no such frame.
        """
        return repaired(self.session.frame_result(t), self._least_area)

    def __iter__(self) -> Iterator[FrameResult]:
        """All frames, one after another."""
        return (self.frame(t) for t in range(len(self.source)))

    def write_sa_v(self, folder: str | os.PathLike[str], name: str | None = None) -> Path:
        """Write ``<name>_auto.json`` as in SA-V: every fourth frame, with the stability of every mask.

        A masklet that is on none of these frames is left out; where one is not visible its stability is 0.

        Args:
            folder: Where to.
            name: Of the video; None: as its file or folder is named.

        Raises:
            OSError: The file cannot be written.
        """
        source = self.source
        name = name or Path(source.name).stem or "video"
        path = Path(folder) / f"{name}_auto.json"
        count, fps = len(source), source.fps or 24.0
        with SaVJsonWriter(path, source.size, video_id=name, frame_count=count, fps=fps, step=STEP) as writer:
            for t in range(0, count, STEP):
                visible = {i: one for i, one in self.frame(t).items() if one.area}
                masks = {i: one.mask for i, one in visible.items()}
                writer.add(t, masks, stability={i: one.stability for i, one in visible.items()})
        return path

    def close(self) -> None:
        """Release the video and the masks."""
        self.session.close()

    def __enter__(self) -> Masklets:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True)
class MaskletsProgress:
    """How far a video is.

    Attributes:
        frame: The frame that was done last.
        total: Frames of the video; None: not known.
        living: Objects that are followed on.
        count: Objects so far, those that have ended included.
        masks: Masks of this frame by object, repaired; for a preview.
        masklets: The result, at last. It is to be closed.
    """

    frame: int
    total: int | None
    living: tuple[int, ...]
    count: int
    masks: Mapping[int, Rle]
    masklets: Masklets | None = None


def repaired(result: FrameResult, least_area: int) -> FrameResult:
    """A frame with holes and specks of fewer pixels repaired in every mask; logits are left out."""
    objects = {
        i: replace(one, low_logits=None, exclusive=None, kept=repair_rle(_kept(one.rle()), least_area))
        for i, one in result.items()
    }
    return FrameResult(result.frame, result.size, objects)


def _kept(plain: dict) -> Rle:
    return Rle(size=plain["size"], counts=plain["counts"])
