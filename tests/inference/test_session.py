from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from masklet.checkpoints.load import save
from masklet.inference.options import SessionOptions
from masklet.inference.results import FrameResult
from masklet.inference.session import VideoSession
from masklet.model.memory_bank import PROMPTED_SLOT
from masklet.model.recurrent_memory import RecurrentMemory
from masklet.model.sam2 import Sam2
from masklet.video.reader import FrameUnreadable
from session_scripts import plain
from tiny_model import DISC, SMALL_GRU, SQUARE, clip, disc, tiny_model

BOX = (46, 24, 62, 40)
pytestmark = pytest.mark.usefixtures("as_user")  # shapes are checked elsewhere; to check them here trebles the time
ALONE = SessionOptions(object_batch=1)


def bits(results: Iterator[FrameResult] | list[FrameResult]) -> dict[tuple[int, int], np.ndarray]:
    """Logits at the video's size by frame and object."""
    return {(r.frame, i): one.logits for r in results for i, one in r.items()}


def same(one: dict[Any, np.ndarray], other: dict[Any, np.ndarray]) -> bool:
    """Whether all logits agree to the last bit."""
    return one.keys() == other.keys() and all(np.array_equal(one[k], other[k]) for k in one)


@pytest.fixture
def session(tiny: Sam2, frames: list[np.ndarray]) -> VideoSession:
    return VideoSession(frames, tiny)


# Prompts


@pytest.mark.parametrize(
    "prompt",
    [
        {"points": [DISC]},
        {"points": [DISC, (5, 5)], "labels": [1, 0]},
        {"box": BOX},
        {"box": BOX, "points": [SQUARE], "labels": [1]},
        {"mask": disc(0)},
    ],
    ids=["click", "clicks", "box", "box and click", "mask"],
)
def test_a_prompt_is_answered_at_once_and_stays(session: VideoSession, prompt: dict[str, Any]):
    shown = session.prompt(3, 7, **prompt)
    assert (shown.frame, shown.object_id, shown.prompted) == (3, 7, True)
    assert shown.mask.shape == session.size == (48, 72)
    assert shown.area > 0
    assert session.objects == [7]
    assert np.array_equal(session.frame_result(3)[7].logits, shown.logits)
    (tracked,) = session.propagate(start=3, stop=3)
    assert np.array_equal(tracked[7].logits, shown.logits)
    assert tracked[7].prompted


def test_prompts_differ(session: VideoSession):
    """Else the tests above and below would say nothing."""
    masks = [
        session.prompt(0, i, **p).mask
        for i, p in enumerate([{"points": [DISC]}, {"points": [SQUARE]}, {"box": BOX}, {"mask": disc(0)}], start=1)
    ]
    for i in range(4):
        for j in range(i):
            assert np.count_nonzero(masks[i] != masks[j]) > 20


def test_a_given_mask_comes_back(session: VideoSession):
    shown = session.prompt(0, 1, mask=disc(0))
    union = np.count_nonzero(shown.mask | disc(0))
    assert np.count_nonzero(shown.mask & disc(0)) / union > 0.9
    assert shown.iou == 1
    assert shown.present


def test_a_click_adds_to_what_was_given_and_refines_the_answer(tiny: Sam2, frames: list[np.ndarray]):
    one = VideoSession(frames, tiny)
    one.prompt(0, 1, points=[DISC])
    added = one.prompt(0, 1, points=[(60, 40)], labels=[0])
    assert one.tracks[1].prompts[0].points.tolist() == [list(map(float, DISC)), [60, 40]]
    assert one.tracks[1].prompts[0].labels.tolist() == [1, 0]
    at_once = VideoSession(frames, tiny).prompt(0, 1, points=[DISC, (60, 40)], labels=[1, 0])
    assert not np.array_equal(added.logits, at_once.logits)  # the first answer is refined


def test_clear_replaces_what_was_given(session: VideoSession):
    session.prompt(0, 1, points=[DISC])
    session.prompt(0, 1, points=[SQUARE], clear=True)
    assert session.tracks[1].prompts[0].points.tolist() == [list(map(float, SQUARE))]
    session.prompt(0, 1, mask=disc(0))
    session.prompt(0, 1, points=[SQUARE])  # clicks correct a mask, they do not go beside it
    assert session.tracks[1].prompts[0].mask is None
    assert len(session.tracks[1].prompts[0].points) == 1


def test_clear_also_forgets_the_answer(tiny: Sam2, frames: list[np.ndarray]):
    one, fresh = VideoSession(frames, tiny), VideoSession(frames, tiny)
    one.prompt(0, 1, points=[DISC])
    again = one.prompt(0, 1, points=[SQUARE], clear=True)
    assert np.array_equal(again.logits, fresh.prompt(0, 1, points=[SQUARE]).logits)


def test_all_clicks_each_time_are_the_new_one_added(tiny: Sam2, frames: list[np.ndarray]):
    one, other = VideoSession(frames, tiny), VideoSession(frames, tiny)
    for session in (one, other):
        session.prompt(0, 1, box=BOX, points=[SQUARE])
    added = one.prompt(0, 1, points=[(5, 5)], labels=[0])
    whole = other.prompt(0, 1, box=BOX, points=[SQUARE, (5, 5)], labels=[1, 0], clear=True)
    assert np.array_equal(added.logits, whole.logits)
    turned = other.prompt(0, 1, box=BOX, points=[SQUARE, (5, 5)], labels=[0, 0], clear=True)
    fresh = VideoSession(frames, tiny).prompt(0, 1, box=BOX, points=[SQUARE, (5, 5)], labels=[0, 0])
    assert np.array_equal(turned.logits, fresh.logits)


def test_taking_prompts_back(session: VideoSession):
    session.prompt(0, 1, points=[DISC])
    session.prompt(4, 1, points=[DISC])
    assert len(list(session.propagate())) == 10
    session.clear(4, 1)
    assert sorted(session.tracks[1].prompts) == [0]
    assert 4 not in session.tracks[1].bank.prompted
    session.clear(0, 1)
    track = session.tracks[1]
    assert not track.started
    assert [len(kept) for kept in (track.notes, track.answers, track.pending, track.bank.recent)] == [0, 0, 0, 0]
    assert session.objects == [1]
    with pytest.raises(ValueError, match="nothing to track"):
        session.propagate()


def test_what_was_taken_back_leaves_no_trace(tiny: Sam2, frames: list[np.ndarray]):
    session, fresh = VideoSession(frames, tiny), VideoSession(frames, tiny)
    session.prompt(0, 1, points=[SQUARE])
    list(session.propagate())
    session.clear(0, 1)
    session.prompt(0, 1, points=[DISC])
    fresh.prompt(0, 1, points=[DISC])
    assert same(bits(session.propagate()), bits(fresh.propagate()))


def test_many_clicks_cost_one_memory(session: VideoSession, monkeypatch: pytest.MonkeyPatch):
    encoded = []
    original = Sam2.encode_memory
    monkeypatch.setattr(Sam2, "encode_memory", lambda *a, **k: encoded.append(1) or original(*a, **k))
    for _ in range(4):
        session.prompt(0, 1, points=[DISC])
    assert not encoded
    list(session.propagate(stop=0))
    assert len(encoded) == 1


# Propagation


def test_forward_backward_both_and_ranges(session: VideoSession):
    session.prompt(4, 1, points=[DISC])

    def walk(**options: Any) -> list[int]:
        return [r.frame for r in session.propagate(**options)]

    assert walk() == [4, 5, 6, 7, 8, 9]
    assert walk(direction="backward") == [4, 3, 2, 1, 0]
    assert walk(direction="both") == [4, 5, 6, 7, 8, 9, 3, 2, 1, 0]
    assert walk(start=2, stop=5) == [2, 3, 4, 5]
    assert walk(start=6, stop=3, direction="backward") == [6, 5, 4, 3]
    assert walk(stop=6, direction="both") == [4, 5, 6, 3, 2, 1, 0]
    assert walk(start=9) == [9]
    assert walk(start=0, direction="backward") == [0]


def test_both_is_forward_then_backward(tiny: Sam2, frames: list[np.ndarray]):
    one, two = VideoSession(frames, tiny), VideoSession(frames, tiny)
    for session in (one, two):
        session.prompt(4, 1, points=[DISC])
    apart = bits(two.propagate(start=4)) | bits(two.propagate(start=3, direction="backward"))
    assert same(bits(one.propagate(direction="both")), apart)


def test_stopping_early_and_going_on(tiny: Sam2, frames: list[np.ndarray]):
    stopped, whole = VideoSession(frames, tiny), VideoSession(frames, tiny)
    for session in (stopped, whole):
        session.prompt(0, 1, points=[DISC])
    results = []
    for result in stopped.propagate():
        results.append(result)
        if result.frame == 4:
            break
    results += stopped.propagate(start=5)
    assert same(bits(results), bits(whole.propagate()))


def test_nothing_is_read_ahead(tiny: Sam2, frames: list[np.ndarray]):
    taken = []
    session = VideoSession((taken.append(t) or f for t, f in enumerate(frames)), tiny)
    session.prompt(0, 1, points=[DISC])
    for result in session.propagate():
        assert max(taken) == result.frame


def test_iterators_arrays_and_folders_give_the_same(tiny: Sam2, frames: list[np.ndarray], tmp_path):
    import cv2

    for t, frame in enumerate(frames):
        cv2.imwrite(str(tmp_path / f"{t}.png"), frame[..., ::-1])
    runs = []
    for source in (frames, np.stack(frames), iter(frames), tmp_path):
        with VideoSession(source, tiny) as session:
            session.prompt(0, 1, points=[DISC])
            runs.append(bits(session.propagate()))
    assert len(runs[0]) == 10
    assert all(same(runs[0], run) for run in runs[1:])


def test_a_correction_is_kept_and_carried_on(tiny: Sam2, frames: list[np.ndarray]):
    session = VideoSession(frames, tiny)
    session.prompt(0, 1, points=[DISC])
    before = bits(session.propagate())
    seen = session.prompt(5, 1, points=[SQUARE], labels=[0])
    assert not np.array_equal(seen.logits, before[5, 1])
    after = bits(session.propagate())
    assert np.array_equal(after[5, 1], seen.logits)
    assert all(np.array_equal(after[t, 1], before[t, 1]) is False for t in range(6, 10))
    assert sorted(session.tracks[1].bank.prompted) == [0, 5]


def test_a_correction_reads_memory_and_the_earlier_answer(session: VideoSession, tiny: Sam2, frames: list[np.ndarray]):
    session.prompt(0, 1, points=[DISC])
    list(session.propagate())
    corrected = session.prompt(5, 1, points=[SQUARE])
    fresh = VideoSession(frames, tiny).prompt(5, 1, points=[SQUARE])
    assert not np.array_equal(corrected.logits, fresh.logits)


def test_the_official_session_computes_a_corrected_frame_anew(tiny: Sam2, frames: list[np.ndarray]):
    session = VideoSession(frames, tiny, options=SessionOptions.official())
    session.prompt(0, 1, points=[DISC])
    list(session.propagate())
    seen = session.prompt(5, 1, points=[SQUARE], labels=[0])
    after = bits(session.propagate())
    assert not np.array_equal(after[5, 1], seen.logits)
    assert sorted(session.tracks[1].bank.prompted) == [0]


def test_clip_length_codes_are_an_option(tiny: Sam2, frames: list[np.ndarray]):
    def tracked(length: int, codes: bool) -> np.ndarray:
        session = VideoSession(frames[:length], tiny, options=SessionOptions(clip_length_codes=codes))
        session.prompt(0, 1, points=[DISC])
        return bits(session.propagate())[4, 1]

    assert np.array_equal(tracked(10, False), tracked(5, False))
    assert not np.array_equal(tracked(10, True), tracked(5, True))


def test_options_change_masks(tiny: Sam2, frames: list[np.ndarray]):
    def tracked(**options: Any) -> dict[tuple[int, int], np.ndarray]:
        session = VideoSession(frames, tiny, options=SessionOptions(**options))
        session.prompt(0, 1, points=[DISC, (5, 5)], labels=[1, 0])
        session.prompt(2, 1, points=[DISC])
        session.prompt(4, 1, points=[DISC])
        return bits(session.propagate())

    base = tracked()
    for options in (
        {"resample": "official_video"},
        {"stability_fallback": False},
        {"binarize_prompted": False},
        {"fill_holes": 100_000},
        {"max_prompted": 1},
    ):
        assert not same(base, tracked(**options)), options


def test_holes_are_filled_in_what_is_shown_but_not_in_memory(tiny: Sam2, frames: list[np.ndarray]):
    runs = []
    for area in (0, 8 * 256):  # 8 pixels of 16 x 16 logits
        session = VideoSession(frames, tiny, options=SessionOptions(fill_holes=area))
        session.prompt(0, 1, mask=disc(0))
        runs.append((bits(session.propagate()), session.tracks[1].bank.recent[9].features))
    (raw, raw_map), (filled, filled_map) = runs
    assert not same(raw, filled)
    assert raw_map is not None
    assert filled_map is not None
    assert torch.equal(raw_map, filled_map)


# Several objects


def test_an_object_added_later_leaves_the_others_as_they_were(tiny: Sam2, frames: list[np.ndarray]):
    session = VideoSession(frames, tiny, options=ALONE)
    session.prompt(0, 1, points=[DISC])
    before = bits(session.propagate())
    session.prompt(3, 2, box=BOX)
    after = bits(session.propagate())
    assert {i for _, i in after} == {1, 2}
    assert same({k: v for k, v in after.items() if k[1] == 1}, before)
    session.remove(2)
    assert same(bits(session.propagate()), before)


def test_objects_together_are_as_objects_alone(tiny: Sam2, frames: list[np.ndarray]):
    runs = []
    for batch in (1, 2, 8):
        session = VideoSession(frames, tiny, options=SessionOptions(object_batch=batch))
        for i, point in enumerate([DISC, SQUARE, (5, 40)], start=1):
            session.prompt(0, i, points=[point])
        runs.append(bits(session.propagate()))
    assert len(runs[0]) == 30
    for run in runs[1:]:
        assert max(np.abs(run[k] - runs[0][k]).max() for k in runs[0]) < 1e-3
    assert np.abs(runs[0][9, 1] - runs[0][9, 2]).max() > 1e-2


def test_each_object_alone_does_not_know_of_the_others(tiny: Sam2, frames: list[np.ndarray]):
    together = VideoSession(frames, tiny, options=ALONE)
    together.prompt(0, 1, points=[DISC])
    together.prompt(2, 2, points=[SQUARE])
    alone = VideoSession(frames, tiny, options=ALONE)
    alone.prompt(2, 2, points=[SQUARE])
    run = bits(together.propagate(start=0))
    assert same({k: v for k, v in run.items() if k[1] == 2}, bits(alone.propagate(start=0)))


def test_remove_and_reset(session: VideoSession):
    session.prompt(0, 1, points=[DISC])
    session.prompt(0, 2, points=[SQUARE])
    session.remove(1)
    assert session.objects == [2]
    assert [list(r) for r in session.propagate(stop=1)] == [[2], [2]]
    session.reset()
    assert session.objects == []
    with pytest.raises(ValueError, match="nothing to track: prompt an object"):
        session.propagate()
    session.prompt(0, 1, points=[DISC])
    assert len(list(session.propagate())) == 10


def test_an_object_removed_while_tracking_goes_on(session: VideoSession):
    session.prompt(0, 1, points=[DISC])
    session.prompt(0, 2, points=[SQUARE])
    seen = {}
    for result in session.propagate():
        seen[result.frame] = list(result)
        if result.frame == 3:
            session.remove(1)
    assert seen == {**{t: [1, 2] for t in range(4)}, **{t: [2] for t in range(4, 10)}}


@pytest.mark.parametrize("end", [VideoSession.reset, VideoSession.close, lambda s: s.remove(1)])
@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_tracking_ends_when_nothing_is_left_to_track(session: VideoSession, end: Any, direction: Any):
    session.prompt(5, 1, points=[DISC])
    seen = []
    for result in session.propagate(direction=direction):
        seen.append(result.frame)
        if len(seen) == 2:
            end(session)
    assert len(seen) == 2


def test_a_mask_too_small_to_see_is_refused(tiny: Sam2):
    large = [np.zeros((960, 1440, 3), np.uint8)] * 2
    mask = np.zeros((960, 1440), bool)
    mask[100:103, 200:203] = True
    with VideoSession(large, tiny) as session:
        with pytest.raises(ValueError, match=r"object 4 covers 9 of 1382400 pixels.*input of 64: load it with"):
            session.prompt(0, 4, mask=mask)
        assert session.objects == []


def test_a_model_may_be_named_by_a_path(tiny: Sam2, frames: list[np.ndarray], tmp_path, as_user: None):
    save(tiny, tmp_path / "tiny.safetensors")
    expected = VideoSession(frames, tiny).prompt(0, 1, points=[DISC]).logits
    for path in (tmp_path / "tiny.safetensors", str(tmp_path / "tiny.safetensors")):
        assert np.array_equal(VideoSession(frames, path).prompt(0, 1, points=[DISC]).logits, expected)
    with pytest.raises(TypeError, match="be a name or path for it, got int"):
        VideoSession(frames, 5)  # pyright: ignore[reportArgumentType]


def test_objects_may_share_no_pixel(tiny: Sam2, frames: list[np.ndarray]):
    free, apart = (VideoSession(frames, tiny, options=SessionOptions(non_overlap=n)) for n in (False, True))
    for session in (free, apart):
        session.prompt(0, 1, points=[DISC])
        session.prompt(0, 2, points=[SQUARE])
    for one, two in zip(free.propagate(), apart.propagate(), strict=True):
        assert (one[1].mask & one[2].mask).any()
        assert not (two[1].mask & two[2].mask).any()
        assert np.array_equal(one[1].mask | one[2].mask, two[1].mask | two[2].mask)
        assert np.array_equal(one.label_map(), two.label_map())


# Live


def test_live_frames_give_what_a_file_gives(tiny: Sam2, frames: list[np.ndarray]):
    live, file = VideoSession(None, tiny), VideoSession(frames, tiny)
    assert dict(live.step(frames[0])) == {}
    got, expected = [], []
    for session in (live, file):
        session.prompt(0, 1, points=[DISC])
    got += [live.step(f) for f in frames[1:5]]
    expected += file.propagate(start=0, stop=4)
    for session in (live, file):  # an object that is added midway, and a correction
        session.prompt(4, 2, box=BOX)
        session.prompt(3, 1, points=[SQUARE], labels=[0])
    got += [live.step(f) for f in frames[5:]]
    expected += file.propagate(start=5)
    assert [sorted(r) for r in got[-5:]] == [[1, 2]] * 5
    assert same(bits(got), bits(expected[1:]))
    for i, track in live.tracks.items():  # what is kept, where live video still has it
        for kept, whole in ((track.notes, file.tracks[i].notes), (track.shown, file.tracks[i].shown)):
            assert min(kept) > 1
            assert plain(dict(kept)) == plain({t: whole[t] for t in kept})
    assert live.consistency(9) == file.consistency(9)


def test_step_is_for_live_sessions(session: VideoSession, frames: list[np.ndarray]):
    with pytest.raises(ValueError, match=r"step\(\) is for live input: open the session without a source"):
        session.step(frames[0])


def test_a_live_frame_that_is_gone_cannot_be_prompted(tiny: Sam2):
    live = VideoSession(None, tiny)
    with pytest.raises(IndexError, match="its frames are none yet"):
        live.prompt(0, 1, points=[DISC])
    for frame in clip(12):
        live.step(frame)
    with pytest.raises(IndexError, match=r"live frame 0 cannot be read: kept are frames \[4, 5"):
        live.prompt(0, 1, points=[DISC])
    live.prompt(11, 1, points=[DISC])
    assert list(live.step(clip(1)[0])) == [1]


# Memory


LONG = 40


@pytest.fixture(scope="module")
def long_clip() -> list[np.ndarray]:
    return clip(LONG)


@pytest.mark.parametrize("direction", ["forward", "both"])
def test_dropping_memories_changes_no_bit(tiny: Sam2, long_clip: list[np.ndarray], direction: Any):
    runs = []
    for prune in (True, False):
        session = VideoSession(long_clip, tiny, options=SessionOptions(prune=prune))
        session.prompt(20 if direction == "both" else 1, 1, points=[DISC])
        session.prompt(30, 2, box=BOX)
        results = list(session.propagate(direction=direction))
        runs.append(bits(results))
        masks = {(r.frame, i): one.mask for r in results for i, one in r.items()}
        assert len(masks) > 60
    assert same(*runs)


@pytest.mark.parametrize("live", [False, True])
def test_what_is_kept_does_not_grow(tiny: Sam2, long_clip: list[np.ndarray], live: bool):
    session = VideoSession(None if live else long_clip, tiny)
    if live:
        session.step(long_clip[0])
    session.prompt(0, 1, points=[DISC])
    kept = []
    for result in map(session.step, long_clip[1:]) if live else session.propagate():
        track = session.tracks[1]
        maps = sum(e.features is not None for e in track.bank.recent.values())
        kept.append((maps, len(track.bank.recent), len(track.answers), len(session._engine.features)))
        assert not live or len(track.notes) <= 9
        assert list(track.bank.prompted) == [0]
        del result
    assert len(set(kept[-8:])) == 1
    maps, recent, answers, features = kept[-1]
    assert maps <= 14
    assert recent <= 32
    assert answers <= 15
    assert features <= 2


@pytest.mark.parametrize("keep", [True, False])
def test_masks_outlive_logits(tiny: Sam2, long_clip: list[np.ndarray], keep: bool):
    session = VideoSession(long_clip, tiny, options=SessionOptions(keep_results=keep))
    session.prompt(0, 1, points=[DISC])
    shown = {r.frame: r[1] for r in session.propagate()}
    assert np.array_equal(session.frame_result(LONG - 1)[1].logits, shown[LONG - 1].logits)
    if not keep:
        assert not session.frame_result(9)
        assert list(session.frame_result(0)) == [1]
        return
    old = session.frame_result(9)
    assert (old[1].iou, old[1].presence, old[1].prompted) == (shown[9].iou, shown[9].presence, False)
    assert np.array_equal(old[1].mask, shown[9].mask)
    assert old[1].rle() == shown[9].rle()
    assert np.array_equal(old.label_map(), shown[9].mask.astype(np.int32))
    with pytest.raises(RuntimeError, match="logits of frame 9 are no longer kept, only its mask"):
        _ = old[1].logits


def test_results_are_made_when_asked_for(session: VideoSession):
    session.prompt(0, 1, points=[DISC])
    for result in session.propagate():
        one = result[1]
        assert "logits" not in vars(one)
        assert "mask" not in vars(one)
        assert one.mask is one.mask
        assert "mask" in vars(one)


def test_memories_come_back_after_a_jump(tiny: Sam2, long_clip: list[np.ndarray]):
    session = VideoSession(long_clip, tiny)
    session.prompt(0, 1, points=[DISC])
    list(session.propagate())
    track = session.tracks[1]
    assert 18 not in track.bank.recent
    seen = session.prompt(20, 1, points=[DISC])
    maps = {slot for slot, _ in track.bank.read(20).maps}
    assert maps == {PROMPTED_SLOT, 0, 1, 2, 3, 4, 5}
    again = {r.frame: r[1].mask for r in session.propagate(start=20)}
    assert np.array_equal(again[20], seen.mask)
    assert sorted(again) == list(range(20, LONG))
    assert len(list(session.propagate(start=10, direction="backward"))) == 11


def test_a_restored_memory_is_close_to_the_one_that_was_dropped(tiny: Sam2, long_clip: list[np.ndarray]):
    kept, dropped = (VideoSession(long_clip, tiny, options=SessionOptions(prune=p)) for p in (False, True))
    runs = []
    for session in (kept, dropped):
        session.prompt(0, 1, mask=disc(0))
        list(session.propagate())
        runs.append(bits(session.propagate(start=25, stop=25))[25, 1])
    assert np.mean((runs[0] > 0) == (runs[1] > 0)) > 0.8


def test_a_map_that_comes_back_keeps_its_pointer(tiny: Sam2, long_clip: list[np.ndarray]):
    session = VideoSession(long_clip, tiny)
    session.prompt(0, 1, points=[DISC])
    list(session.propagate(stop=30))
    bank = session.tracks[1].bank
    assert bank.recent[20].features is None
    pointer = bank.recent[20].pointer
    session.prompt(24, 1, points=[DISC])
    assert bank.recent[20].features is not None
    assert torch.equal(bank.recent[20].pointer, pointer)


def test_the_frame_before_can_be_corrected_in_a_stream(tiny: Sam2, long_clip: list[np.ndarray]):
    session = VideoSession(iter(long_clip), tiny)
    session.prompt(0, 1, points=[DISC])
    list(session.propagate(stop=29))
    seen = session.prompt(28, 1, points=[SQUARE], labels=[0])
    assert np.array_equal(session.frame_result(28)[1].logits, seen.logits)
    assert [r.frame for r in session.propagate(start=30)] == list(range(30, LONG))


def test_a_stream_does_not_go_back(tiny: Sam2, long_clip: list[np.ndarray]):
    session = VideoSession(iter(long_clip), tiny)
    session.prompt(0, 1, points=[DISC])
    list(session.propagate(stop=19))
    with pytest.raises(ValueError, match="Frame 3 of the iterator of frames has passed"):
        session.prompt(3, 1, points=[DISC])
    assert [r.frame for r in session.propagate(start=20, stop=22)] == [20, 21, 22]


# Recurrent memory


@pytest.fixture(scope="module")
def recurrent() -> Sam2:
    """Without pointers, so that what is remembered of earlier frames is in the maps alone."""
    return tiny_model(SMALL_GRU, seed=2)


@pytest.fixture
def states(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each new map was made from an earlier one."""
    given: list[bool] = []
    forward = RecurrentMemory.forward

    def noted(gru: RecurrentMemory, memory: torch.Tensor, state: torch.Tensor | None = None) -> torch.Tensor:
        given.append(state is not None)
        return forward(gru, memory, state)

    monkeypatch.setattr(RecurrentMemory, "forward", noted)
    return given


def test_recurrent_objects_together_are_as_objects_alone(recurrent: Sam2, frames: list[np.ndarray]):
    runs = []
    for batch in (1, 8):
        session = VideoSession(frames, recurrent, options=SessionOptions(object_batch=batch))
        for i, (t, point) in enumerate([(0, DISC), (0, SQUARE), (0, (5, 40)), (4, SQUARE)], start=1):
            session.prompt(t, i, points=[point])
        runs.append(bits(session.propagate(start=2)) | bits(session.propagate(start=3, direction="backward")))
    assert runs[0].keys() == runs[1].keys()
    assert max(np.abs(runs[1][k] - runs[0][k]).max() for k in runs[0]) < 1e-3
    assert np.abs(runs[0][9, 1] - runs[0][9, 2]).max() > 1e-2


@pytest.mark.parametrize("memories", [1, 7])
def test_each_map_is_made_from_the_one_before(
    recurrent: Sam2, frames: list[np.ndarray], states: list[bool], memories: int
):
    model = tiny_model(replace(SMALL_GRU, memories=memories), seed=2) if memories != 7 else recurrent
    session = VideoSession(frames, model)
    session.prompt(3, 1, points=[DISC])
    session.prompt(6, 1, points=[DISC])
    list(session.propagate(start=3, direction="both"))
    assert states == [False, False] + [True] * (2 + 3 + 3)  # two prompts; 4, 5; 7, 8, 9; 2, 1, 0
    states.clear()
    session.prompt(8, 1, points=[SQUARE], labels=[0])  # a correction, in the light of memory
    list(session.propagate(start=8, stop=9))
    assert states[-2:] == [memories == 7, True]  # with a memory of no recent frame, the one before is gone


def test_the_map_before_matters(recurrent: Sam2, frames: list[np.ndarray], monkeypatch: pytest.MonkeyPatch):
    def tracked() -> dict[tuple[int, int], np.ndarray]:
        session = VideoSession(frames, recurrent)
        session.prompt(0, 1, points=[DISC])
        return bits(session.propagate())

    usual, forward = tracked(), RecurrentMemory.forward
    monkeypatch.setattr(RecurrentMemory, "forward", lambda gru, memory, state=None: forward(gru, memory))
    forgetful = tracked()
    assert np.array_equal(usual[1, 1], forgetful[1, 1])  # only prompted memory is read there
    assert all(np.abs(usual[t, 1] - forgetful[t, 1]).max() > 1e-3 for t in range(2, 10))


@pytest.mark.parametrize("direction", ["forward", "both"])
def test_dropping_recurrent_memories_changes_no_bit(recurrent: Sam2, long_clip: list[np.ndarray], direction: Any):
    runs = []
    for prune in (True, False):
        session = VideoSession(long_clip, recurrent, options=SessionOptions(prune=prune))
        session.prompt(20, 1, points=[DISC])
        session.prompt(30, 2, box=BOX)
        runs.append(bits(session.propagate(direction=direction)))
    assert same(*runs)


def test_recurrent_live_frames_give_what_a_file_gives(recurrent: Sam2, frames: list[np.ndarray]):
    live, file = VideoSession(None, recurrent), VideoSession(frames, recurrent)
    live.step(frames[0])
    for session in (live, file):
        session.prompt(0, 1, points=[DISC])
    got, expected = [live.step(f) for f in frames[1:]], list(file.propagate(start=1))
    assert same(bits(got), bits(expected))


# Mistakes: each says what was got, and the session goes on as if nothing had been asked


MISTAKES: list[tuple[Any, type[Exception], str]] = [
    (lambda s: s.prompt(10, 1, points=[DISC]), IndexError, "frame 10 is outside the video .*: its frames are 0..9"),
    (lambda s: s.prompt(-1, 1, points=[DISC]), IndexError, "frame -1 is outside the video .*: its frames are 0..9"),
    (lambda s: s.prompt(1.5, 1, points=[DISC]), TypeError, "a frame is an integer index, got 1.5"),
    (lambda s: s.prompt(True, 1, points=[DISC]), TypeError, "a frame is an integer index, got True"),
    (lambda s: s.prompt(0, 0, points=[DISC]), ValueError, "object_id must be an integer of at least 1, got 0"),
    (lambda s: s.prompt(0, "a", points=[DISC]), ValueError, "object_id must be an integer of at least 1, got 'a'"),
    (lambda s: s.prompt(0, 9), ValueError, "nothing to prompt with"),
    (lambda s: s.prompt(0, 9, points=[(72, 3)]), ValueError, r"point \(72, 3\) is outside the frame of 72 x 48"),
    (lambda s: s.prompt(0, 9, points=[(np.nan, 3)]), ValueError, "points must be finite numbers"),
    (lambda s: s.prompt(0, 9, points=[DISC], labels=[2]), ValueError, r"labels must be 1 .* got \[2.0\]"),
    (lambda s: s.prompt(0, 9, box=(9, 9, 3, 3)), ValueError, "corners swapped"),
    (lambda s: s.prompt(0, 9, box=(9, 9, 9, 9)), ValueError, "has no area"),
    (lambda s: s.prompt(0, 9, mask=np.ones((4, 4))), ValueError, r"\(48, 72\), got shape \(4, 4\)"),
    (lambda s: s.prompt(0, 9, mask=np.zeros((48, 72))), ValueError, "mask is empty"),
    (lambda s: s.prompt(0, 9, mask=np.ones((48, 72)), box=BOX), ValueError, "neither clicks nor a box"),
    (lambda s: s.remove(9), KeyError, "unknown object 9: known are .1."),
    (lambda s: s.clear(0, 9), KeyError, "unknown object 9: known are .1."),
    (lambda s: s.clear(5, 1), KeyError, "object 1 has no prompt on frame 5: it has on .0."),
    (lambda s: s.frame_result(10), IndexError, "frame 10 is outside the video"),
    (lambda s: s.propagate(start=10), IndexError, "frame 10 is outside the video"),
    (lambda s: s.propagate(stop=99), IndexError, "frame 99 is outside the video"),
    (
        lambda s: s.propagate(start=5, stop=2),
        ValueError,
        r"stop \(2\) lies before start \(5\) in the direction 'forward'",
    ),
    (lambda s: s.propagate(start=2, stop=5, direction="backward"), ValueError, "lies before start"),
    (lambda s: s.propagate(direction="up"), ValueError, "must be 'forward', 'backward' or 'both', got 'up'"),
    (lambda s: s.step(clip(1)[0]), ValueError, "is for live input"),
]


@pytest.mark.parametrize(("call", "kind", "message"), MISTAKES)
def test_a_mistake_is_explained_and_changes_nothing(
    session: VideoSession, tiny: Sam2, frames: list[np.ndarray], as_user: None, call: Any, kind: type, message: str
):
    fresh = VideoSession(frames, tiny)
    for one in (session, fresh):
        one.prompt(0, 1, points=[DISC])
    done = bits(session.propagate(stop=3))
    with pytest.raises(kind, match=message):
        call(session)
    assert session.objects == [1]
    done |= bits(session.propagate(start=4))
    assert same(done, bits(fresh.propagate()))


def test_a_live_frame_of_another_size_is_refused_and_tracking_goes_on(tiny: Sam2, frames: list[np.ndarray]):
    live, fresh = VideoSession(None, tiny), VideoSession(None, tiny)
    for one in (live, fresh):
        one.step(frames[0])
        one.prompt(0, 1, points=[DISC])
    with pytest.raises(ValueError, match=r"frame 1 is \(9, 9\), expected \(48, 72\)"):
        live.step(np.zeros((9, 9, 3), np.uint8))
    with pytest.raises(ValueError, match="got the path"):
        live.step("no picture")
    assert same(bits([live.step(frames[1])]), bits([fresh.step(frames[1])]))


def test_a_damaged_frame_stops_the_run_and_the_rest_can_be_tracked(tiny: Sam2, frames: list[np.ndarray], tmp_path):
    import cv2

    for t, frame in enumerate(frames):
        cv2.imwrite(str(tmp_path / f"{t}.png"), frame[..., ::-1])
    broken = tmp_path / "4.png"
    broken.write_bytes(broken.read_bytes()[:60])
    session = VideoSession(tmp_path, tiny)
    session.prompt(0, 1, points=[DISC])
    walk = session.propagate()
    assert [next(walk).frame for _ in range(4)] == [0, 1, 2, 3]
    with pytest.raises(FrameUnreadable, match=r"4\.png"):
        next(walk)
    assert [r.frame for r in session.propagate(start=5)] == [5, 6, 7, 8, 9]


@pytest.mark.parametrize(
    ("source", "kind", "message"),
    [
        ([], ValueError, "empty|no frame|at least"),
        (iter([]), ValueError, "gave no frame at all: expected at least one image"),
        (np.zeros((3, 3)), ValueError, r"\(3, 3\)"),
        (3.5, ValueError, "Cannot open a float as a video"),
        ("/there/is/no/such.mp4", FileNotFoundError, "There is no file or folder /there/is/no/such.mp4"),
    ],
)
def test_a_source_that_is_none(tiny: Sam2, as_user: None, source: Any, kind: type, message: str):
    with pytest.raises(kind, match=message):
        VideoSession(source, tiny)


def test_a_closed_session_says_so(session: VideoSession):
    session.close()
    with pytest.raises(ValueError, match="is closed: open it again"):
        session.prompt(0, 1, points=[DISC])


def test_numbers_of_numpy_are_frames_and_objects(session: VideoSession, as_user: None):
    session.prompt(np.int64(2), np.int32(1), points=[DISC])  # pyright: ignore[reportArgumentType]
    assert session.objects == [1]
    assert [r.frame for r in session.propagate(start=np.int64(2), stop=np.uint8(3))] == [2, 3]  # pyright: ignore


ACTIONS = st.one_of(
    st.tuples(st.just("prompt"), st.integers(-1, 10), st.integers(0, 3), st.integers(-5, 80), st.integers(-5, 50)),
    st.tuples(st.just("box"), st.integers(0, 9), st.integers(1, 3), st.integers(0, 71), st.integers(0, 47)),
    st.tuples(
        st.just("propagate"), st.integers(0, 9), st.sampled_from(["forward", "backward", "both"]), st.integers(1, 4)
    ),
    st.tuples(st.just("clear"), st.integers(0, 9), st.integers(1, 3)),
    st.tuples(st.just("remove"), st.integers(1, 3)),
    st.tuples(st.just("reset")),
)


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ACTIONS, max_size=8))
def test_any_order_of_calls_works_or_is_explained(tiny: Sam2, frames: list[np.ndarray], actions: list[tuple]):
    session, explained = VideoSession(frames, tiny), []
    for name, *rest in actions:
        try:
            if name == "prompt":
                t, i, x, y = rest
                session.prompt(t, i, points=[(x, y)])
            elif name == "box":
                t, i, x, y = rest
                session.prompt(t, i, box=(0, 0, x, y))
            elif name == "propagate":
                start, direction, most = rest
                for k, result in enumerate(session.propagate(start=start, direction=direction)):
                    started = {i for i, track in session.tracks.items() if track.started}
                    assert set(result) == started
                    if k == most:
                        break
            else:
                getattr(session, name)(*rest)
        except (ValueError, LookupError) as error:
            explained.append(len(str(error)) > 20)
    assert all(explained)
    session.reset()
    session.prompt(0, 1, points=[DISC])
    fresh = VideoSession(frames, tiny)
    fresh.prompt(0, 1, points=[DISC])
    assert same(bits(session.propagate(stop=2)), bits(fresh.propagate(stop=2)))


def test_a_stream_takes_prompts_on_many_frames_before_it_is_tracked(tiny, frames):
    stream = VideoSession(iter(frames), tiny)
    listed = VideoSession(list(frames), tiny)
    for t in range(4):
        for session in (stream, listed):
            session.prompt(t, 1, points=[(20 + t, 20)])
    results = [[r[1].low_logits for r in session.propagate(start=3, stop=6)] for session in (stream, listed)]
    assert len(results[0]) == 4
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))
