"""What configuration names and Hydra overrides of the official builders mean here."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

from ...inference.options import SessionOptions

log = logging.getLogger(__name__)

_LETTERS = {"t": "tiny", "s": "small", "b+": "base_plus", "l": "large"}


@dataclass(frozen=True)
class Settings:
    """Choices that the official code takes from its configuration; the defaults are its classes' own.

    Attributes:
        image_size: Side of the model's input; None: the model's own.
        stability_fallback: An unstable single mask gives way to the best of three.
        binarize_prompted: Memories of prompted frames are made from sharp masks.
        fill_hole_area: Holes of at most this many stride-4 pixels are closed.
        non_overlap_masks: Objects share no pixel.
        corrections_as_prompts: Corrected frames become prompted memory.
        clear_around_input: Frames beside a correction do not read ordinary memory from beyond it.
        max_prompted: Prompted frames that a frame reads; None: all.
    """

    image_size: int | None = None
    stability_fallback: bool = False
    binarize_prompted: bool = False
    fill_hole_area: int = 0
    non_overlap_masks: bool = False
    corrections_as_prompts: bool = False
    clear_around_input: bool = False
    max_prompted: int | None = None

    def session_options(self, image_size: int, *, prune: bool) -> SessionOptions:
        """The same for a session of a model with this input size."""
        return SessionOptions.official(
            stability_fallback=self.stability_fallback,
            binarize_prompted=self.binarize_prompted,
            fill_holes=round(self.fill_hole_area * (1024 / image_size) ** 2),
            non_overlap=self.non_overlap_masks,
            keep_corrections=self.corrections_as_prompts or self.clear_around_input,
            correction="override" if self.clear_around_input else "blend",
            max_prompted=self.max_prompted,
            prune=prune,
            keep_results=False,
            undo_levels=0,
        )


IMAGE_POSTPROCESSING = (
    "++model.sam_mask_decoder_extra_args.dynamic_multimask_via_stability=true",
    "++model.sam_mask_decoder_extra_args.dynamic_multimask_stability_delta=0.05",
    "++model.sam_mask_decoder_extra_args.dynamic_multimask_stability_thresh=0.98",
)
VIDEO_POSTPROCESSING = (
    *IMAGE_POSTPROCESSING,
    "++model.binarize_mask_from_pts_for_mem_enc=true",
    "++model.fill_hole_area=8",
)


def model_name(config_file: str) -> str:
    """Our name of the model of an official configuration, such as ``configs/sam2.1/sam2.1_hiera_b+.yaml``.

    Raises:
        ValueError: There is no such configuration.
    """
    stem = PurePath(str(config_file)).name.removesuffix(".yaml")
    family, _, letter = stem.rpartition("_")
    if family not in ("sam2_hiera", "sam2.1_hiera") or letter not in _LETTERS:
        known = ", ".join(f"configs/{v}/{v}_hiera_{s}.yaml" for v in ("sam2", "sam2.1") for s in _LETTERS)
        raise ValueError(f"there is no configuration {config_file!r}: expected one of {known}")
    return f"{family}_{_LETTERS[letter]}"


def settings_of(overrides: Iterable[str]) -> Settings:
    """The settings of Hydra overrides, the last one of a name counting.

    Raises:
        ValueError: An override is malformed, or nothing here corresponds to it.
    """
    settings = Settings()
    for text in overrides:
        name, equals, value = text.strip().partition("=")
        name = name.lstrip("+").removeprefix("model.")
        if not equals or name not in _MEANING:
            raise ValueError(f"the override {text!r} is not understood here: expected ++model.NAME=VALUE, {_known()}")
        try:
            settings = replace(settings, **_MEANING[name](value.strip()))
        except ValueError as error:
            raise ValueError(f"the override {text!r} has a value that is not understood here: {error}") from None
    return settings


def _flag(field: str) -> Callable[[str], dict[str, Any]]:
    def read(value: str) -> dict[str, Any]:
        if value.lower() not in ("true", "false"):
            raise ValueError("expected true or false")
        return {field: value.lower() == "true"}

    return read


def _number(field: str) -> Callable[[str], dict[str, Any]]:
    return lambda value: {field: _whole(value)}


def _whole(value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise ValueError("expected a whole number") from None


def _only(*values: str) -> Callable[[str], dict[str, Any]]:
    def check(value: str) -> dict[str, Any]:
        if value.lower() not in values:
            raise ValueError(f"only {' or '.join(values)} is possible")
        return {}

    return check


def _without_effect(value: str) -> dict[str, Any]:
    log.info("an override that only concerns speed is ignored (%s)", value)
    return {}


_DECODER = "sam_mask_decoder_extra_args.dynamic_multimask"
_MEANING: Mapping[str, Callable[[str], dict[str, Any]]] = {
    "image_size": _number("image_size"),
    "fill_hole_area": _number("fill_hole_area"),
    "non_overlap_masks": _flag("non_overlap_masks"),
    "binarize_mask_from_pts_for_mem_enc": _flag("binarize_prompted"),
    "add_all_frames_to_correct_as_cond": _flag("corrections_as_prompts"),
    "clear_non_cond_mem_around_input": _flag("clear_around_input"),
    "max_cond_frames_in_attn": lambda value: {"max_prompted": None if _whole(value) < 0 else _whole(value)},
    f"{_DECODER}_via_stability": _flag("stability_fallback"),
    f"{_DECODER}_stability_delta": _only("0.05"),
    f"{_DECODER}_stability_thresh": _only("0.98"),
    "use_mask_input_as_output_without_sam": _only("true"),
    "num_maskmem": _only("7"),
    "max_obj_ptrs_in_encoder": _only("16"),
    "memory_temporal_stride_for_eval": _only("1"),
    "non_overlap_masks_for_mem_enc": _only("false"),
    "compile_image_encoder": _without_effect,
    "_target_": _without_effect,
}


def _known() -> str:
    return f"NAME one of {', '.join(name for name in _MEANING if name != '_target_')}"
