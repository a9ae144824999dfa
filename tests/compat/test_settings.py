from __future__ import annotations

import pytest

from masklet.compat.sam2.settings import VIDEO_POSTPROCESSING, Settings, model_name, settings_of
from masklet.inference.options import SessionOptions

pytestmark = pytest.mark.usefixtures("as_user")


def test_names_of_configurations():
    assert model_name("configs/sam2.1/sam2.1_hiera_b+.yaml") == "sam2.1_hiera_base_plus"
    assert model_name("sam2_hiera_t.yaml") == "sam2_hiera_tiny"
    assert model_name("configs/sam2.1/sam2.1_hiera_l") == "sam2.1_hiera_large"
    with pytest.raises(ValueError, match=r"no configuration 'sam3.yaml': expected one of configs/sam2/sam2_hiera_t.y"):
        model_name("sam3.yaml")


def test_overrides():
    assert settings_of([]) == Settings()
    assert settings_of(VIDEO_POSTPROCESSING) == Settings(
        stability_fallback=True, binarize_prompted=True, fill_hole_area=8
    )
    given = ["++model.image_size=512", "+model.non_overlap_masks=True", "model.max_cond_frames_in_attn=4"]
    assert settings_of(given) == Settings(image_size=512, non_overlap_masks=True, max_prompted=4)
    assert settings_of(["++model.max_cond_frames_in_attn=-1", "++model.compile_image_encoder=True"]) == Settings()
    assert settings_of(["++model.num_maskmem=7", "++model.non_overlap_masks_for_mem_enc=False"]) == Settings()
    for text, message in [
        ("++model.depth=3", "is not understood here: expected \\+\\+model.NAME=VALUE, NAME one of image_size"),
        ("~model.image_size", "is not understood here"),
        ("++scratch.resolution=512", "is not understood here"),
        ("image_size", "is not understood here"),
        ("++model.image_size=big", "has a value that is not understood here: expected a whole number"),
        ("++model.max_cond_frames_in_attn=all", "expected a whole number"),
        ("++model.non_overlap_masks=2", "has a value that is not understood here: expected true or false"),
        ("++model.num_maskmem=3", "has a value that is not understood here: only 7 is possible"),
        ("++model.memory_temporal_stride_for_eval=2", "only 1 is possible"),
        ("++model.sam_mask_decoder_extra_args.dynamic_multimask_stability_delta=0.1", r"only 0\.05 is possible"),
    ]:
        with pytest.raises(ValueError, match=message):
            settings_of([text])


def test_settings_as_session_options():
    options = settings_of(VIDEO_POSTPROCESSING).session_options(1024, prune=False)
    wanted = SessionOptions.official(prune=False, keep_results=False, undo_levels=0)
    assert options == wanted
    assert Settings(fill_hole_area=8).session_options(512, prune=True).fill_holes == 32  # 8 at any input size
    cleared = Settings(clear_around_input=True).session_options(1024, prune=True)
    assert (cleared.correction, cleared.keep_corrections) == ("override", True)
