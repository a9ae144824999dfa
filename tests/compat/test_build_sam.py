from __future__ import annotations

from pathlib import Path

import pytest
import torch

from masklet.checkpoints.load import save
from masklet.compat.sam2 import build_sam
from masklet.compat.sam2.build_sam import build_sam2, build_sam2_video_predictor
from masklet.compat.sam2.settings import Settings
from masklet.model.config import CONFIGS
from masklet.model.sam2 import build

pytestmark = pytest.mark.usefixtures("as_user")


def test_builders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    config = CONFIGS["sam2.1_hiera_tiny"]
    torch.manual_seed(0)
    saved = build(config)
    weights = save(saved, tmp_path / "sam2.1_hiera_tiny.pt", "official")
    overrides = ["++model.image_size=128"]
    model = build_sam2("configs/sam2.1/sam2.1_hiera_t.yaml", weights, hydra_overrides_extra=overrides)
    assert (model.image_size, model.settings.stability_fallback, model.training) == (128, True, False)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), saved.parameters(), strict=True))
    if not torch.cuda.is_available():
        assert "there is no CUDA device: the model goes to the CPU" in caplog.text
    video = build_sam2_video_predictor("sam2.1_hiera_t.yaml", weights, "cpu", apply_postprocessing=False, prune=True)
    assert (video.settings, video.prune, video.image_size) == (Settings(), True, 1024)
    asked = []
    monkeypatch.setattr(build_sam, "load", lambda source, **how: asked.append((source, how)) or saved)
    build_sam.build_sam2_hf("facebook/sam2.1-hiera-base-plus", device="cpu")
    build_sam.build_sam2_video_predictor_hf("facebook/sam2-hiera-large", device="cpu")
    assert [(source, how["model"]) for source, how in asked] == [
        ("facebook/sam2.1-hiera-base-plus", "sam2.1_hiera_base_plus"),
        ("facebook/sam2-hiera-large", "sam2_hiera_large"),
    ]
