from __future__ import annotations

import cv2
import numpy as np
import pytest

from made_videos import read_back
from masklet.inference.options import SessionOptions
from masklet.inference.session import VideoSession
from masklet.interchange.convert import convert
from masklet.interchange.sessions import is_session_file, saved_masks, session_masks
from masklet.masks import rle


@pytest.fixture
def session(tiny, frames, tmp_path):
    """Object 1 from frame 1 on, object 7 from frame 3 on, in a folder of images."""
    folder = tmp_path / "clip"
    folder.mkdir()
    for t, frame in enumerate(frames):
        cv2.imwrite(str(folder / f"f{t}.png"), np.ascontiguousarray(frame[..., ::-1]))
    made = VideoSession(folder, tiny)
    made.prompt(1, 1, box=[10, 10, 40, 40])
    made.prompt(3, 7, points=[[50, 20]], labels=[1])
    for _ in made.propagate():
        pass
    yield made
    made.close()


def test_a_session_in_memory_and_saved_give_what_was_shown(session, tmp_path):
    live = session_masks(session)
    session.save(tmp_path / "walk.masklet")
    assert is_session_file(tmp_path / "walk.masklet")
    saved = saved_masks(tmp_path / "walk.masklet")
    assert (live.name, saved.name) == ("clip", "walk")
    assert (live.masks, live.unknown, live.size) == (saved.masks, saved.unknown, saved.size)
    assert saved.files == tuple(f"f{t}.png" for t in range(10))
    for frame in live.masks:
        shown = {n: one.mask for n, one in session.frame_result(frame).items() if one.area}
        assert live.masks[frame].keys() == shown.keys()
        for number, mask in shown.items():
            np.testing.assert_array_equal(rle.decode(live.masks[frame][number]), mask)


def test_a_saved_session_is_converted_with_its_pictures(session, tmp_path):
    session.save(tmp_path / "walk.masklet")
    from masklet.interchange.options import WriteOptions

    convert(tmp_path / "walk.masklet", tmp_path / "out", "youtube_vis", options=WriteOptions(pictures=True))
    (video,) = read_back(tmp_path / "out")
    assert {t: found for t, found in video.masks.items() if found} == {
        t: found for t, found in session_masks(session).masks.items() if found
    }
    assert video.frames.image(4).shape == (48, 72, 3)


def test_nothing_to_convert(tiny, frames, tmp_path):
    with VideoSession(frames, tiny) as session:
        with pytest.raises(ValueError, match="holds no masks"):
            session_masks(session)
        session.save(tmp_path / "empty.masklet")
    with pytest.raises(ValueError, match=r"empty\.masklet holds no masks"):
        saved_masks(tmp_path / "empty.masklet")
    with VideoSession(frames, tiny, options=SessionOptions(keep_results=False)) as session:
        session.prompt(1, 1, box=[10, 10, 40, 40])
        with pytest.raises(ValueError, match="keep_results"):
            session_masks(session)
    (tmp_path / "other.db").write_bytes(b"SQLite format 3\0")
    with pytest.raises(ValueError, match="no saved session"):
        saved_masks(tmp_path / "other.db")
