"""What scene cuts cost, and what it brings to begin recent memory anew at them.

    python benchmarks/scene_cuts.py --data DIR/videos/dev --model nano

Each clip of one object is cut in the middle and some frames of the next clip are put in: the object leaves with the
first cut and is back after the second. J from the first mask on the second half of the clip, with and without
``SessionOptions.scene_cuts``, beside the clip as it is; how many frames of the other clip wrongly show something; and
which cuts were found or made up.
"""

from __future__ import annotations

import argparse

import numpy as np

import masklet
from masklet.data.open import open_dataset
from masklet.data.records import AnnotatedVideo
from masklet.evaluation.metrics import jaccard
from masklet.inference.options import SessionOptions


def shown(images: list[np.ndarray], first: np.ndarray, model: masklet.Sam2, cuts: bool) -> tuple[list, set[int]]:
    """Masks of all frames, and the cuts that were found."""
    options = SessionOptions(keep_results=False, undo_levels=0, scene_cuts=cuts)
    with masklet.VideoSession(images, model, options=options) as session:
        session.prompt(0, 1, mask=first)
        masks = [r[1].mask for r in session.propagate()]
        return masks, set(session.tracks[1].cuts)


def of_size(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Another clip's frame, cut or repeated to a size."""
    return np.resize(image[: size[0], : size[1]], (*size, 3)) if image.shape[:2] != size else image


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--image-size", type=int, default=None)
    parser.add_argument("--between", type=int, default=12, help="frames of the other clip")
    args = parser.parse_args()
    model = masklet.load(args.model, image_size=args.image_size)
    videos = [v for v in open_dataset(args.data) if set(v.first_frames()) == {1} and len(v.annotated) == v.frame_count]
    totals, found, made_up = [], 0, 0
    for video, other in zip(videos, videos[1:] + videos[:1], strict=True):
        row, cuts_found, extra = spliced(video, other, model, args.between)
        totals.append(row)
        found, made_up = found + cuts_found, made_up + extra
        print(f"{video.name}: " + "  ".join(f"{value:.3f}" for value in row), flush=True)
    uncut, plain, anew, ghosts, ghosts_anew = np.mean(totals, axis=0)
    print(f"J of the second half: {uncut:.3f} uncut, {plain:.3f} cut, {anew:.3f} cut, with scene_cuts")
    print(f"frames of the other clip that show something: {ghosts:.2f}, with scene_cuts {ghosts_anew:.2f}")
    print(f"cuts found: {found} of {2 * len(videos)}, made up: {made_up}")


def spliced(
    video: AnnotatedVideo, other: AnnotatedVideo, model: masklet.Sam2, between: int
) -> tuple[tuple[float, ...], int, int]:
    """J uncut, cut and with scene cuts; shares of wrong frames without and with; cuts found and made up."""
    length, size = video.frame_count, video.size
    images, absent = list(video.images), np.zeros(size, bool)
    truth = [video.masks(t).get(1, absent) for t in range(length)]
    half = length // 2
    strange = [of_size(other.image(t), size) for t in range(between)]
    clip = [*images[:half], *strange, *images[half:]]
    true_cuts = {half, half + between}

    def second(masks: list) -> float:
        return float(np.mean([jaccard(m, g) for m, g in zip(masks[-(length - half) :], truth[half:], strict=True)]))

    uncut, _ = shown(images, truth[0], model, cuts=False)
    plain, _ = shown(clip, truth[0], model, cuts=False)
    anew, cuts = shown(clip, truth[0], model, cuts=True)
    wrong = [float(np.mean([m.any() for m in masks[half : half + between]])) for masks in (plain, anew)]
    return (second(uncut), second(plain), second(anew), *wrong), len(cuts & true_cuts), len(cuts - true_cuts)


if __name__ == "__main__":
    main()
