"""The official ``tools/vos_inference.py``: track the masks of a benchmark's videos and write what its server takes.

``python -m masklet.compat.sam2.vos_inference --base_video_dir ... --input_mask_dir ... --output_mask_dir ...``
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import torch

from ...data.frames import MOVIES, MovieFrames, folder_frames
from ...data.paths import DataPath, files_in, folders_in, read_lines
from ...data.records import AnnotatedVideo, Mask
from ...evaluation.prediction_folders import PredictionWriter, frame_names
from ...masks.overlap import suppress_overlaps
from ...model.presence import ABSENT_LOGIT
from ...video.frames import open_source
from .build_sam import build_sam2_video_predictor
from .mask_folders import masks_of
from .sam2_video_predictor import SAM2VideoPredictor

log = logging.getLogger(__name__)

Given = Mapping[int, Mapping[int, Mask]]
"""Masks by object and frame; an object without any is never seen."""
Folder = str | os.PathLike[str]
_LATER = "objects that are not all in the first frame (LVOS, YouTube-VOS) need --track_object_appearing_later_in_video"


def vos_inference(
    predictor: SAM2VideoPredictor,
    base_video_dir: Folder,
    input_mask_dir: Folder,
    output_mask_dir: Folder,
    video_name: str,
    score_thresh: float = 0.0,
    use_all_masks: bool = False,
    per_obj_png_file: bool = False,
    resume: bool = False,
) -> bool:
    """Track all objects of the first frame's masks together.

    Args:
        predictor: For videos.
        base_video_dir: A folder of images, or a movie, a video.
        input_mask_dir: ``<video>/<frame>.png``, or ``<video>/<object>/<frame>.png``.
        output_mask_dir: Where the same is written, for every frame.
        video_name: The video.
        score_thresh: Logit above which a pixel is inside.
        use_all_masks: Masks of later frames are prompts, too.
        per_obj_png_file: Each object has files of its own; masks may overlap.
        resume: Leave a video alone that has all its files.

    Returns:
        Whether it was tracked now.

    Raises:
        ValueError: An object is not in the first frame, or there is none.
        OSError: Something cannot be read or written.
    """
    video = _video(base_video_dir, input_mask_dir, video_name, per_obj_png_file)
    given = _prompts(video, use_all_masks, per_obj_png_file)
    if resume and _finished(video, given, output_mask_dir, per_obj_png_file):
        return False
    state = predictor.init_state(video.images)
    for object_id, masks in given.items():
        for t, mask in masks.items():
            predictor.add_new_mask(state, t, object_id, mask)
    tracked = (
        (t, {i: logits[k, 0].cpu().numpy() > score_thresh for k, i in enumerate(ids)})
        for t, ids, logits in predictor.propagate_in_video(state)
    )
    _write(video, given, tracked, output_mask_dir, per_obj_png_file)
    return True


def vos_separate_inference_per_object(
    predictor: SAM2VideoPredictor,
    base_video_dir: Folder,
    input_mask_dir: Folder,
    output_mask_dir: Folder,
    video_name: str,
    score_thresh: float = 0.0,
    use_all_masks: bool = False,
    per_obj_png_file: bool = False,
    resume: bool = False,
) -> bool:
    """Track each object by itself, from the first frame that has a mask of it; arguments as for `vos_inference`.

    Without files of its own for each object, a pixel goes to the one with the highest logit. The runs go through the
    video side by side, so that the logits of one frame are held, not those of all.

    Raises:
        ValueError: There is no object.
        OSError: Something cannot be read or written.
    """
    video = _video(base_video_dir, input_mask_dir, video_name, per_obj_png_file)
    given: dict[int, dict[int, Mask]] = {}
    for t in video.annotated:
        for object_id, mask in video.masks(t).items():
            if use_all_masks or object_id not in given:
                given.setdefault(object_id, {})[t] = mask
    given = dict(sorted(given.items()))
    if not given:
        raise ValueError(f"{video.truth.where} has no mask of any object in a frame of {video.frames.where}")
    if resume and _finished(video, given, output_mask_dir, per_obj_png_file):
        return False
    source, runs = open_source(video.images), {}
    for object_id, masks in given.items():
        state = predictor.init_state(source)
        for t, mask in masks.items():
            predictor.add_new_mask(state, t, object_id, mask)
        runs[object_id] = predictor.propagate_in_video(state, start_frame_idx=min(masks))

    def tracked() -> Iterator[tuple[int, dict[int, Mask]]]:
        absent = torch.full((1, 1, *video.size), ABSENT_LOGIT)
        for t in range(_begin(given), video.frame_count):
            known = [next(run)[2].cpu() if t >= min(given[i]) else absent for i, run in runs.items()]
            logits = torch.cat(known) if per_obj_png_file else suppress_overlaps(torch.cat(known))
            yield t, {i: logits[k, 0].numpy() > score_thresh for k, i in enumerate(runs)}

    _write(video, given, tracked(), output_mask_dir, per_obj_png_file)
    return True


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = _parser()
    args = parser.parse_args(arguments)
    logging.basicConfig(stream=sys.stdout, format="%(message)s", level=logging.INFO)
    try:
        _run(args)
    except (ValueError, OSError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")
    return 0


def _run(args: argparse.Namespace) -> None:
    predictor = build_sam2_video_predictor(
        config_file=args.sam2_cfg,
        ckpt_path=args.sam2_checkpoint,
        apply_postprocessing=args.apply_postprocessing,
        hydra_overrides_extra=[f"++model.non_overlap_masks={'false' if args.per_obj_png_file else 'true'}"],
        vos_optimized=args.use_vos_optimized_video_predictor,
        prune=True,
    )
    names = _names(args.base_video_dir) if args.video_list_file is None else read_lines(Path(args.video_list_file))
    track = vos_separate_inference_per_object if args.track_object_appearing_later_in_video else vos_inference
    for number, name in enumerate(names, start=1):
        log.info("%d/%d %s", number, len(names), name)
        where = args.base_video_dir, args.input_mask_dir, args.output_mask_dir
        choices = args.score_thresh, args.use_all_masks, args.per_obj_png_file, args.resume
        if not track(predictor, *where, name, *choices):
            log.info("it was finished before")
    log.info("masks of %d videos are in %s", len(names), args.output_mask_dir)


def _video(videos: Folder, masks: Folder, name: str, per_object: bool) -> AnnotatedVideo:
    """A video with its input masks as truth."""
    folder = Path(videos) / name
    if folder.is_dir():
        pictures = folder_frames(folder)
        return AnnotatedVideo(name, pictures, masks_of(Path(masks) / name, pictures.numbers, per_object=per_object))
    movie = next((path for path in _movies(Path(videos)) if path.stem == name), None)
    if movie is None:
        raise FileNotFoundError(f"expected a folder {folder} or a movie of that name, found neither")
    frames = MovieFrames(movie)
    numbers = {f"{t:05d}": t for t in range(frames.count())}
    return AnnotatedVideo(name, frames, masks_of(Path(masks) / name, numbers, per_object=per_object))


def _prompts(video: AnnotatedVideo, use_all_masks: bool, per_object: bool) -> Given:
    """Masks of the objects of the first frame: there, or in all annotated frames."""
    annotated = video.annotated
    first = (min(annotated) if annotated else 0) if use_all_masks else 0
    objects = video.objects(first) if first in annotated else ()
    if not objects:
        raise ValueError(f"{video.truth.where} has no object in frame {first} of {video.frames.where}: {_LATER}")
    for t in annotated if use_all_masks or per_object else ():
        new = sorted({*video.objects(t)} - {*objects})
        if new:
            raise ValueError(
                f"{video.truth.where} has object {new[0]} in frame {t}, but not in frame {first}: {_LATER}"
            )
    given: dict[int, dict[int, Mask]] = {object_id: {} for object_id in objects}
    for t in annotated if use_all_masks else (first,):
        for object_id, mask in video.masks(t).items():
            given[object_id][t] = mask
    for object_id, masks in given.items():
        if not masks:
            log.warning("the mask of object %d of %s is empty: it counts as never seen", object_id, video.name)
    if not any(given.values()):
        raise ValueError(f"all masks of {video.truth.where} in frame {first} are empty: {_LATER}")
    return given


def _write(
    video: AnnotatedVideo,
    given: Given,
    tracked: Iterator[tuple[int, Mapping[int, Mask]]],
    out: Folder,
    per_object: bool,
) -> None:
    """Write every object in every frame, empty masks where it is not tracked."""
    writer = PredictionWriter(out, "objects" if per_object else "merged")
    absent = dict.fromkeys(given, np.zeros(video.size, bool))
    before: Iterator[tuple[int, Mapping[int, Mask]]] = ((t, {}) for t in range(_begin(given)))
    for t, masks in chain(before, tracked):
        writer.add(video, t, {**absent, **masks})


def _finished(video: AnnotatedVideo, given: Given, out: Folder, per_object: bool) -> bool:
    """Whether every file is there; none is ever half-written."""
    folder = Path(out) / video.name
    folders = [folder / f"{object_id:03d}" for object_id in given] if per_object else [folder]
    return all((where / f"{name}.png").is_file() for where in folders for name in frame_names(video))


def _begin(given: Given) -> int:
    return min(t for masks in given.values() for t in masks)


def _names(videos: Folder) -> list[str]:
    """All videos of a folder."""
    folders = [path.name for path in folders_in(Path(videos))]
    return folders + [movie.stem for movie in _movies(Path(videos)) if movie.stem not in folders]


def _movies(videos: Path) -> list[DataPath]:
    return files_in(videos, MOVIES)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="vos_inference", description="Track the objects of given masks in videos.")

    def flag(name: str, what: str) -> None:
        parser.add_argument(name, action="store_true", help=what)

    parser.add_argument(
        "--sam2_cfg", default="configs/sam2.1/sam2.1_hiera_b+.yaml", help="name of a configuration (%(default)s)"
    )
    parser.add_argument(
        "--sam2_checkpoint", default="./checkpoints/sam2.1_hiera_base_plus.pt", help="weights (%(default)s)"
    )
    parser.add_argument("--base_video_dir", required=True, help="a folder of images, or a movie, a video")
    parser.add_argument("--input_mask_dir", required=True, help="masks to start from (PNG), a folder a video")
    parser.add_argument("--video_list_file", help="text file with the names of the videos, one a line; else all")
    parser.add_argument("--output_mask_dir", required=True, help="where masks are written (PNG), a folder a video")
    parser.add_argument("--score_thresh", type=float, default=0.0, help="logit above which a pixel is inside")
    flag("--use_all_masks", "masks of later frames are prompts, too")
    flag("--per_obj_png_file", "each object has files of its own (SA-V); else one label map a frame (DAVIS)")
    flag("--apply_postprocessing", "close holes, and what else the official builder calls post-processing")
    flag("--track_object_appearing_later_in_video", "track each object by itself, from its first mask")
    flag("--use_vos_optimized_video_predictor", "without effect here")
    flag("--resume", "leave videos alone that have all their files (not an official flag)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
