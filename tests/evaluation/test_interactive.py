"""What the simulated user prompts, what it costs, and that one online pass gives what many runs give."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from masklet.data.records import AnnotatedVideo
from masklet.data.truths import ObjectMasks
from masklet.evaluation.interactive import iter_interactive, score_interactive
from masklet.evaluation.metrics import boundary_f, jaccard
from masklet.evaluation.vos import prompt_object
from masklet.inference.adapters import SessionTracker
from masklet.interaction.clicks import center_click
from tiny_model import SMALL_GRU, SMALL_HIERA, clip, disc, tiny_model

SIZE = (40, 60)


@dataclass(frozen=True)
class Pictures:
    images: tuple[np.ndarray, ...]
    where: str = "made"

    def count(self):
        return len(self.images)

    def size(self):
        return self.images[0].shape[:2]

    def image(self, index):
        return self.images[index]

    def file(self, index):
        return f"{index}"


def video_of(masks, images=None, unknown=None):
    """A video with masks by frame and object."""
    images = [np.full((*SIZE, 3), t, np.uint8) for t in range(max(masks) + 1)] if images is None else images
    drawn = {t: {o: (lambda mask=mask: mask) for o, mask in one.items()} for t, one in masks.items()}
    said = None if unknown is None else lambda: unknown
    return AnnotatedVideo("a", Pictures(tuple(images)), ObjectMasks(Path("made"), lambda: drawn, said))


def square(x, width=10):
    mask = np.zeros(SIZE, bool)
    mask[10:20, x : x + width] = True
    return mask


class Drifts:
    """Is right on a prompted frame and the next two, and then one pixel more off in each frame.

    The first click on a frame finds only half of the object, the second more than it, the third gives the truth.
    """

    def __init__(self, video, object_id=1, *, always=0):
        self.video, self.object_id, self.always = video, object_id, always
        self.opened, self.prompts, self.asked, self.passes = 0, {}, [], []

    def open(self, source):
        self.opened, self.prompts = len(source), {}
        self.offset = self.video.frame_count - self.opened
        assert (source[0] == self.video.image(self.offset)).all()

    def truth(self, frame):
        return self.video.masks(frame + self.offset).get(self.object_id, np.zeros(SIZE, bool))

    def prompt(self, frame, object_id, *, points=None, labels=None, box=None, mask=None):
        assert object_id == self.object_id
        self.prompts[frame] = len(points)
        self.asked.append((frame, points, labels))
        gt = self.truth(frame)
        x = int(np.flatnonzero(gt.any(0))[0]) if gt.any() else 0
        return [square(x, 5), square(x, 18), np.roll(gt, self.always, 1)][(len(points) - 1) % 3]

    def propagate(self, *, start=None, stop=None, reverse=False):
        self.passes.append(start)
        for t in range(start, self.opened):
            latest = max((p for p in self.prompts if p <= t), default=0)
            if t + self.offset in self.video.annotated:
                yield t, {self.object_id: np.roll(self.truth(t), max(self.always, t - latest - 2), 1)}
            else:
                yield t, {}


def off(*pixels):
    """J of a square ten pixels wide that is so many pixels off."""
    return pytest.approx([(10 - d) / (10 + d) for d in pixels])


@pytest.fixture
def ten():
    return video_of({t: {1: square(20)} for t in range(10)})


def test_offline_prompts_the_worst_frame_and_tracks_all_again(ten):
    tracker = Drifts(ten)
    score = score_interactive(tracker, ten, 1, "offline", frames=10)
    assert (score.name, score.object_id) == ("a", 1)
    assert [r.frame for r in score.rounds] == [0, 9, 8, 7, 6, 5, 4, 3, None, None]
    assert tracker.passes == [0] * 8
    assert all(r.score.frames == tuple(range(10)) for r in score.rounds)
    assert score.rounds[0].score.j_frames == off(0, 0, 0, 1, 2, 3, 4, 5, 6, 7)
    assert score.rounds[1].score.j_frames == off(0, 0, 0, 1, 2, 3, 4, 5, 6, 0)
    assert score.rounds[4].score.j_frames == off(0, 0, 0, 1, 2, 3, 0, 0, 0, 0)
    assert score.rounds[7].score.j == score.rounds[9].score.j == 1
    drifted = np.roll(square(20), 4, 1)
    assert score.rounds[0].score.f_frames[6] == boundary_f(drifted, square(20))
    assert [r.seconds for r in score.rounds] == pytest.approx([6.5 * n for n in (*range(1, 9), 8, 8)])


def test_online_stops_once_below_the_threshold_and_keeps_what_was_before(ten):
    tracker = Drifts(ten)
    score = score_interactive(tracker, ten, 1, "online")
    assert [r.frame for r in score.rounds] == [0, 4, 8, *[None] * 5]
    assert score.rounds[0].score.j_frames == off(0, 0, 0, 1, 2, 3, 4, 5, 6, 7)
    assert score.rounds[1].score.j_frames == off(0, 0, 0, 1, 0, 0, 0, 1, 2, 3)
    assert score.rounds[2].score.j_frames == off(0, 0, 0, 1, 0, 0, 0, 1, 0, 0)
    assert score.rounds[7].score.j_frames == score.rounds[2].score.j_frames
    assert score.rounds[7].score.clicks == ()
    assert [r.seconds for r in score.rounds] == pytest.approx([1 + 5.5 * n for n in (1, 2, 3, 3, 3, 3, 3, 3)])


def test_online_has_no_more_stops_than_it_may(ten):
    score = score_interactive(Drifts(ten), ten, 1, "online", frames=2)
    assert [r.frame for r in score.rounds] == [0, 4]
    assert score.rounds[1].score.j_frames == off(0, 0, 0, 1, 0, 0, 0, 1, 2, 3)
    (one,) = score_interactive(Drifts(ten), ten, 1, "online", frames=1).rounds
    assert one.score.j_frames == off(0, 0, 0, 1, 2, 3, 4, 5, 6, 7)


def test_another_threshold(ten):
    assert [r.frame for r in score_interactive(Drifts(ten), ten, 1, "online", 4, threshold=0.9).rounds] == [0, 3, 6, 9]


def test_clicks_lie_in_the_middle_of_the_object_and_then_of_the_error(ten):
    tracker = Drifts(ten)
    first, second, *_ = score_interactive(tracker, ten, 1, "offline").rounds
    assert [len(points) for _, points, _ in tracker.asked[:6]] == [1, 2, 3, 1, 2, 3]
    assert [(c.frame, c.x, c.y, c.label) for c in first.score.clicks] == [
        (0, *center_click(square(20))[0], 1),
        (0, *center_click(square(25, 5))[0], 1),
        (0, *center_click(square(30, 8))[0], 0),
    ]
    seven_off = center_click(square(20), square(27))  # not the middle of the object
    assert [(c.frame, c.x, c.y, c.label) for c in second.score.clicks[:1]] == [(9, *seven_off[0], seven_off[1])]
    assert second.score.clicks[0] != first.score.clicks[0]
    frame, points, labels = tracker.asked[5]
    assert frame == 9
    assert points.tolist() == [[c.x, c.y] for c in second.score.clicks]
    assert labels.tolist() == [c.label for c in second.score.clicks]


def test_a_frame_comes_again_only_when_no_other_has_an_error_and_its_clicks_add_up():
    video = video_of({t: {1: square(20)} for t in range(3)})
    tracker = Drifts(video, always=1)
    score = score_interactive(tracker, video, 1, "offline", frames=5)
    assert [r.frame for r in score.rounds] == [0, 1, 2, 0, 0]
    assert [len(points) for _, points, _ in tracker.asked[9:]] == [4, 5, 6, 7, 8, 9]
    assert [len(r.score.clicks) for r in score.rounds] == [3] * 5
    tracker.open(video.images)
    assert all(r.frame is None for r in score_interactive(Drifts(video), video, 1, "offline").rounds[1:])


def test_a_late_object_has_its_own_clip_and_time():
    shown = {t: ({1: square(20)} if t < 4 else {1: square(20), 2: square(30)}) for t in range(14)}
    video = video_of(shown)
    tracker = Drifts(video, 2)
    score = score_interactive(tracker, video, 2, "online")
    assert tracker.opened == 10
    assert [frame for frame, _, _ in tracker.asked[::3]] == [0, 4, 8]
    assert [r.frame for r in score.rounds[:4]] == [4, 8, 12, None]
    assert score.rounds[0].score.frames == tuple(range(4, 14))
    assert score.rounds[0].score.clicks[0].frame == 4
    assert score.rounds[0].seconds == pytest.approx(6.5)


def test_only_frames_that_speak_of_the_object_are_scored_and_prompted():
    masks = {t: {1: square(20)} for t in range(0, 10, 2)}
    video = video_of(masks, [np.zeros((*SIZE, 3), np.uint8)] * 11, {8: frozenset({1})})
    score = score_interactive(Drifts(video), video, 1, "offline", frames=4)
    assert score.rounds[0].score.frames == (0, 2, 4, 6)
    assert [r.frame for r in score.rounds] == [0, 6, 4, None]
    assert score.rounds[0].seconds == pytest.approx(1.1 + 5.5)


def test_where_the_object_is_gone_any_mask_is_wrong():
    masks = {t: {1: square(20)} if t < 3 else {} for t in range(4)}
    video = video_of(masks)
    score = score_interactive(Drifts(video), video, 1, "online")
    assert score.rounds[0].score.j == 1

    class Stays(Drifts):
        def propagate(self, **options):
            for t, _ in super().propagate(**options):
                yield t, {1: square(20) & (t not in self.prompts or t < 3)}

    one, two, three = score_interactive(Stays(video), video, 1, "online", frames=3).rounds
    assert one.score.j_frames == (1, 1, 1, 0)
    assert (two.frame, two.score.j, three.frame) == (3, 1, None)
    assert [c.label for c in two.score.clicks][:2] == [0, 0]


def test_every_object_is_scored_in_turn():
    video = video_of({t: {1: square(20), 3: square(30)} for t in range(4)})

    class Any(Drifts):
        def prompt(self, frame, object_id, **given):
            self.object_id = object_id
            return super().prompt(frame, object_id, **given)

    found = list(iter_interactive(Any(video), video, "offline", frames=2))
    assert [s.object_id for s in found] == [1, 3]
    assert found[1] == score_interactive(Drifts(video, 3), video, 3, "offline", frames=2)


def test_mistakes_are_named(ten, as_user):
    with pytest.raises(ValueError, match="'both'"):
        score_interactive(Drifts(ten), ten, 1, "both")
    with pytest.raises(ValueError, match="0 frames"):
        score_interactive(Drifts(ten), ten, 1, "online", frames=0)
    with pytest.raises(ValueError, match=r"never shows object 7: it has \[1\]"):
        score_interactive(Drifts(ten), ten, 7, "online")

    class Stops(Drifts):
        def propagate(self, **options):
            yield from list(super().propagate(**options))[:6]

    with pytest.raises(ValueError, match=r"frame 6 of a \(4 are missing"):
        score_interactive(Stops(ten), ten, 1, "offline")


def moving_disc(*annotated):
    return video_of({t: {1: disc(t)} for t in annotated}, clip(annotated[-1] + 2))


def alone(tracker, video, n, threshold):
    """Rounds of one online run that may prompt ``n`` frames: the readable reference."""
    tracker.open(video.images)
    at, answer, values, stops = 0, None, {}, []
    while True:
        stops.append(at)
        gt, points, labels = video.masks(at)[1], [], []
        for _ in range(3):
            xy, label = center_click(gt, answer)
            points.append(xy)
            labels.append(label)
            answer = tracker.prompt(at, 1, points=points, labels=labels)
        for t, masks in tracker.propagate(start=at):
            if t not in video.annotated:
                continue
            answer, gt = masks[1], video.masks(t)[1]
            values[t] = float(jaccard(answer, gt)), boundary_f(answer, gt)
            if t > at and values[t][0] < threshold and len(stops) < n:
                at = t
                break
        else:
            return stops, tuple(j for j, _ in values.values()), tuple(f for _, f in values.values())


@pytest.mark.parametrize(
    ("config", "most", "annotated"),
    [(SMALL_HIERA, 3, (0, 1, 2)), (SMALL_HIERA, 2, (0, 17, 18)), (SMALL_GRU, 2, (0, 17, 18))],
)
def test_one_online_pass_gives_what_a_run_for_each_number_gives(config, most, annotated):
    """Seventeen frames are more than the session remembers."""
    video, tracker, threshold = moving_disc(*annotated), SessionTracker(tiny_model(config)), 0.9
    score = score_interactive(tracker, video, 1, "online", frames=most, threshold=threshold)
    assert len({r.score.j_frames for r in score.rounds}) == most
    for n, one in enumerate(score.rounds, 1):
        stops, j, f = alone(tracker, video, n, threshold)
        assert [r.frame for r in score.rounds[:n]] == stops
        assert (one.score.j_frames, one.score.f_frames) == (j, f)


def test_our_session_is_corrected_offline():
    video, tracker = moving_disc(0, 2, 3), SessionTracker(tiny_model())
    score = score_interactive(tracker, video, 1, "offline", frames=3)
    assert {r.frame for r in score.rounds} == {0, 2, 3}
    assert len({r.score.j_frames for r in score.rounds}) == 3
    tracker.open(video.images)
    prompt_object(tracker, 0, 1, disc(0), "click", 3)
    tracked = dict(tracker.propagate(start=0))
    assert score.rounds[0].score.j_frames == tuple(float(jaccard(tracked[t][1], disc(t))) for t in (0, 2, 3))
