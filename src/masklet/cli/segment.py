"""``masklet segment``: masks of objects in an image."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from .download_bar import download_bar
from .prompt_text import click, numbers

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
    device: str = "cpu",
    max_pixels: int = 100_000_000,
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
        output: Folder to write into.
        model: Name, Hugging Face id or file of a model; see masklet models.
        image_size: Side of the model's input, a multiple of 32.
        device: cpu, cuda, mps.
        max_pixels: Refuse larger images.
        single: One mask in place of three candidates.
        quiet: No summary.
    """
    import json

    import numpy as np
    from rich.console import Console

    from masklet.checkpoints.load import load
    from masklet.inference.image import ImagePredictor
    from masklet.video.atomic import write_bytes
    from masklet.video.images import read_image
    from masklet.video.mask_files import read_mask_file, write_mask_file
    from masklet.video.overlay import overlay

    clicks = [click(text, "500,375") for text in point] + [(click(text, "500,375")[0], 0) for text in negative]
    boxes = [numbers(text, 4, "300,0,500,400") for text in box]
    if not clicks and not boxes and mask is None:
        raise ValueError("there is nothing to segment: give --point, --box or --mask")
    if len(boxes) > 1 and (clicks or mask is not None):
        raise ValueError(f"got {len(boxes)} boxes and clicks or a mask: give one box with clicks, or boxes alone")
    picture = read_image(image, max_pixels=max_pixels)
    with download_bar(model) as progress:
        predictor = ImagePredictor(load(model, image_size=image_size, device=device, progress=progress))
    predictor.set_image(picture)
    common = {
        "points": [xy for xy, _ in clicks] or None,
        "labels": [label for _, label in clicks] or None,
        "mask": None if mask is None else read_mask_file(mask) > 0,
    }
    requests = [{**common, "box": b} for b in boxes] or [common]
    ambiguous = not single and not boxes and len(clicks) == 1
    results = predictor.predict_batch(requests, multimask=ambiguous)

    output.mkdir(parents=True, exist_ok=True)
    stem = output / image.stem
    masks = {k + 1: result.mask for k, result in enumerate(results)}
    labels = np.zeros(picture.shape[:2], np.uint8)
    for k in sorted(masks, reverse=True):
        labels[masks[k]] = k if k < 256 else 255
    written = [stem.with_name(f"{image.stem}.png")]
    write_mask_file(written[0], labels)
    if ambiguous:
        for k, candidate in enumerate(results[0].masks):
            written.append(stem.with_name(f"{image.stem}.candidates.{k}.png"))
            write_mask_file(written[-1], candidate.astype(np.uint8))
    written.append(stem.with_name(f"{image.stem}.overlay.png"))
    write_bytes(written[-1], _png(overlay(picture, masks)))
    facts = [
        {"segmentation": r.rle(), "predicted_iou": r.iou.tolist(), "best": r.best, "area": int(r.mask.sum())}
        for r in results
    ]
    written.append(stem.with_name(f"{image.stem}.json"))
    write_bytes(written[-1], json.dumps({"image": image.name, "objects": facts}, indent=1).encode())
    console = Console(stderr=True, quiet=quiet, highlight=False)
    for path in written:
        console.print(f"wrote {path}")
    for k, result in enumerate(results):
        console.print(f"object {k + 1}: predicted IoU {', '.join(f'{v:.2f}' for v in result.iou)}")
    return 0


def _png(picture: object) -> bytes:
    import cv2
    import numpy as np

    assert isinstance(picture, np.ndarray)
    return cv2.imencode(".png", picture[:, :, ::-1])[1].tobytes()
