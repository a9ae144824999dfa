"""``masklet segment``: masks of objects in an image."""

from __future__ import annotations

import glob
import re
from pathlib import Path
from typing import Annotated

import tyro

from ..video.images import DEFAULT_MAX_PIXELS
from .compute import FitText, check_compute, fitting
from .model_choice import ModelChoice
from .output_folder import check_folder, make_output, refuse_overwriting, remove_files
from .prompt_text import mask_from, numbers

Texts = Annotated[list[str], tyro.conf.arg(metavar="TEXT"), tyro.conf.UseAppendAction]


def segment(
    image: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="IMAGE")],
    /,
    point: Texts = [],  # noqa: B006 - tyro reads the default, nothing changes it
    negative: Texts = [],  # noqa: B006
    box: Texts = [],  # noqa: B006
    mask: Path | None = None,
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("out"),
    model: str = "nano",
    image_size: int | None = None,
    fit: FitText = "stretch",
    device: str = "cpu",
    max_pixels: int = DEFAULT_MAX_PIXELS,
    single: bool = False,
    quiet: bool = False,
) -> int:
    """Segment one object with clicks, or one object for each box.

    Writes NAME.png (the best mask; of several boxes an indexed map), NAME.candidates.K.png for an ambiguous prompt,
    NAME.overlay.png and NAME.json (COCO run lengths, predicted IoU).

    Args:
        image: Image file.
        point: A click on the object, X,Y in pixels.
        negative: A click off the object, X,Y.
        box: X0,Y0,X1,Y1 in pixels. Clicks then refine the box; several boxes are several objects and take no clicks.
        mask: Image file of a rough mask to refine.
        output: Folder to write into; candidates that an earlier run left for this image are removed.
        model: Name, Hugging Face id or file of a model; see masklet models.
        image_size: Side of the model's input, a multiple of 32.
        fit: How the image fills the input: stretch, to the square; letterbox, into it, the aspect kept; native, an
            input of its own aspect with as many pixels; HEIGHTxWIDTH.
        device: cpu, cuda, mps.
        max_pixels: Refuse larger images and mask files.
        single: One mask in place of three candidates.
        quiet: No summary.
    """
    import json
    from functools import partial

    import numpy as np
    from rich.console import Console

    from ..inference.image import ImagePredictor
    from ..video.atomic import write_bytes
    from ..video.images import read_image
    from ..video.mask_files import is_written_mask, read_mask_file, write_mask_file
    from ..video.overlay import overlay

    check_compute(device, image_size)
    how = fitting(fit)
    clicks = [(_pixel(text), 1) for text in point] + [(_pixel(text), 0) for text in negative]
    boxes = [numbers(text, 4, "300,0,500,400") for text in box]
    if not clicks and not boxes and mask is None:
        raise ValueError("there is nothing to segment: give --point, --box or --mask")
    if len(boxes) > 1 and (clicks or mask is not None):
        raise ValueError(f"got {len(boxes)} boxes and clicks or a mask: give one box with clicks, or boxes alone")
    picture = read_image(image, max_pixels=max_pixels)
    rough = None if mask is None else mask_from(mask, picture.shape[:2], read_mask_file(mask, max_pixels=max_pixels))
    check_folder(output)
    best, drawn, notes = (output / f"{image.stem}{ending}" for ending in (".png", ".overlay.png", ".json"))
    earlier = candidates(output, image.stem)
    refuse_overwriting([image] if mask is None else [image, mask], [best, drawn, notes, *earlier])
    predictor = ImagePredictor(ModelChoice(model, image_size, device).load(), fit=how)
    predictor.set_image(picture)
    common = {
        "points": [xy for xy, _ in clicks] or None,
        "labels": [label for _, label in clicks] or None,
        "mask": None if rough is None else rough > 0,
    }
    requests = [{**common, "box": b} for b in boxes] or [common]
    ambiguous = not single and not boxes and len(clicks) == 1
    results = predictor.predict_batch(requests, multimask=ambiguous)

    make_output(output)
    remove_files([path for path in earlier if is_written_mask(path)], output)
    masks = {k + 1: result.mask for k, result in enumerate(results)}
    labels = np.zeros(picture.shape[:2], np.uint8)
    for k in sorted(masks, reverse=True):
        labels[masks[k]] = k if k < 256 else 255
    written = [best]
    write_mask_file(best, labels)
    if ambiguous:
        for k, candidate in enumerate(results[0].masks):
            written.append(output / f"{image.stem}.candidates.{k}.png")
            write_mask_file(written[-1], candidate.astype(np.uint8))
    write_bytes(drawn, _png(overlay(picture, masks)))
    facts = [
        {"segmentation": r.rle(), "predicted_iou": r.iou.tolist(), "best": r.best, "area": int(r.mask.sum())}
        for r in results
    ]
    write_bytes(notes, json.dumps({"image": image.name, "objects": facts}, indent=1).encode())
    console = Console(stderr=True, quiet=quiet, highlight=False, markup=False, emoji=False)
    say = partial(console.print, soft_wrap=True)
    for path in (*written, drawn, notes):
        say(f"wrote {path}")
    for k, result in enumerate(results):
        say(f"object {k + 1}: predicted IoU {', '.join(f'{v:.2f}' for v in result.iou)}")
    return 0


def candidates(output: Path, stem: str) -> list[Path]:
    """Files in a folder that are named as the candidates for an image are."""
    name = re.compile(re.escape(stem) + r"\.candidates\.\d+\.png")
    return sorted(path for path in output.glob(f"{glob.escape(stem)}.*.png") if name.fullmatch(path.name))


def _pixel(text: str) -> tuple[float, ...]:
    """A pixel; the minus that makes a click negative in a video prompt does not here, where there is --negative."""
    if text.lstrip().startswith("-"):
        raise ValueError(
            f"got {text!r}, which is outside the image: a pixel has no negative x; "
            f"for a click off the object use --negative {text.lstrip()[1:]}"
        )
    return numbers(text, 2, "500,375")


def _png(picture: object) -> bytes:
    import cv2
    import numpy as np

    assert isinstance(picture, np.ndarray)
    return cv2.imencode(".png", picture[:, :, ::-1])[1].tobytes()
