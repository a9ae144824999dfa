from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from torch.nn import functional as F

from masklet.inference.engine import Engine
from masklet.inference.moved_features import MovedFeatures
from masklet.inference.options import SessionOptions
from masklet.inference.session import VideoSession
from masklet.model.sam2 import Sam2
from masklet.structures import FrameFeatures
from masklet.video.fitting import Fitting, fit_frame

SIZE = 256, 384


def textured(shift: int) -> np.ndarray:
    """A picture that has moved to the right."""
    rng = np.random.default_rng(0)
    wide = cv2.resize(rng.integers(0, 255, (12, 20, 3), dtype=np.uint8), (SIZE[1] + 64, SIZE[0]))
    return np.ascontiguousarray(wide[:, 32 - shift : 32 - shift + SIZE[1]])


def features_of(picture: np.ndarray, fit) -> FrameFeatures:
    """The picture itself at three strides, as if it were features."""
    x = fit.pixels(picture)
    return FrameFeatures(F.avg_pool2d(x, 16), F.avg_pool2d(x, 8), F.avg_pool2d(x, 4))


@pytest.mark.parametrize("fitting", ["stretch", "letterbox", "native"])
def test_features_move_with_the_picture(fitting: Fitting):
    fit = fit_frame(SIZE, 256, fitting)
    frames = [textured(0), textured(20)]
    before, now = (features_of(frame, fit) for frame in frames)
    moved = MovedFeatures(lambda t: frames[t])(before, 0, 1, fit)
    for name in ("embedding", "skip8", "skip4"):
        here, there, wanted = (getattr(one, name)[..., 2:-2, 2:-2] for one in (moved, before, now))
        assert (here - wanted).abs().mean() < 0.35 * (there - wanted).abs().mean()


def test_still_pictures_keep_their_features():
    fit = fit_frame(SIZE, 256)
    before = features_of(textured(0), fit)
    moved = MovedFeatures(lambda t: textured(0))(before, 0, 1, fit)
    assert torch.allclose(moved.skip4, before.skip4, atol=1e-3)


def test_every_third_frame_is_encoded(tiny: Sam2, frames: list[np.ndarray], monkeypatch: pytest.MonkeyPatch):
    seen: list[int] = []
    original = Engine.encoded

    def noted(engine: Engine, t: int, *, ahead: int | None = None) -> FrameFeatures:
        if t not in engine.features:
            seen.append(t)
        return original(engine, t, ahead=ahead)

    monkeypatch.setattr(Engine, "encoded", noted)
    with VideoSession(frames, tiny, options=SessionOptions(encode_every=3)) as session:
        session.prompt(1, 1, points=[(30, 30)])
        tracked = [result.frame for result in session.propagate(start=1)]
        assert tracked == list(range(1, len(frames)))
        assert seen == [1, *(t for t in range(2, len(frames)) if t % 3 == 0)] or seen == [
            1,
            0,
            *range(3, len(frames), 3),
        ]
        session.prompt(4, 1, points=[(30, 30)])
        assert seen[-1] == 4  # who is asked about a frame looks at it


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"encode_every": 0}, "encode_every must be at least 1"), ({"recent_maps": -1}, "recent_maps")],
)
def test_nonsense_is_refused(changes: dict, said: str):
    with pytest.raises(ValueError, match=said):
        SessionOptions(**changes)


def test_fewer_maps_are_read(tiny: Sam2, frames: list[np.ndarray]):
    with VideoSession(frames, tiny, options=SessionOptions(recent_maps=1)) as session:
        session.prompt(0, 1, points=[(30, 30)])
        list(session.propagate())
        (track,) = session.tracks.values()
        maps = track.read(len(frames) - 1, reverse=False).maps
    assert len(maps) == 2  # the prompted one, and the last


def test_pooling_needs_the_processor(tiny: Sam2, frames: list[np.ndarray]):
    model = Sam2(tiny.config).eval().bfloat16()
    with pytest.raises(ValueError, match="pool_memory needs a model on a CPU in float32"):
        VideoSession(frames, model, options=SessionOptions(pool_memory=True))
