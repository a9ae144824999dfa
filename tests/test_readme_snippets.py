"""What users of the official package write, with ``sam2.`` changed to ``masklet.compat.sam2.`` in imports only."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
import torch

from masklet.checkpoints.load import load, save
from masklet.compat.sam2 import build_sam
from masklet.model.config import CONFIGS
from masklet.model.sam2 import build
from tiny_model import clip

pytestmark = [
    pytest.mark.usefixtures("as_user"),
    pytest.mark.filterwarnings("ignore:.*CUDA is not available.*:UserWarning"),
]

IMAGE = """
import torch
from sam2.build_sam import build_sam2
from sam2.sam2_image_predictor import SAM2ImagePredictor

predictor = SAM2ImagePredictor(build_sam2(model_cfg, checkpoint))
with torch.inference_mode(), torch.autocast("cuda", dtype=torch.bfloat16):
    predictor.set_image(image)
    masks, scores, logits = predictor.predict(point_coords=points, point_labels=labels)
"""
VIDEO = """
import torch
from sam2.build_sam import build_sam2_video_predictor

predictor = build_sam2_video_predictor(model_cfg, checkpoint)
with torch.inference_mode(), torch.autocast("cuda", dtype=torch.bfloat16):
    state = predictor.init_state(video)
    frame_idx, object_ids, masks = predictor.add_new_points_or_box(
        state, frame_idx=0, obj_id=1, points=points, labels=labels
    )
    segments = {}
    for frame_idx, object_ids, masks in predictor.propagate_in_video(state):
        segments[frame_idx] = {i: (masks[k] > 0.0).cpu().numpy() for k, i in enumerate(object_ids)}
"""
HUB = """
import torch
from sam2.sam2_image_predictor import SAM2ImagePredictor
from sam2.sam2_video_predictor import SAM2VideoPredictor

image_predictor = SAM2ImagePredictor.from_pretrained("facebook/sam2.1-hiera-tiny")
predictor = SAM2VideoPredictor.from_pretrained("facebook/sam2.1-hiera-tiny")
with torch.inference_mode(), torch.autocast("cuda", dtype=torch.bfloat16):
    state = predictor.init_state(video_path=video)
"""
AUTOMATIC = """
from sam2.automatic_mask_generator import SAM2AutomaticMaskGenerator
from sam2.build_sam import build_sam2

mask_generator = SAM2AutomaticMaskGenerator(build_sam2(model_cfg, checkpoint, device="cpu", apply_postprocessing=False))
masks = mask_generator.generate(image)
"""


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Random weights in the official layout, a folder of frames, and prompts."""
    folder = tmp_path_factory.mktemp("given")
    torch.manual_seed(0)
    weights = save(build(CONFIGS["sam2.1_hiera_tiny"]), folder / "sam2.1_hiera_tiny.pt", "official")
    (folder / "video").mkdir()
    for t, frame in enumerate(clip(2)):
        cv2.imwrite(str(folder / "video" / f"{t:05d}.jpg"), frame[..., ::-1])
    return {
        "checkpoint": str(weights),
        "model_cfg": "configs/sam2.1/sam2.1_hiera_t.yaml",
        "image": clip(1)[0],
        "video": str(folder / "video"),
        "points": np.array([[22, 19]], np.float32),
        "labels": np.array([1], np.int32),
    }


@pytest.fixture(autouse=True)
def small_input(given: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The same weights with an input of 128 pixels, which is quick; and those of the hub are at hand."""
    here = {"facebook/sam2.1-hiera-tiny": given["checkpoint"]}
    monkeypatch.setattr(
        build_sam, "load", lambda source, **how: load(here.get(source, source), **how | {"image_size": 128})
    )


def run(snippet: str, given: dict[str, Any]) -> dict[str, Any]:
    names = dict(given)
    exec(snippet.replace("from sam2.", "from masklet.compat.sam2."), names)
    return names


def test_image_prediction(given: dict[str, Any]):
    made = run(IMAGE, given)
    assert made["masks"].shape == (3, 48, 72)
    assert made["scores"].shape == (3,)
    assert made["logits"].shape == (3, 32, 32)


def test_video_prediction(given: dict[str, Any]):
    made = run(VIDEO, given)
    assert list(made["segments"]) == [0, 1]
    assert made["segments"][1][1].shape == (1, 48, 72)


@pytest.mark.parametrize("snippet", [IMAGE, VIDEO])
def test_autocast_that_is_there(given: dict[str, Any], snippet: str):
    made = run(snippet.replace('autocast("cuda"', 'autocast("cpu"'), given)
    assert made["masks"].shape[-2:] == (48, 72)


def test_weights_of_the_hub(given: dict[str, Any]):
    made = run(HUB, given)
    assert made["state"]["num_frames"] == 2
    made["image_predictor"].set_image(given["image"])
    assert made["image_predictor"].get_image_embedding().shape == (1, 256, 8, 8)


@pytest.mark.parametrize("autocast", [False, True])
def test_automatic_masks(given: dict[str, Any], autocast: bool):
    few = "False), points_per_side=4, pred_iou_thresh=0.0, stability_score_thresh=0.0)"
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        made = run(AUTOMATIC.replace("False))", few), given)
    assert made["masks"]
    assert made["masks"][0]["segmentation"].shape == (48, 72)
