"""What a corpus will take: measured seconds and bytes into workers, days and storage. Arithmetic only."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

DAY = 86400.0
LISTED = 1000
"""Names in an answer of an object store that is asked what it holds."""
ITEM_BYTES = 150
"""Memory of one video in the list of the process that hands them out, with paths of 26 characters (tracemalloc)."""


@dataclass(frozen=True)
class Measured:
    """What a short run of one worker took.

    Attributes:
        start_seconds: Until a new worker has loaded everything.
        first_seconds: The first frame of a video, with its grids of clicks.
        frame_seconds: Each later frame, without its objects; decoding, and looking for new ones now and then, included.
        object_seconds: Each object on each later frame.
        decode_seconds: Decoding a frame, which the others include.
        mask_bytes: Of the results, an object that lives and an annotated frame.
        frame_bytes: Of the video, a frame.
        objects: That lived at a time, mean.
        worker: What was measured, for people.
    """

    start_seconds: float
    first_seconds: float
    frame_seconds: float
    object_seconds: float
    decode_seconds: float
    mask_bytes: float
    frame_bytes: float
    objects: float
    worker: str = ""

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name != "worker" and not (isinstance(value, int | float) and 0 <= value < math.inf):
                raise ValueError(f"{one.name} must be a number of at least 0, got {value!r}")


@dataclass(frozen=True)
class CorpusShape:
    """A corpus, and how it is to be done.

    Attributes:
        videos: How many.
        seconds: Length of each.
        fps: Frames a second.
        objects: Objects of each, taken to live all the time; None: as many as in the measured videos.
        days: Time that there is; not used where workers are given.
        workers: How many there are; None: as many as the days need.
        kill_hours: Mean time between two kills of a worker (a preempted machine); 0: none are killed.
        longest: Length of the longest video in seconds.
    """

    videos: int = 1_000_000
    seconds: float = 14.0
    fps: float = 24.0
    objects: float | None = None
    days: float = 30.0
    workers: int | None = None
    kill_hours: float = 24.0
    longest: float = 60.0

    def __post_init__(self) -> None:
        for name in ("videos", "seconds", "fps", "days", "longest"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        if self.workers is not None and self.workers < 1:
            raise ValueError(f"workers must be at least 1, got {self.workers}")
        if self.kill_hours < 0 or (self.objects is not None and self.objects < 0):
            raise ValueError(f"kill_hours and objects must be at least 0, got {self.kill_hours} and {self.objects}")

    def frames(self, seconds: float) -> int:
        """Frames of a video of some length."""
        return max(1, round(seconds * self.fps))


@dataclass(frozen=True)
class CorpusPlan:
    """What a corpus takes.

    Attributes:
        frames: All of them.
        video_seconds: A worker's time for a video that is not disturbed.
        repeated: Share of the work that is done again because workers are killed, and that new ones take to start.
        worker_days: All work, what is repeated included.
        workers: How many work at a time.
        days: How long.
        tail_hours: What the longest video takes; if it is begun last, all others wait for it.
        videos_a_second: That are handed out and come back.
        read_bytes: Videos that are read.
        masklet_bytes: Results, a masklet.
        result_bytes: All results.
        results: Files of these.
        requests: To an object store: a read and a write a video, and two listings.
        list_bytes: Memory of the list in the process that hands out.
        decode_share: Share of a worker's time that is decoding.
        decoded_workers: How many times as fast a worker's model may become until one core that decodes is what it
            waits for; infinite where decoding takes no time.
    """

    frames: int
    video_seconds: float
    repeated: float
    worker_days: float
    workers: int
    days: float
    tail_hours: float
    videos_a_second: float
    read_bytes: float
    masklet_bytes: float
    result_bytes: float
    results: int
    requests: int
    list_bytes: int
    decode_share: float
    decoded_workers: float


def plan(measured: Measured, corpus: CorpusShape) -> CorpusPlan:
    """Work out a corpus from what a short run took.

    The mean time of videos that are begun again after each kill is ``(exp(v / m) - 1) m``, where ``v`` is the time of
    an undisturbed one and ``m`` the mean time between kills, which come at random.

    Raises:
        ValueError: Workers live so short that the longest video would hardly ever be done.
    """
    from .masklets import STEP  # here, because a command line imports the shape of a corpus and no torch

    objects = measured.objects if corpus.objects is None else corpus.objects
    count = corpus.frames(corpus.seconds)
    later = measured.frame_seconds + objects * measured.object_seconds
    video = measured.first_seconds + (count - 1) * later
    longest = measured.first_seconds + (corpus.frames(corpus.longest) - 1) * later
    between = corpus.kill_hours * 3600 or math.inf
    if longest > 30 * between:
        raise ValueError(
            f"the longest video takes {longest / 3600:.1f} h and workers are killed every {corpus.kill_hours} h: cut "
            "videos into pieces"
        )
    disturbed = _disturbed(video, between, measured.start_seconds)
    days_of_one = corpus.videos * disturbed / DAY
    workers = corpus.workers or max(1, math.ceil(days_of_one / corpus.days))
    days = days_of_one / workers
    annotated = -(-count // STEP)
    masklet_bytes = annotated * measured.mask_bytes
    decode = count * measured.decode_seconds
    return CorpusPlan(
        frames=corpus.videos * count,
        video_seconds=video,
        repeated=1 - video / disturbed if disturbed else 0.0,
        worker_days=days_of_one,
        workers=workers,
        days=days,
        tail_hours=_disturbed(longest, between, measured.start_seconds) / 3600,
        videos_a_second=corpus.videos / (days * DAY) if days else math.inf,
        read_bytes=corpus.videos * count * measured.frame_bytes,
        masklet_bytes=masklet_bytes,
        result_bytes=corpus.videos * objects * masklet_bytes,
        results=corpus.videos,
        requests=2 * corpus.videos + 2 * math.ceil(corpus.videos / LISTED),
        list_bytes=corpus.videos * ITEM_BYTES,
        decode_share=decode / video if video else 0.0,
        decoded_workers=video / decode if decode else math.inf,
    )


def _disturbed(seconds: float, between: float, start: float) -> float:
    """Mean time of work that begins anew after each kill, and of the starts of the workers that replace killed ones."""
    if between == math.inf:
        return seconds
    tried = math.expm1(seconds / between) * between
    return tried * (1 + start / between)
