"""Bringing a video in: a film, an image, a folder or a zip of images becomes a frame pack.

What users send is decoded in a process of its own that can do little harm: it has bounds on time, memory and what it
writes, gets the file to write to already open, and dies when it goes beyond.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from ..video.atomic import replacing
from .child import ChildError, ChildLimits, run_child
from .frame_pack import FramePack

OnProgress = Callable[[int, int], object]
"""Called with the frames that are in, and how many there will be."""


class IngestError(ValueError):
    """A video that cannot be taken; the message is for the user."""


@dataclass(frozen=True)
class IngestLimits:
    """What is taken.

    Attributes:
        frames: Most frames.
        pixels: Most pixels of a frame.
        seconds: Most time that reading may take, by the clock and of processors.
        memory: Most bytes of address space of the process that reads.
        pack: Most bytes of the frames as JPEG.
        unpacked: Most bytes of a zip's files together, unpacked.
    """

    frames: int = 50_000
    pixels: int = 4096 * 4096
    seconds: float = 3600.0
    memory: int = 6 * 2**30
    pack: int = 20 * 2**30
    unpacked: int = 20 * 2**30


def ingest(
    source: Path,
    pack: Path,
    limits: IngestLimits | None = None,
    on_progress: OnProgress | None = None,
    *,
    name: str = "the video",
) -> FramePack:
    """Make the frame pack of what a user gave; complete or not at all.

    Args:
        source: A film, an image, a zip of images or a folder of them; the content decides, not the name.
        pack: Where to.
        limits: What is taken.
        on_progress: Called now and then; its error ends the work, and is raised.
        name: What errors call it: no path of this machine is in them.

    Raises:
        IngestError: It is none of these, damaged, cut off, or beyond the limits.
        OSError: The pack cannot be written.
    """
    limits = limits or IngestLimits()
    bounds = ChildLimits(
        seconds=limits.seconds,
        cpu_seconds=int(limits.seconds) + 1,
        memory=limits.memory,
        file_size=limits.pack,
    )

    def line(said: dict) -> None:
        if on_progress is not None and "frames" in said:
            on_progress(said["frames"], said["of"])

    with replacing(pack) as temporary, temporary.open("xb") as file:
        request = {"source": str(source.absolute()), "name": name, "file": file.fileno(), **asdict(limits)}
        try:
            run_child("masklet.data_engine.ingest_process", request, bounds, line, (file.fileno(),))
        except ChildError as error:
            said = str(error) if name in str(error) else f"{name}: {error}"
            raise IngestError(said) from error
    return FramePack(pack)
