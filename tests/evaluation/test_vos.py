"""Which frames are scored, how means are taken, and what a tracker is asked."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from masklet.baselines.copy_first import CopyFirst
from masklet.data.open import open_dataset
from masklet.evaluation.metrics import boundary_f
from masklet.evaluation.rules import RULES
from masklet.evaluation.scores import Click
from masklet.evaluation.vos import evaluate_vos, prompt_object, score_sequence, scored_frames, track_sequence
from masklet.masks.label_png import write_label_png


@pytest.fixture
def make(tmp_path):
    """Write a video from label maps (None: not annotated) and open it."""

    def write(name, maps):
        for part in ("frames", "masks"):
            (tmp_path / name / part).mkdir(parents=True)
        for i, labels in enumerate(maps):
            image = np.zeros((40, 60, 3), np.uint8)
            (tmp_path / name / "frames" / f"{i:05d}.jpg").write_bytes(cv2.imencode(".jpg", image)[1].tobytes())
            if labels is not None:
                write_label_png(tmp_path / name / "masks" / f"{i:05d}.png", labels)
        return open_dataset(tmp_path / name)[0]

    return write


def square(x, object_id=1, labels=None):
    labels = np.zeros((40, 60), np.uint8) if labels is None else labels.copy()
    labels[10:20, x : x + 10] = object_id
    return labels


class Oracle:
    """Knows the answer for a given video, remembers what it was asked."""

    def __init__(self, video, drop=(), answers=()):
        self.video, self.drop, self.answers = video, drop, list(answers)
        self.opened, self.prompts = None, []

    def open(self, source):
        self.opened = source

    def prompt(self, frame, object_id, *, points=None, labels=None, box=None, mask=None):
        self.prompts.append((frame, object_id, points, labels, box, mask))
        return self.answers.pop(0) if self.answers else self.video.masks(frame)[object_id]

    def propagate(self, *, start=None, stop=None, reverse=False):
        for frame in range(start, self.video.frame_count):
            if frame not in self.drop:
                yield frame, self.video.masks(frame) if frame in self.video.annotated else {}


def test_copy_first_scores_are_worked_out_by_hand(make):
    video = make("a", [square(0), square(5), None, square(20), square(40)])
    score = score_sequence(CopyFirst(), video)
    (one,) = score.objects
    assert one.frames == (1, 3)  # not the prompted, the unannotated, the last
    assert one.j_frames == pytest.approx((50 / 150, 0))
    assert one.f_frames[0] == pytest.approx(boundary_f(square(0) == 1, square(5) == 1))
    assert score.j == pytest.approx(1 / 6)


def test_the_format_of_a_data_set_does_not_matter(make, tmp_path):
    video = make("a", [square(0), square(5), square(10), square(20), square(40)])
    score = score_sequence(CopyFirst(), video)
    for part, folder in (("frames", "JPEGImages"), ("masks", "Annotations")):
        (tmp_path / "train" / folder).mkdir(parents=True)
        (tmp_path / "a" / part).rename(tmp_path / "train" / folder / "a")
    dataset = open_dataset(tmp_path)
    assert dataset.format == "mose"
    assert evaluate_vos(CopyFirst(), dataset).sequences == (score,)


def test_means_over_sequences_and_over_objects_differ(make):
    two = [square(0, 1, square(30, 2)), square(0, 1, square(30, 2)), square(0, 1, square(30, 2))]
    moved = [square(0), square(20), square(20)]
    seen = []
    score = evaluate_vos(CopyFirst(), [make("a", two), make("b", moved)], on_sequence=seen.append)
    assert [s.name for s in seen] == ["a", "b"]
    assert (score.j, score.object_j) == pytest.approx((1 / 2, 2 / 3))
    assert (score.f, score.object_f) == pytest.approx((1 / 2, 2 / 3))


def test_an_object_is_scored_after_its_own_first_frame(make):
    late = [square(0), square(0), square(0, 1, square(30, 2)), square(0, 1, square(30, 2)), square(0, 1, square(30, 2))]
    video = make("a", late)
    oracle = Oracle(video)
    score = score_sequence(oracle, video)
    assert [(o.object_id, o.frames) for o in score.objects] == [(1, (1, 2, 3)), (2, (3,))]
    assert [(p[0], p[1]) for p in oracle.prompts] == [(0, 1), (2, 2)]
    assert [(image == video.image(i)).all() for i, image in enumerate(oracle.opened)] == [True] * 5
    assert score.j == score.f == 1


def test_an_object_without_a_frame_is_left_out(make):
    late = [square(0), square(0), square(0), square(0, 1, square(30, 2))]
    assert [o.object_id for o in score_sequence(CopyFirst(), make("a", late)).objects] == [1]
    with pytest.raises(ValueError, match="no object of b can be scored"):
        score_sequence(CopyFirst(), make("b", late[2:]))
    with pytest.raises(ValueError, match=r"c has no mask of any object in .*masks"):
        score_sequence(CopyFirst(), make("c", [square(0, 0)] * 4))


def test_frames_that_say_nothing_of_an_object_do_not_count_for_it(make):
    video = make("a", [square(0)] * 5)
    video.truth.unknown = lambda frame: frozenset({1} if frame == 2 else ())
    assert scored_frames(video, video.first_frames()) == {1: (1, 3)}


def test_an_object_that_is_gone_has_an_empty_mask(make):
    video = make("a", [square(0), square(0), square(0, 0), square(0)])
    assert score_sequence(CopyFirst(), video).objects[0].j_frames == (1, 0)
    assert score_sequence(Oracle(video), video).j == 1


def test_missing_frames_are_an_error_and_missing_objects_are_empty(make):
    video = make("a", [square(0)] * 4)
    with pytest.raises(ValueError, match="frame 2 of a"):
        score_sequence(Oracle(video, drop=(2,)), video)

    class Forgetful(Oracle):
        def propagate(self, **options):
            for frame, _ in super().propagate(**options):
                yield frame, {}

    assert score_sequence(Forgetful(video), video).j == 0


def test_every_propagated_frame_is_shown(make):
    video = make("a", [square(0), None, square(0), square(0)])
    frames = []
    score_sequence(CopyFirst(), video, on_frame=lambda s, frame, masks: frames.append((s.name, frame, list(masks))))
    assert frames == [("a", frame, [1]) for frame in range(4)]


def test_clicks_are_placed_on_the_error_and_add_up(make):
    video = make("a", [square(20)] * 3)
    gt = video.masks(0)[1]
    left, wide = gt.copy(), gt.copy()
    left[:, 25:] = False
    wide[:, 30:47] = wide[:, :1] = True
    oracle = Oracle(video, answers=[left, wide, gt])
    answer, given = prompt_object(oracle, 0, 1, gt, "click", 3)
    points, labels = oracle.prompts[2][2:4]
    assert [len(p[2]) for p in oracle.prompts] == [1, 2, 3]
    assert labels.tolist() == [1, 1, 0]
    assert gt[14, 24]
    assert points[0].tolist() == [24, 14]
    assert 25 <= points[1][0] < 30
    assert points[2][0] >= 30
    assert (answer == gt).all()
    assert given == tuple(Click(0, *map(float, xy), int(label)) for xy, label in zip(points, labels, strict=True))


def test_the_clicks_of_an_object_are_kept_with_its_score(make):
    late = square(0, 1, square(30, 2))
    video = make("a", [square(0), late, late, late])
    score = score_sequence(Oracle(video), video, "click", clicks=2)
    assert [[(c.frame, c.label) for c in o.clicks] for o in score.objects] == [[(0, 1), (0, 0)], [(1, 1), (1, 0)]]
    assert all(o.clicks == () for o in score_sequence(Oracle(video), video, "box").objects)


class Runs(Oracle):
    """Keeps what was prompted in each run, and answers with the truth of that alone, widened to the right."""

    def __init__(self, video, **options):
        super().__init__(video, **options)
        self.runs = []

    def open(self, source):
        super().open(source)
        self.runs.append({})

    def prompt(self, frame, object_id, **prompt):
        self.runs[-1][object_id] = frame
        return super().prompt(frame, object_id, **prompt)

    def propagate(self, **options):
        run = dict(self.runs[-1])
        for frame, masks in super().propagate(**options):
            yield frame, {o: mask | np.roll(mask, 10, axis=1) for o, mask in masks.items() if o in run}


def three_objects():
    """Object 3 appears with 1, object 2 one frame later and beside 1."""
    both = square(40, 3, square(0, 1))
    return [both, *[square(10, 2, both)] * 3]


def test_objects_that_appear_later_have_runs_of_their_own_where_told(make):
    video = make("a", three_objects())
    shown = []
    tracker = Runs(video)
    score = score_sequence(tracker, video, later="separately", on_frame=lambda *of: shown.append(of[1:]))
    assert tracker.runs == [{1: 0, 3: 0}, {2: 1}]
    assert [(frame, sorted(masks)) for frame, masks in shown] == [(0, [1, 3]), *((t, [1, 2, 3]) for t in (1, 2, 3))]
    assert [np.count_nonzero(shown[1][1][o]) for o in (1, 2, 3)] == [200, 100, 200]  # the lowest id wins
    assert [o.frames for o in score.objects] == [(1, 2), (2,), (1, 2)]
    assert [o.j for o in score.objects] == [0.5, 0, 0.5]  # all of object 2 but what was added is below object 1

    together = Runs(video)
    assert [o.j for o in score_sequence(together, video).objects] == [0.5, 0.5, 0.5]
    assert together.runs == [{1: 0, 2: 1, 3: 0}]


def test_a_frame_that_one_of_the_runs_leaves_out_is_an_error(make):
    video = make("a", three_objects())

    class Lazy(Runs):
        def propagate(self, *, start, **options):
            self.drop = (3,) if start == 1 else ()
            return super().propagate(start=start, **options)

    with pytest.raises(ValueError, match="no result for frame 3 of a in one of 2 runs"):
        score_sequence(Lazy(video), video, rule=RULES["youtube_vos"], later="separately")


def test_the_rule_says_which_frames_of_a_run_count(make):
    video = make("a", [square(0, 0), square(0), square(0), square(0)])
    assert score_sequence(CopyFirst(), video, rule=RULES["lvos_v1"]).objects[0].frames == (1, 2, 3)
    score = evaluate_vos(CopyFirst(), [video], rule=RULES["sa_v"])  # frames before the prompt are there, and empty
    assert score.sequences[0].objects[0].frames == (1, 2)


def test_objects_are_tracked_without_any_score(make):
    video = make("a", [square(0), None, None])
    tracked = list(track_sequence(CopyFirst(), video, video.first_frames()))
    assert [(frame, [*masks]) for frame, masks in tracked] == [(t, [1]) for t in range(3)]


def test_box_and_mask_prompts(make):
    video = make("a", [square(20)] * 3)
    oracle = Oracle(video)
    score_sequence(oracle, video, "box")
    score_sequence(oracle, video, "mask")
    assert oracle.prompts[0][4].tolist() == [20, 10, 29, 19]
    assert (oracle.prompts[1][5] == video.masks(0)[1]).all()
    with pytest.raises(ValueError, match="0 clicks"):
        score_sequence(oracle, video, "click", clicks=0)
