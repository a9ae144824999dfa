"""Images and masks without further ado: folders of images and masks, of videos, of pairs, of movies and masks.

The layouts, in the order in which they are looked for:

- ``images/<name>.jpg`` with ``masks/<name>.png`` (label map), or ``masks/<name>/*.png`` or ``masks/<name>_1.png``,
  ``_2`` ... (one binary mask an object);
- ``<video>/frames/<frame>.jpg`` with ``<video>/masks/<frame>.png`` (label map) or ``masks/<object>/<frame>.png``;
- ``<name>.mp4`` with ``masks/<name>/<frame number>.png`` or ``<name>/<frame number>.png`` (label maps);
- ``<name>.jpg`` beside ``<name>.png`` (label map).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from .frames import MOVIES, PICTURES, MovieFrames, folder_frames, single_frame
from .palette_folders import maps_of, object_maps_of
from .paths import DataPath, entries, files_in, folders_in
from .records import AnnotatedVideo, VideoDataset
from .truths import Draw, LabelMaps, ObjectMasks, from_png

_NUMBERED = re.compile(r"^(.+)_(\d+)$")
_PHOTOS = PICTURES - {".png"}


def open_plain_folders(root: DataPath, split: str | None = None) -> VideoDataset:
    """Open a folder in one of the plain layouts, or one movie.

    Args:
        root: The folder, or a movie file.
        split: Inner folder that holds the layout: ``<root>/<split>`` or ``<root>/videos/<split>``.

    Raises:
        FileNotFoundError: None of the layouts is there.
    """
    if root.suffix.lower() in MOVIES:
        return _movies(root, root.parent, [root])
    folder = root if split is None else _split(root, split)
    if (folder / "images").is_dir() and (folder / "masks").is_dir():
        return _stills(root, files_in(folder / "images", PICTURES), folder / "masks")
    videos = [folder] if (folder / "frames").is_dir() else [f for f in folders_in(folder) if (f / "frames").is_dir()]
    if videos:
        return VideoDataset(
            "plain_folders", str(root), tuple(one.name for one in videos), False, partial(_video, tuple(videos))
        )
    movies = files_in(folder, MOVIES)
    if movies:
        return _movies(root, folder, movies)
    maps = {path.stem for path in files_in(folder, {".png"})}
    photos = files_in(folder, _PHOTOS)
    if any(path.stem in maps for path in photos):
        return _stills(root, photos, folder)
    raise FileNotFoundError(
        f"expected images/ and masks/, folders with frames/ and masks/, movies, or pairs such as a.jpg and a.png in "
        f"{folder}, found none of them"
    )


def _split(root: DataPath, split: str) -> DataPath:
    places = [root / split, root / "videos" / split]
    found = next((place for place in places if place.is_dir()), None)
    if found is None:
        raise FileNotFoundError(f"expected the folder {places[0]} or {places[1]}, found neither: check the split")
    return found


@dataclass(frozen=True)
class _Still:
    """An image, its label map where it has one, and its masks of single objects."""

    image: DataPath
    labels: DataPath | None
    things: Mapping[int, DataPath]
    folder: DataPath | None


def _stills(root: DataPath, images: list[DataPath], masks: DataPath) -> VideoDataset:
    if not images:
        raise FileNotFoundError(f"expected images ({', '.join(sorted(PICTURES))}) beside {masks}, found none")
    stems = {path.stem for path in images}
    labels: dict[str, DataPath] = {}
    things: dict[str, dict[int, DataPath]] = {}
    folders: dict[str, DataPath] = {}
    for path in entries(masks):
        numbered = _NUMBERED.match(path.stem)
        if path.suffix.lower() == ".png" and path.stem in stems:
            labels[path.stem] = path
        elif path.suffix.lower() == ".png" and numbered and numbered[1] in stems:
            things.setdefault(numbered[1], {})[int(numbered[2])] = path
        elif path.name in stems:
            folders[path.name] = path
    stills = tuple(
        _Still(path, labels.get(path.stem), things.get(path.stem, {}), folders.get(path.stem)) for path in images
    )
    return VideoDataset("plain_folders", str(root), tuple(p.stem for p in images), True, partial(_still, stills))


def _still(stills: tuple[_Still, ...], index: int) -> AnnotatedVideo:
    one = stills[index]
    if one.labels is not None:
        truth = LabelMaps(one.labels, partial(_only, one.labels))
    else:
        truth = ObjectMasks(one.folder or one.image, partial(_things, one))
    return AnnotatedVideo(one.image.stem, single_frame(one.image), truth)


def _only(path: DataPath) -> dict[int, DataPath]:
    return {0: path}


def _things(one: _Still) -> dict[int, dict[int, Draw]]:
    """One binary PNG an object; in a folder they are numbered by their names where these are numbers, else in order."""
    things = dict(one.things)
    if one.folder is not None:
        paths = files_in(one.folder, {".png"})
        numbers = all(path.stem.isdecimal() for path in paths)
        things = {int(path.stem) if numbers else place: path for place, path in enumerate(paths, start=1)}
    return {0: {number: from_png(path) for number, path in sorted(things.items())}} if things else {}


def _video(folders: tuple[DataPath, ...], index: int) -> AnnotatedVideo:
    folder = folders[index]
    frames, masks = folder_frames(folder / "frames"), folder / "masks"
    if folders_in(masks):
        truth = ObjectMasks(masks, partial(object_maps_of, frames, masks))
    else:
        truth = LabelMaps(masks, partial(maps_of, frames, masks))
    return AnnotatedVideo(folder.name, frames, truth)


def _movies(root: DataPath, folder: DataPath, movies: list[DataPath]) -> VideoDataset:
    names = tuple(path.stem for path in movies)
    return VideoDataset("plain_folders", str(root), names, False, partial(_movie, folder, tuple(movies)))


def _movie(folder: DataPath, movies: tuple[DataPath, ...], index: int) -> AnnotatedVideo:
    movie = movies[index]
    places = [folder / "masks" / movie.stem, folder / movie.stem]
    masks = next((place for place in places if place.is_dir()), places[0])
    return AnnotatedVideo(movie.stem, MovieFrames(movie), LabelMaps(masks, partial(_numbered, masks)))


def _numbered(folder: DataPath) -> dict[int, DataPath]:
    """Label maps by the frame number in their names."""
    files = files_in(folder, {".png"})
    wrong = next((path.name for path in files if not path.stem.isdecimal()), None)
    if wrong is not None:
        raise ValueError(f"expected masks named by frame numbers (00000.png) in {folder}, got {wrong}")
    return {int(path.stem): path for path in files}
