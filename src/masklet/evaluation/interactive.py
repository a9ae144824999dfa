"""Interactive segmentation: a simulated user corrects one object frame by frame, with clicks (SAM 2, appendix E.1.2).

Every object is segmented alone, in a clip that begins with the first frame that shows it. That frame is prompted first:
a click in the middle of the object, the next ones in the middle of the error. What the paper leaves open is settled so:

- All annotated frames of the clip are scored, prompted ones, the first and the last included: no answer is given away,
  as clicks are no masks. Frames whose annotation says nothing of the object are neither scored nor prompted.
- Offline, the worst frame is the one with the lowest IoU, the earliest of equals. A frame is prompted again only when
  all others are without error (DAVIS interactive, too, takes new frames first), and then its new clicks add to the old.
- Online, a frame is stopped at once: after its clicks the user goes on, whatever came of them.
- A prompted frame costs all of its clicks, even where fewer would have been enough. Without any frame to prompt the
  user is done: the remaining rounds repeat the last one, and take no time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..data.records import AnnotatedVideo, Mask
from ..interaction.clicks import center_click
from .annotation_time import Mode, annotation_seconds
from .metrics import frame_scores
from .scores import Click, InteractiveScore, ObjectScore, Round

if TYPE_CHECKING:
    from ..tracker import Tracker

STOP_BELOW = 0.75
"""IoU below which the user stops, online."""


def iter_interactive(
    tracker: Tracker,
    video: AnnotatedVideo,
    mode: Mode,
    *,
    frames: int = 8,
    clicks: int = 3,
    threshold: float = STOP_BELOW,
) -> Iterator[InteractiveScore]:
    """Yield the score of one object of a video after the other: :func:`score_interactive` of all that are ever seen."""
    for object_id in video.first_frames():
        yield score_interactive(tracker, video, object_id, mode, frames, clicks, threshold)


def score_interactive(
    tracker: Tracker,
    video: AnnotatedVideo,
    object_id: int,
    mode: Mode,
    frames: int = 8,
    clicks: int = 3,
    threshold: float = STOP_BELOW,
) -> InteractiveScore:
    """Let a simulated user correct one object, and score it after each prompted frame.

    Offline, the whole clip is tracked again after each prompted frame, and the worst frame is prompted next. Online,
    the clip is tracked once: the user stops where the IoU falls below the threshold, prompts, and goes on from there;
    earlier frames stay as they are. Round ``n`` is the run with at most ``n`` prompted frames.

    Args:
        tracker: What is scored; it must keep the promises that :class:`masklet.tracker.Tracker` makes of going back.
        video: The video.
        object_id: The object.
        mode: Offline or online.
        frames: Most prompted frames.
        clicks: Clicks on each of them.
        threshold: IoU below which the user stops, online.

    Raises:
        ValueError: An argument is out of range; the video never shows the object; the tracker leaves out a frame, or
            gives a mask of another size.
    """
    if mode not in ("offline", "online"):
        raise ValueError(f"got mode {mode!r}, expected offline or online")
    if frames < 1 or clicks < 1:
        raise ValueError(f"got {frames} frames with {clicks} clicks, expected at least 1 of each")
    user = _User(tracker, _clip(video, object_id), clicks)
    states = _offline(user, frames) if mode == "offline" else _online(user, frames, threshold)
    rounds = []
    for n, (frame, score) in enumerate(states, 1):
        rounds.append(Round(frame, score, annotation_seconds(mode, user.clip.length, n, clicks)))
    done = replace(rounds[-1], frame=None, score=replace(rounds[-1].score, clicks=()))
    return InteractiveScore(video.name, object_id, tuple(rounds) + (done,) * (frames - len(rounds)))


State = tuple[int, ObjectScore]
"""The frame that was prompted, and how the object is tracked with it."""


def _offline(user: _User, frames: int) -> Iterator[State]:
    frame, answer = user.clip.first, None
    for _ in range(frames):
        given, values, worst = user.click(frame, answer), {}, None
        for t, mask, value in user.track(user.clip.first):
            values[t] = value
            rank = t in user.given, value[0]
            if value[0] < 1 and (worst is None or rank < worst[0]):
                worst = rank, t, mask
        yield frame, user.clip.score(values, given)
        if worst is None:
            return
        _, frame, answer = worst


def _online(user: _User, frames: int, threshold: float) -> Iterator[State]:
    """One pass with all stops; at each stop the tracker first runs on without a prompt, as the run does that ends here.

    That costs less than a run from the start for every number of frames and gives the same, as the tracker must not let
    what it made of later frames change what it makes of a frame.
    """
    frame, answer, values = user.clip.first, None, {}
    for n in range(1, frames + 1):
        given, stop = user.click(frame, answer), None
        values = {t: value for t, value in values.items() if t < frame}
        for t, mask, value in user.track(frame):
            values[t] = value
            if n < frames and t > frame and value[0] < threshold:
                stop, answer = t, mask
                break
        if stop is not None:
            values |= {t: value for t, _, value in user.track(stop)}
        yield frame, user.clip.score(values, given)
        if stop is None:
            return
        frame = stop


class _User:
    """Who clicks on one object and looks at what the tracker makes of it. Frames are those of the video."""

    def __init__(self, tracker: Tracker, clip: _Clip, clicks: int) -> None:
        """Open the clip."""
        self.tracker, self.clip, self.clicks = tracker, clip, clicks
        self.given: dict[int, list[Click]] = {}
        tracker.open(clip.video.images_from(clip.first))

    def click(self, frame: int, answer: Mask | None) -> tuple[Click, ...]:
        """Click on a frame whose mask is the answer so far (None: there is none yet); gives the new clicks.

        A prompt replaces what was given on the frame before, so every call passes all clicks of the frame.
        """
        gt, given = self.clip.truth(frame), self.given.setdefault(frame, [])
        for _ in range(self.clicks):
            (x, y), label = center_click(gt, answer)
            given.append(Click(frame, x, y, label))
            points = np.array([(c.x, c.y) for c in given], np.float32)
            labels = np.array([c.label for c in given], np.int64)
            shown = self.tracker.prompt(frame - self.clip.first, self.clip.object_id, points=points, labels=labels)
            answer = np.asarray(shown)
        return tuple(given[-self.clicks :])

    def track(self, start: int) -> Iterator[tuple[int, Mask, tuple[float, float]]]:
        """Track from a frame on; yield each scored frame with its mask, its J and its F."""
        scored, absent = set(self.clip.frames), np.zeros(self.clip.video.size, bool)
        for at, masks in self.tracker.propagate(start=start - self.clip.first):
            frame = at + self.clip.first
            if frame in scored:
                gt, mask = self.clip.truth(frame), np.asarray(masks.get(self.clip.object_id, absent))
                (j,), (f,) = frame_scores(mask[None], gt[None])
                yield frame, mask, (float(j), float(f))


@dataclass(frozen=True)
class _Clip:
    """One object of a video from the first frame that shows it; ``frames`` are those that are scored."""

    video: AnnotatedVideo
    object_id: int
    frames: tuple[int, ...]

    @property
    def first(self) -> int:
        return self.frames[0]

    @property
    def length(self) -> int:
        return self.video.frame_count - self.first

    def truth(self, frame: int) -> Mask:
        masks = self.video.masks(frame, (self.object_id,))
        return masks.get(self.object_id, np.zeros(self.video.size, bool))

    def score(self, values: dict[int, tuple[float, float]], clicks: tuple[Click, ...]) -> ObjectScore:
        missing = [t for t in self.frames if t not in values]
        if missing:
            raise ValueError(
                f"the tracker gave no result for frame {missing[0]} of {self.video.name} ({len(missing)} are missing): "
                "propagate must yield every frame up to the last one"
            )
        j, f = zip(*(values[t] for t in self.frames), strict=True)
        return ObjectScore(self.object_id, self.frames, j, f, clicks)


def _clip(video: AnnotatedVideo, object_id: int) -> _Clip:
    seen = (t for t in video.annotated if object_id in video.masks(t, (object_id,)))
    first = next(seen, None)
    if first is None:
        raise ValueError(f"{video.name} never shows object {object_id}: it has {[*video.first_frames()] or 'none'}")
    known = tuple(t for t in video.annotated if t >= first and object_id not in video.unknown(t))
    return _Clip(video, object_id, known)
