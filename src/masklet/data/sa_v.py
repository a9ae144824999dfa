"""SA-V: movies with run lengths in JSON (train), or folders with a binary PNG an object and frame (val, test).

Source: sav_dataset/README.md of facebookresearch/sam2.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from .frames import MovieFrames, folder_frames, stated_frames
from .palette_folders import names_in, object_maps_of
from .paths import BrokenAnnotations, DataPath, files_in, folders_in, read_json, read_lines
from .records import AnnotatedVideo, Frames, VideoDataset
from .truths import Draw, ObjectMasks, from_rle

STEP = 4
"""Every fourth frame is annotated: 6 of 24 a second."""
KINDS = ("manual", "auto")


def open_sa_v(root: DataPath, split: str | None = None) -> VideoDataset:
    """Open SA-V.

    Args:
        root: Folder with the movies, or with folders of movies (``sav_000`` ...); or the folder of a held-out split,
            with ``JPEGImages_24fps``; or the folder that holds ``sav_train``, ``sav_val``, ``sav_test``; or one
            annotation file. Movies need not be there until they are shown.
        split: ``train``, ``val`` or ``test``; or ``manual`` or ``auto`` for train with the masklets of that kind only.
            With both kinds, automatic masklets have the ids after the manual ones. By default what the folder is.

    Raises:
        FileNotFoundError: The folder holds nothing of SA-V, or not the split.
    """
    if root.suffix == ".json":
        return VideoDataset("sa_v", str(root), (_video_of(root),), False, partial(_file, root))
    folder = root
    if not _is_held_out(root):
        wanted = "train" if split in (None, *KINDS) else split
        if (root / f"sav_{wanted}").is_dir():
            folder = root / f"sav_{wanted}"
    if _is_held_out(folder):
        return _held_out(root, folder, split)
    if split not in (None, "train", *KINDS):
        raise FileNotFoundError(f"expected the split {split!r} in {root / f'sav_{split}'}, found no such folder")
    movies = _movies(folder)
    if not movies:
        raise FileNotFoundError(f"expected movies (sav_000001.mp4 ...) in {folder} or its subfolders, found none")
    kinds = (split,) if split in KINDS else KINDS
    names = tuple(movie.stem for movie in movies)
    return VideoDataset("sa_v", str(root), names, False, partial(_movie, tuple(movies), kinds))


def _is_held_out(folder: DataPath) -> bool:
    return (folder / "JPEGImages_24fps").is_dir()


def _movies(folder: DataPath) -> list[DataPath]:
    found = _movies_in(folder)
    return found or [movie for inner in folders_in(folder) for movie in _movies_in(inner)]


def _movies_in(folder: DataPath) -> list[DataPath]:
    """The movies of a folder; where there are none, those that its annotation files are of."""
    found = files_in(folder, {".mp4"})
    if not found:
        names = [path.name for path in files_in(folder, {".json"})]
        stems = [
            name.removesuffix(f"_{kind}.json") for name in names for kind in KINDS if name.endswith(f"_{kind}.json")
        ]
        found = [folder / f"{stem}.mp4" for stem in dict.fromkeys(stems)]
    return found


def _video_of(file: DataPath) -> str:
    return file.stem.removesuffix("_manual").removesuffix("_auto").removesuffix(".sav")


def _file(file: DataPath, index: int) -> AnnotatedVideo:
    movie = file.parent / f"{_video_of(file)}.mp4"
    code = _CodedMasklets([file])
    return AnnotatedVideo(movie.stem, _frames_of(movie, [file]), ObjectMasks(file, code.known, code.unknown))


def _frames_of(movie: DataPath, files: list[DataPath]) -> Frames:
    """The movie; where it is not there, frames as many and as large as the annotations state."""
    known = None if movie.is_file() else next((path for path in files if path.is_file()), None)
    if known is None:
        return MovieFrames(movie)
    content = read_json(known)
    try:
        count, height, width = (int(content[f"video_{key}"]) for key in ("frame_count", "height", "width"))
        known_frames = len(content["masklet"])
    except (KeyError, TypeError, ValueError):
        return MovieFrames(movie)  # which says that it is missing once it is needed
    if abs(known_frames - -(-count // STEP)) > 1:
        raise BrokenAnnotations(
            known,
            f"it has masks of {known_frames} of {count} frames, expected every {STEP}th: which they are of is not said",
        )
    return stated_frames(movie.parent / movie.stem, count, (height, width))


def _movie(movies: tuple[DataPath, ...], kinds: tuple[str, ...], index: int) -> AnnotatedVideo:
    movie = movies[index]
    files = [movie.parent / f"{movie.stem}_{kind}.json" for kind in kinds]
    code = _CodedMasklets(files)
    where = files[0] if len(files) == 1 else movie.parent / f"{movie.stem}_{{{','.join(kinds)}}}.json"
    return AnnotatedVideo(movie.stem, _frames_of(movie, files), ObjectMasks(where, code.known, code.unknown))


class _CodedMasklets:
    """Masklets of the annotation files of one movie, parsed when first asked for."""

    def __init__(self, files: list[DataPath]) -> None:
        self._files = files
        self._masklets: dict[int, list[Any]] | None = None  # of each annotated frame, by object id

    def known(self) -> Mapping[int, Mapping[int, Draw]]:
        """Masks by frame and object; a frame of which nothing is known has no entry."""
        frames: dict[int, dict[int, Draw]] = {}
        for object_id, codes in self._read().items():
            for number, code in enumerate(codes):
                if code is not None:
                    frames.setdefault(STEP * number, {})[object_id] = from_rle(code)
        return frames

    def unknown(self) -> Mapping[int, frozenset[int]]:
        """Objects without truth in frames where others have it."""
        masklets = self._read()
        longest = max(map(len, masklets.values()), default=0)
        return {
            STEP * number: frozenset(
                object_id for object_id, codes in masklets.items() if number >= len(codes) or codes[number] is None
            )
            for number in range(longest)
        }

    def _read(self) -> dict[int, list[Any]]:
        if self._masklets is None:
            found = [path for path in self._files if path.is_file()]
            if not found:
                raise FileNotFoundError(f"expected annotations in {' or '.join(map(str, self._files))}, found neither")
            masklets: dict[int, list[Any]] = {}
            for path in found:
                shift = max(masklets, default=-1) + 1
                for object_id, codes in codes_of(path).items():
                    masklets[shift + object_id] = codes
            self._masklets = masklets
        return self._masklets


def codes_of(path: DataPath) -> dict[int, list[Any]]:
    """Codes by object id, one an annotated frame; None where the truth is not known."""
    content = read_json(path)
    try:
        frames, ids = content["masklet"], [int(one) for one in content["masklet_id"]]
        rows = [[None] * len(ids) if frame is None else list(frame) for frame in frames]
    except (KeyError, TypeError, ValueError) as error:
        raise BrokenAnnotations(path, f"expected the fields masklet and masklet_id of SA-V, got {error!r}") from error
    wrong = next((number for number, row in enumerate(rows) if len(row) != len(ids)), None)
    if wrong is not None:
        raise BrokenAnnotations(
            path, f"annotated frame {wrong} has {len(rows[wrong])} masks, expected {len(ids)}, one for each masklet_id"
        )
    if len({*ids}) != len(ids):
        raise BrokenAnnotations(path, f"expected different masklet ids, got {ids[:20]}")
    return {object_id: [row[place] for row in rows] for place, object_id in enumerate(ids)}


def _held_out(root: DataPath, folder: DataPath, split: str | None) -> VideoDataset:
    lists = files_in(folder, {".txt"})
    wanted = [path for path in lists if split is None or path.stem == f"sav_{split}"]
    if split is not None and not wanted:
        raise FileNotFoundError(f"expected the list {folder / f'sav_{split}.txt'}, found {[one.name for one in lists]}")
    images = folder / "JPEGImages_24fps"
    names = tuple(read_lines(wanted[0]) if wanted else names_in(images))
    return VideoDataset("sa_v", str(root), names, False, partial(_folders, folder, names))


def _folders(folder: DataPath, names: tuple[str, ...], index: int) -> AnnotatedVideo:
    name = names[index]
    frames = folder_frames(folder / "JPEGImages_24fps" / name)
    masks = folder / "Annotations_6fps" / name
    return AnnotatedVideo(name, frames, ObjectMasks(masks, partial(object_maps_of, frames, masks)))
