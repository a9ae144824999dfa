"""``masklet data rank``: automatic masklets from best to worst, what is found twice, and what is background."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

if TYPE_CHECKING:
    from ..data.masklet_file import MaskletFile
    from ..data.masklet_review import Reviewed
    from ..video.frames import FrameSource


@dataclass(frozen=True)
class Rank:
    """Review automatic masklets: expected quality, duplicates, background that stands still.

    Reads files as masklet auto writes them (*_auto.json of SA-V). Writes ranking.json, and where the pictures of a
    video are found a contact sheet NAME.jpg. Background is only looked for where there are pictures.
    """

    dir: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DIR")]
    """Folder with files *_auto.json, also in folders in it, or one such file."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Folder to write into; it must lie outside DIR."""
    videos: Path | None = None
    """Folder with the videos: NAME.mp4, or a folder NAME of images, or NAME/frames. By default beside the files."""
    keep: float | None = None
    """Write NAME_auto.json with the masklets of at least this score, without duplicates and background."""
    sheets: bool = True
    """Write contact sheets."""
    quiet: bool = False
    """No progress bar."""


def rank(command: Rank) -> int:
    """Write the review of every file; gives 1 if one could not be read."""
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import track

    from ..data.masklet_file import masklet_files
    from ..data.paths import data_path
    from ..video.atomic import write_bytes
    from .output_folder import check_folder, make_output, refuse_inside

    root = Path(command.dir).expanduser()
    files = [Path(str(path)) for path in masklet_files(data_path(root))]
    refuse_inside(command.output, root)
    _refuse_twice(files)
    check_folder(command.output.absolute())
    make_output(command.output)
    console = Console(stderr=True)
    hidden = command.quiet or not console.is_terminal
    rows, faults = [], []
    for path in track(files, "videos", console=console, disable=hidden, transient=True):
        try:
            rows.append(_review(path, command))
        except (ValueError, OSError) as error:
            faults.append(str(error))
    summary = _summary(rows)
    content = {"summary": summary, "faults": faults, "videos": rows}
    write_bytes(command.output / "ranking.json", json.dumps(content, indent=1).encode())
    out = Console(highlight=False)
    for what, value in summary.items():
        out.print(f"{what}: {value}")
    for fault in faults:
        out.print(f"not read: {escape(fault)}", soft_wrap=True)
    out.print(f"wrote {escape(str(command.output / 'ranking.json'))}", soft_wrap=True)
    return 1 if faults else 0


def _review(path: Path, command: Rank) -> dict[str, Any]:
    """Review one video, and write what is asked for beside the ranking."""
    from ..data.masklet_file import read_masklets
    from ..data.masklet_review import review

    file = read_masklets(path)
    with _pictures(file, command.videos or path.parent) as source:
        if source is None:
            reviewed = review(file)
        else:
            reviewed = review(file, len(source), source.frame)
            if command.sheets and reviewed:
                _write_sheet(command.output / f"{file.name}.jpg", file, reviewed, source)
    if command.keep is not None:
        _write_kept(path, command, reviewed, command.keep)
    return {"name": file.name, "pictures": source is not None, "masklets": [one.plain() for one in reviewed]}


@contextmanager
def _pictures(file: MaskletFile, folder: Path) -> Iterator[FrameSource | None]:
    """The video of a file; None where it is not in the folder.

    Raises:
        ValueError: It has another size or fewer frames than the file says.
    """
    from ..data.frames import MOVIES
    from ..video.frames import open_source

    movies = [folder / f"{file.name}{ending}" for ending in sorted(MOVIES)]
    inner = [folder / file.name / "frames", folder / file.name]
    place = next((path for path in movies if path.is_file()), None) or next((p for p in inner if p.is_dir()), None)
    if place is None:
        yield None
        return
    with open_source(place) as source:
        if source.size != file.size or len(source) <= max(file.times, default=0):
            raise ValueError(
                f"{place} has {len(source)} frames of {source.size[1]}x{source.size[0]} pixels, the masklets of "
                f"{file.name} are of {file.size[1]}x{file.size[0]} pixels up to frame {max(file.times, default=0)}: "
                "give the folder of their videos (--videos)"
            )
        yield source


def _write_sheet(path: Path, file: MaskletFile, reviewed: list[Reviewed], source: FrameSource) -> None:
    import cv2

    from ..data.masklet_review import review_sheet
    from ..video.atomic import write_bytes

    sheet = review_sheet(file, reviewed, source.frame)
    write_bytes(path, cv2.imencode(".jpg", sheet[:, :, ::-1])[1].tobytes())


def _write_kept(path: Path, command: Rank, reviewed: list[Reviewed], least: float) -> None:
    from ..data.masklet_file import only
    from ..video.atomic import write_bytes

    ids = {one.quality.object_id for one in reviewed if one.kept and one.quality.score >= least}
    content = only(json.loads(path.read_bytes()), ids)
    write_bytes(command.output / path.name, json.dumps(content, separators=(",", ":")).encode())


def _refuse_twice(files: list[Path]) -> None:
    names = [path.name for path in files]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        both = [str(path) for path in files if path.name == twice]
        raise ValueError(f"{' and '.join(both)} have one name: rank the folders one by one")


def _summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    import numpy as np

    masklets = [one for row in rows for one in row["masklets"]]
    scores = [one["score"] for one in masklets]
    return {
        "videos": len(rows),
        "with pictures": sum(row["pictures"] for row in rows),
        "masklets": len(masklets),
        "duplicates": sum(one["duplicate_of"] is not None for one in masklets),
        "background": sum(bool(one["background"]) for one in masklets),
        "median score": round(float(np.median(scores)), 3) if scores else None,
    }
