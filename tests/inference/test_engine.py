"""Frames of any aspect in inputs of any shape: what a session shows does not depend on where the frame lies."""

from __future__ import annotations

import threading
from copy import deepcopy
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from masklet.inference.options import SessionOptions
from masklet.inference.saving import options_of
from masklet.inference.session import VideoSession
from masklet.model.sam2 import Sam2
from masklet.structures import FrameFeatures
from masklet.video.fitting import Fit, Fitting
from masklet.video.frames import FrameSource
from tiny_model import DISC, SMALL_NANO, SQUARE, clip, disc, tiny_model

SIZE = (48, 72)
FITS: dict[Fitting, Fit] = {
    "stretch": Fit(SIZE, (64, 64), (64, 64)),
    "letterbox": Fit(SIZE, (64, 64), (44, 64)),
    "native": Fit(SIZE, (64, 96), (64, 96)),
    (32, 128): Fit(SIZE, (32, 128), (32, 128)),
}

FAST_WAYS = ("reader", "_mask_decoder", "_memory_encoder")


@pytest.fixture(scope="module", params=["hiera", "nano"])
def model(request: pytest.FixtureRequest, tiny: Sam2) -> Sam2:
    return tiny if request.param == "hiera" else tiny_model(SMALL_NANO)


def prompted(model: Sam2, fit: Fitting, frames: list[np.ndarray], **changes) -> VideoSession:
    session = VideoSession(frames, model, options=SessionOptions(fit=fit, **changes))
    session.prompt(0, 1, mask=disc(0))
    session.prompt(0, 2, points=[SQUARE])
    return session


def logits(results) -> dict[tuple[int, int], bytes]:
    return {(r.frame, i): one.logits.tobytes() for r in results for i, one in r.items()}


@pytest.mark.parametrize("fit", FITS)
def test_a_given_mask_is_shown_where_it_was_given(model: Sam2, frames: list[np.ndarray], fit: Fitting):
    session = prompted(model, fit, frames[:3])
    assert session._engine.fit == FITS[fit]
    one = session.frame_result(0)[1]
    assert one.low_logits is not None
    assert tuple(one.low_logits.shape) == FITS[fit].low_content
    overlap = (one.mask & disc(0)).sum() / (one.mask | disc(0)).sum()
    assert overlap > 0.85
    for result in session.propagate():
        assert all(each.mask.shape == each.logits.shape == SIZE for each in result.values())
        assert np.isfinite(result[2].logits).all()


@pytest.mark.parametrize("fit", FITS)
def test_live_is_offline_and_batched_is_looped(model: Sam2, frames: list[np.ndarray], fit: Fitting):
    whole = logits(prompted(model, fit, frames[:4]).propagate())
    live = VideoSession(None, model, options=SessionOptions(fit=fit))
    shown = [live.step(frames[0])]
    live.prompt(0, 1, mask=disc(0))
    live.prompt(0, 2, points=[SQUARE])
    shown = [live.frame_result(0), *(live.step(frame) for frame in frames[1:4])]
    assert logits(shown) == whole
    looped = prompted(model, fit, frames[:4], object_batch=1).propagate()
    for t, one in enumerate(looped):
        for i, each in one.items():
            got = np.frombuffer(whole[t, i], np.float32).reshape(SIZE)
            assert np.abs(each.logits - got).max() < 1e-3


@pytest.mark.parametrize("fit", FITS)
def test_a_saved_session_keeps_its_fit(tiny: Sam2, frames: list[np.ndarray], tmp_path: Path, fit: Fitting):
    session = prompted(tiny, fit, frames)
    list(session.propagate(stop=4))
    session.save(tmp_path / "session")
    other = VideoSession.load(tmp_path / "session", frames, tiny)
    assert other.options == session.options
    assert logits(other.propagate(start=5)) == logits(session.propagate(start=5))


def test_a_dropped_memory_is_made_again_on_the_same_grid(tiny: Sam2, frames: list[np.ndarray]):
    session = prompted(tiny, "native", frames)
    list(session.propagate())
    shown = session.prompt(1, 2, points=[DISC], labels=[0])  # its neighbours' memory is gone
    assert shown.mask.shape == SIZE
    assert np.isfinite(shown.logits).all()


def test_a_square_frame_is_the_same_under_every_fit(tiny: Sam2):
    frames = clip(3, 64, 64)
    found = []
    for fit in ("stretch", "letterbox", "native", (64, 64)):
        session = VideoSession(frames, tiny, options=SessionOptions(fit=fit))
        session.prompt(0, points=[(19, 25)])
        found.append(logits(session.propagate()))
    assert found[0] == found[1] == found[2] == found[3]


@pytest.mark.usefixtures("as_user")
def test_the_fast_ways_of_a_session_change_no_mask(model: Sam2, frames: list[np.ndarray]):
    session, plain = (prompted(model, "native", frames[:6]) for _ in range(2))
    for way in FAST_WAYS:
        assert getattr(session._engine, way) is not None
        setattr(plain._engine, way, None)
    fast, slow = logits(session.propagate()), logits(plain.propagate())
    assert fast.keys() == slow.keys()
    for key, shown in fast.items():
        assert np.allclose(np.frombuffer(shown, np.float32), np.frombuffer(slow[key], np.float32), atol=2e-3)
    clicked = [each.prompt(4, 2, points=[DISC], labels=[0]).logits for each in (session, plain)]
    assert np.allclose(*clicked, atol=2e-3)


def test_half_precision_takes_the_readable_ways(tiny: Sam2, frames: list[np.ndarray]):
    with VideoSession(frames[:2], deepcopy(tiny).bfloat16()) as session:
        assert all(getattr(session._engine, way) is None for way in FAST_WAYS)


@pytest.mark.usefixtures("as_user")
def test_keys_are_no_state(model: Sam2, frames: list[np.ndarray]):
    session = prompted(model, "stretch", frames[:6])
    reader = session._engine.reader
    assert reader is not None
    shown = logits(session.propagate(stop=3))
    assert reader.nbytes > 0
    reader.clear()
    later = logits(session.propagate(start=4))
    whole = logits(prompted(model, "stretch", frames[:6]).propagate())
    assert {**shown, **later} == whole
    session.reset()
    assert reader.nbytes == 0


@pytest.mark.usefixtures("as_user")
def test_no_such_fit():
    with pytest.raises(ValueError, match="fit must be"):
        SessionOptions(fit="cover")  # pyright: ignore[reportArgumentType]


def test_a_pair_comes_back_from_a_file_as_a_pair():
    assert options_of({"options": {"fit": [32, 64]}}) == SessionOptions(fit=(32, 64))


def test_the_next_frame_of_files_is_brought_to_the_input_on_another_thread(
    tiny: Sam2, frames: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for t, frame in enumerate(frames[:4]):
        cv2.imwrite(str(tmp_path / f"{t}.png"), frame[..., ::-1])
    pixels, made = Fit.pixels, []

    def noted(fit: Fit, frame: np.ndarray, *given):
        made.append(threading.current_thread() is threading.main_thread())
        return pixels(fit, frame, *given)

    monkeypatch.setattr(Fit, "pixels", noted)
    whole = logits(prompted(tiny, "letterbox", frames[:4]).propagate())
    made.clear()
    session = VideoSession(tmp_path, tiny, options=SessionOptions(fit="letterbox"))
    session.prompt(0, 1, mask=disc(0))
    session.prompt(0, 2, points=[SQUARE])
    engine, source = session._engine, session._engine.source
    encoder = engine.encoder
    assert isinstance(source, FrameSource)

    def patient(image: torch.Tensor) -> FrameFeatures:
        if source._ahead is not None:
            source._ahead.result(5)
        return encoder(image)

    monkeypatch.setattr(engine, "encoder", patient)
    assert logits(session.propagate()) == whole
    assert made == [True, True, False, False]
    engine.drop_features()
    list(session.propagate(start=1))  # nothing old is used where the order is another
    assert logits(session.propagate()) == whole
