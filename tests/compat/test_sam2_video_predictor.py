from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from masklet.compat.sam2.sam2_video_predictor import SAM2VideoPredictor
from masklet.compat.sam2.settings import VIDEO_POSTPROCESSING, settings_of
from masklet.inference.options import SessionOptions
from masklet.inference.session import VideoSession
from masklet.model.sam2 import Sam2
from tiny_model import DISC, SQUARE, disc

pytestmark = pytest.mark.usefixtures("as_user")


@pytest.fixture
def video(frames: list[np.ndarray], tmp_path: Path) -> Path:
    (tmp_path / "video").mkdir()
    for t, frame in enumerate(frames):
        cv2.imwrite(str(tmp_path / "video" / f"{t:05d}.png"), frame[..., ::-1])
    return tmp_path / "video"


@pytest.fixture
def predictor(tiny: Sam2) -> SAM2VideoPredictor:
    return SAM2VideoPredictor(tiny, settings_of(VIDEO_POSTPROCESSING))


def test_the_readme_of_the_video_predictor(predictor: SAM2VideoPredictor, video: Path):
    with torch.inference_mode():
        state = predictor.init_state(str(video))
        frame, ids, logits = predictor.add_new_points_or_box(state, frame_idx=0, obj_id=0, points=[DISC], labels=[1])
        assert (frame, ids, tuple(logits.shape)) == (0, [0], (1, 1, 48, 72))
        predictor.add_new_points_or_box(state, 0, "square", box=[46, 24, 62, 40])
        shown = list(predictor.propagate_in_video(state))
    assert [t for t, _, _ in shown] == list(range(10))
    assert shown[3][1] == [0, "square"]
    assert torch.equal(shown[0][2][:1], logits)


def test_it_is_our_official_session(predictor: SAM2VideoPredictor, tiny: Sam2, video: Path):
    state = predictor.init_state(video)
    session = VideoSession(video, tiny, options=SessionOptions.official(fill_holes=8 * 256, prune=False))
    predictor.add_new_points_or_box(state, 2, 7, [DISC], [1])
    session.prompt(2, 1, points=[DISC])
    predictor.add_new_points_or_box(state, 2, 7, [DISC, SQUARE], [1, 0])
    session.prompt(2, 1, points=[DISC, SQUARE], labels=[1, 0], clear=True)
    predictor.add_new_mask(state, 2, 9, torch.from_numpy(disc(2)))
    session.prompt(2, 2, mask=disc(2))
    for theirs, ours in zip(predictor.propagate_in_video(state), session.propagate(), strict=True):
        assert theirs[0] == ours.frame
        assert np.array_equal(theirs[2][:, 0].numpy(), np.stack([one.logits for one in ours.values()]))


def test_ranges_and_reverse(predictor: SAM2VideoPredictor, video: Path):
    state = predictor.init_state(video)
    with pytest.raises(RuntimeError, match="for any object"):
        list(predictor.propagate_in_video(state))
    predictor.add_new_points(state, 4, 1, np.array([DISC]), np.array([1]))
    assert [t for t, _, _ in predictor.propagate_in_video(state, max_frame_num_to_track=2)] == [4, 5, 6]
    assert [t for t, _, _ in predictor.propagate_in_video(state, reverse=True)] == [4, 3, 2, 1, 0]
    assert [t for t, _, _ in predictor.propagate_in_video(state, 3, 1, True)] == [3, 2]
    assert not list(predictor.propagate_in_video(state, 0, reverse=True))


def test_objects_come_and_go(predictor: SAM2VideoPredictor, video: Path):
    state = predictor.init_state(video)
    predictor.add_new_points_or_box(state, 0, 5, [DISC], [1])
    _, ids, logits = predictor.add_new_points_or_box(state, 3, 6, [SQUARE], [1])
    assert ids == [5, 6]
    assert float(logits[0].max()) == float(logits[0].min()) == -1024
    list(predictor.propagate_in_video(state))
    left, updated = predictor.remove_object(state, 6)
    assert left == [5]
    assert [t for t, _ in updated] == [3]
    assert predictor.remove_object(state, 6) == ([5], [])
    with pytest.raises(RuntimeError, match=r"Cannot remove object id 6: known are \[5\]"):
        predictor.remove_object(state, 6, strict=True)
    assert predictor.clear_all_prompts_in_frame(state, 0, 5)[1] == [5]
    with pytest.raises(RuntimeError, match="for object id 5"):
        list(predictor.propagate_in_video(state))
    predictor.reset_state(state)
    assert state["obj_ids"] == []


def test_a_cleared_frame_stays_as_ordinary_memory(predictor: SAM2VideoPredictor, video: Path):
    state = predictor.init_state(video)
    predictor.add_new_points_or_box(state, 0, 5, [DISC], [1])
    predictor.add_new_points_or_box(state, 4, 5, [DISC], [1])
    list(predictor.propagate_in_video(state))
    session, outputs = state.session, lambda: state["output_dict_per_obj"][0]
    entry = session.tracks[1].bank.prompted[4]
    _, _, shown = predictor.clear_all_prompts_in_frame(state, 4, 5)
    assert (list(outputs()["cond_frame_outputs"]), 4 in outputs()["non_cond_frame_outputs"]) == ([0], True)
    assert session.tracks[1].bank.recent[4] is entry
    assert 4 not in state["frames_tracked_per_obj"][0]
    assert 4 not in state["point_inputs_per_obj"][0]
    assert np.array_equal(shown[0, 0].numpy(), session.frame_result(4)[1].logits)  # still shown
    predictor.add_new_points_or_box(state, 7, 5, [DISC], [1])  # a correction, which is not encoded yet
    predictor.clear_all_prompts_in_frame(state, 7, 5)
    assert not state["temp_output_dict_per_obj"][0]["non_cond_frame_outputs"]
    assert 7 in state["frames_tracked_per_obj"][0]
    assert [t for t, _, _ in predictor.propagate_in_video(state)] == list(range(10))


def test_the_state_can_be_looked_at(predictor: SAM2VideoPredictor, video: Path):
    state = predictor.init_state(video, offload_state_to_cpu=True)
    assert (state["num_frames"], state["video_height"], state["video_width"]) == (10, 48, 72)
    assert state["images"][3].shape == (3, 64, 64)
    predictor.add_new_points_or_box(state, 0, 5, [DISC], [1])
    predictor.add_new_mask(state, 1, 6, disc(1))
    assert list(state["temp_output_dict_per_obj"][0]["cond_frame_outputs"]) == [0]
    assert state["point_inputs_per_obj"][0][0]["point_coords"].tolist() == [[list(DISC)]]
    assert state["mask_inputs_per_obj"][1][1].shape == (1, 1, 48, 72)
    list(predictor.propagate_in_video(state))
    outputs = state["output_dict_per_obj"][0]
    assert list(outputs["cond_frame_outputs"]) == [0]
    assert sorted(outputs["non_cond_frame_outputs"]) == list(range(1, 10))
    assert outputs["non_cond_frame_outputs"][4]["maskmem_features"].dtype == torch.bfloat16
    assert (state["obj_id_to_idx"], state["obj_idx_to_id"]) == ({5: 0, 6: 1}, {0: 5, 1: 6})
    assert state["frames_tracked_per_obj"][0][4] == {"reverse": False}
    with pytest.raises(TypeError):
        state["obj_ids"] = []  # pyright: ignore[reportIndexIssue]


def test_bad_input(predictor: SAM2VideoPredictor, video: Path):
    state = predictor.init_state(video)
    with pytest.raises(ValueError, match="must be provided together"):
        predictor.add_new_points_or_box(state, 0, 1, points=[DISC])
    with pytest.raises(ValueError, match="at least one of points or box"):
        predictor.add_new_points_or_box(state, 0, 1)
    with pytest.raises(ValueError, match="clear_old_points=True"):
        predictor.add_new_points_or_box(state, 0, 1, box=[1, 1, 5, 5], clear_old_points=False)
    with pytest.raises(IndexError, match="frame 99"):
        predictor.add_new_points_or_box(state, 99, 1, [DISC], [1])
    assert state["obj_ids"] == []
