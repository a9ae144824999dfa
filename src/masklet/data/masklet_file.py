"""Masklets of one annotation file of SA-V as run lengths, with the scores that are beside them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from ..masks import rle
from ..masks.over_time import Track
from .paths import BrokenAnnotations, DataPath, files_in, folders_in, read_json
from .sa_v import STEP, codes_of

ENDING = "_auto.json"
_BY_FRAME = "masklet", "masklet_stability_score"  # fields with a row for each annotated frame


@dataclass(frozen=True)
class MaskletFile:
    """What automatic masklets of a video are.

    Attributes:
        name: Of the video.
        size: Height and width.
        times: Numbers of the annotated frames.
        tracks: Masks of each masklet on the annotated frames where it is visible.
        stability: Of these masks, 0..1; a masklet without known values has no entry.
    """

    name: str
    size: tuple[int, int]
    times: tuple[int, ...]
    tracks: Mapping[int, Track]
    stability: Mapping[int, Mapping[int, float]]


def masklet_files(root: DataPath) -> list[DataPath]:
    """Files ``*_auto.json`` of a folder and of the folders in it, or the one that is given.

    Raises:
        FileNotFoundError: There are none.
    """
    if root.is_file():
        return [root]
    inside = [path for folder in (root, *folders_in(root)) for path in files_in(folder, {".json"})]
    found = [path for path in inside if path.name.endswith(ENDING)]
    if not found:
        raise FileNotFoundError(f"expected files *{ENDING} in {root} or its subfolders, found none")
    return found


def read_masklets(path: DataPath) -> MaskletFile:
    """Read one file.

    Raises:
        BrokenAnnotations: It is no annotation file of SA-V, or a mask in it is damaged.
        OSError: It cannot be read.
    """
    content, codes = read_json(path), codes_of(path)
    try:
        size = int(content["video_height"]), int(content["video_width"])
        times = range(0, STEP * len(content["masklet"]), STEP)
        tracks = {i: _visible(dict(zip(times, one, strict=True)), size) for i, one in codes.items()}
        stability = _stability(content.get("masklet_stability_score"), list(tracks), times)
    except (KeyError, TypeError, ValueError) as error:
        raise BrokenAnnotations(path, f"expected an annotation file of SA-V with sound masks, got {error!r}") from error
    return MaskletFile(PurePath(path.name).name.removesuffix(ENDING), size, tuple(times), tracks, stability)


def only(content: Mapping[str, Any], ids: Collection[int]) -> dict[str, Any]:
    """What a file of SA-V holds, with some of its masklets only.

    Args:
        content: The file.
        ids: The masklets that stay, in the file's order.
    """
    places = [k for k, i in enumerate(content["masklet_id"]) if int(i) in ids]
    kept = dict(content)
    for name, value in content.items():
        if name in _BY_FRAME and value and all(isinstance(row, list) for row in value):
            kept[name] = [[row[k] for k in places] for row in value]
        elif name.startswith("masklet_") and isinstance(value, list) and len(value) == len(content["masklet_id"]):
            kept[name] = [value[k] for k in places]
    return {**kept, "masklet_num": len(places)}


def _visible(codes: Mapping[int, Any], size: tuple[int, int]) -> Track:
    track: dict[int, rle.Rle] = {}
    for t, code in codes.items():
        if code is None or not rle.area(code):
            continue
        if tuple(code["size"]) != size:
            raise ValueError(f"a mask of {code['size']} in a video of {list(size)}")
        track[t] = rle.Rle(size=list(size), counts=code["counts"])
    return track


def _stability(rows: Any, ids: list[int], times: range) -> dict[int, dict[int, float]]:
    """By masklet and frame; the file has a row for each annotated frame, or None where nobody measured."""
    if not rows or len(rows) != len(times) or any(row is None for row in rows):
        return {}
    return {i: {t: float(row[k]) for t, row in zip(times, rows, strict=True)} for k, i in enumerate(ids)}
