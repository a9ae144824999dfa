"""Photos whose regions people outlined: where they are, which split they belong to, and what their regions are."""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Integer, UInt8
from numpy import ndarray

from ..masks.label_png import read_label_png

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping


SETS = ("bsds500", "ccp", "camvid", "vipseg_demo")
# CCP class numbers (labels.json of the set) that are the body rather than something worn.
_CCP_HAIR, _CCP_SKIN = 19, 41
_CCP_CARRIED = {2: "bag", 33: "purse", 56: "wallet"}
_CAMVID_OBJECTS = {9: "car", 10: "pedestrian", 11: "bicyclist"}
MOST_PARTS = 255
"""Numbers that a part map can hold."""


@dataclass(frozen=True)
class Still:
    """One photo and its label maps (one a human annotator in BSDS500, one in the other sets)."""

    name: str
    set: str
    image: Path
    maps: tuple[Path, ...]


@runtime_checkable
class Stills(Protocol):
    """Where clips are made from: photos by set, with part maps and regions."""

    @property
    def by_set(self) -> Mapping[str, tuple[Still, ...]]:
        """The stills of each set."""
        ...

    def image(self, still: Still) -> UInt8[ndarray, "h w 3"]:
        """The photo as RGB."""
        ...

    def parts(self, still: Still) -> tuple[UInt8[ndarray, "h w"], ...]:
        """Its part maps: 0 for nothing, 1..255 for parts that the regions are made of."""
        ...

    def regions(self, still: Still) -> tuple[Region, ...]:
        """Its regions."""
        ...


@dataclass(frozen=True)
class Region:
    """One outlined thing: the pixels of a part map whose number is among `ids`.

    Attributes:
        map: Which of the part maps of the still.
        ids: Numbers in that part map, 1..255.
        area: Pixels in the still.
        label: A class name where the set has one, `person` for a whole CCP person, else empty.
        movable: Whether it looks like a complete thing that may be cut out and moved.
    """

    map: int
    ids: tuple[int, ...]
    area: int
    label: str
    movable: bool


def train_stills(root: str | os.PathLike[str]) -> list[Still]:
    """List the training photos under a data root (the folder with `splits.json` and `images`), in a fixed order."""
    return _stills(Path(root), "train")


def dev_stills(root: str | os.PathLike[str]) -> list[Still]:
    """List the photos held back for development under a data root, in a fixed order."""
    return _stills(Path(root), "dev")


def _stills(root: Path, split: str) -> list[Still]:
    index = root / "splits.json"
    if not index.is_file():
        raise FileNotFoundError(f"{index} does not exist: give the folder that holds splits.json and images/")
    splits = json.loads(index.read_text())["images"]
    found = []
    for name in SETS:
        wanted = splits.get(name, {}).get(split)
        if wanted is None:
            continue
        if name == "bsds500":  # the split names its subfolders
            for part in wanted:
                found += _folder(root / "images" / name / part, name, None)
        else:
            found += _folder(root / "images" / name, name, None if wanted == "all" else set(wanted))
    if not found:
        raise ValueError(f"{index} lists no {split} images of the sets {', '.join(SETS)}")
    return found


def _folder(folder: Path, name: str, wanted: set[str] | None) -> list[Still]:
    maps: dict[str, list[Path]] = {}
    for path in sorted((folder / "labels").glob("*.png")):
        stem = path.stem.rsplit("_a", 1)[0] if name == "bsds500" else path.stem
        maps.setdefault(stem, []).append(path)
    images = {path.stem: path for path in sorted((folder / "images").glob("*.jpg"))}
    names = sorted(images.keys() & maps.keys() if wanted is None else wanted)
    missing = [stem for stem in names if stem not in images or stem not in maps]
    if missing:
        raise FileNotFoundError(f"{folder} lacks the photo or the label map of {missing[0]} ({len(missing)} in all)")
    return [Still(stem, name, images[stem], tuple(maps[stem])) for stem in names]


class StillStore:
    """Stills with their files kept in memory: photos as JPEG bytes, part maps decoded up to a limit.

    Photos and maps are read when first asked for. What is returned from memory must not be written to.
    """

    def __init__(self, stills: Iterable[Still], memory: int = 600 * 2**20) -> None:
        """Keep at most `memory` bytes of decoded part maps; the encoded photos come on top."""
        self.stills = tuple(stills)
        self.by_set: dict[str, tuple[Still, ...]] = {
            name: tuple(still for still in self.stills if still.set == name)
            for name in dict.fromkeys(still.set for still in self.stills)
        }
        self._memory = memory
        self._held = 0
        self._photos: dict[Still, UInt8[ndarray, " n"]] = {}
        self._parts: OrderedDict[Still, tuple[UInt8[ndarray, "h w"], ...]] = OrderedDict()
        self._regions: dict[Still, tuple[Region, ...]] = {}

    def image(self, still: Still) -> UInt8[ndarray, "h w 3"]:
        """Decode the photo as RGB."""
        import cv2

        if still not in self._photos:
            self._photos[still] = np.fromfile(still.image, np.uint8)
        image = cv2.imdecode(self._photos[still], cv2.IMREAD_COLOR)
        if image is None:
            raise ValueError(f"{still.image} cannot be decoded as an image")
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=image)

    def parts(self, still: Still) -> tuple[UInt8[ndarray, "h w"], ...]:
        """Part maps of the photo: 0 for nothing, 1..255 for parts that the regions are made of."""
        if still not in self._parts:
            self._read(still)
        else:
            self._parts.move_to_end(still)
        return self._parts[still]

    def regions(self, still: Still) -> tuple[Region, ...]:
        """Every region of the photo, of all its annotators."""
        if still not in self._regions:
            self._read(still)
        return self._regions[still]

    def _read(self, still: Still) -> None:
        split = _SPLITTERS[still.set]
        parts, regions = [], []
        for number, path in enumerate(still.maps):
            labels = read_label_png(path)
            part, found = split(labels, number)
            parts.append(part)
            regions += found
        if len(parts) > 1:
            regions = _agreed(parts, regions)
        self._regions[still] = tuple(regions)
        self._parts[still] = tuple(parts)
        self._held += sum(part.nbytes for part in parts)
        while self._held > self._memory and len(self._parts) > 1:
            _, dropped = self._parts.popitem(last=False)
            self._held -= sum(part.nbytes for part in dropped)


def _whole_map(labels: UInt8[ndarray, "h w"], number: int) -> tuple[UInt8[ndarray, "h w"], list[Region]]:
    """Take every number of a segmentation as a region (BSDS500, panoptic maps)."""
    areas = np.bincount(labels.ravel(), minlength=MOST_PARTS + 1)
    border = _border_lengths(labels)
    found = []
    for label in np.flatnonzero(areas[1:]) + 1:
        area = int(areas[label])
        movable = _looks_whole(area, int(border[label]), labels.size)
        found.append(Region(number, (int(label),), area, "", movable))
    return labels, found


def _looks_whole(area: int, border: int, pixels: int) -> bool:
    return bool(border <= 0.3 * np.sqrt(area) and 0.01 * pixels <= area <= 0.4 * pixels)


def whole_thing(mask: Bool[ndarray, "h w"]) -> bool:
    """Whether a mask looks like a complete thing: it covers 1 to 40 % and hardly touches the picture's border."""
    return _looks_whole(int(mask.sum()), int(_border_lengths(mask.astype(np.uint8))[1]), mask.size)


def _agreed(parts: list[UInt8[ndarray, "h w"]], found: list[Region]) -> list[Region]:
    """Let only those regions move that another annotator outlined too (IoU of 0.6 or more): those are mostly things."""
    areas = [np.bincount(part.ravel(), minlength=MOST_PARTS + 1) for part in parts]
    checked = []
    for region in found:
        best = 0.0
        if region.movable:
            inside = parts[region.map] == region.ids[0]
            for other, part in enumerate(parts):
                if other != region.map:
                    shared = np.bincount(part[inside], minlength=MOST_PARTS + 1)
                    best = max(best, float((shared / np.maximum(areas[other] + region.area - shared, 1)).max()))
        checked.append(replace(region, movable=best >= 0.6))
    return checked


def _ccp_map(labels: UInt8[ndarray, "h w"], number: int) -> tuple[UInt8[ndarray, "h w"], list[Region]]:
    """Split clothing classes into connected parts and add both-of-a-kind, clothing, body and the whole person."""
    parts, found = connected_parts(labels, number, 0.0005, _CCP_CARRIED, 0.01)
    groups: dict[int, list[Region]] = {}
    for region in found:
        groups.setdefault(_class_of(labels, parts, region), []).append(region)
    unions = [members for members in groups.values() if len(members) > 1]
    body = [part for label, members in groups.items() if label in (_CCP_HAIR, _CCP_SKIN) for part in members]
    carried = [part for label, members in groups.items() if label in _CCP_CARRIED for part in members]
    worn = [part for part in found if part not in body and part not in carried]
    unions += [group for group in (body, worn) if len(group) > 1]
    if carried:
        unions.append(body + worn)
    extra = [_union(number, group, "", False) for group in unions if group]
    if found:
        extra.append(_union(number, found, "person", True))
    return parts, _distinct(found + extra)


def _camvid_map(labels: UInt8[ndarray, "h w"], number: int) -> tuple[UInt8[ndarray, "h w"], list[Region]]:
    return connected_parts(labels, number, 0.003, _CAMVID_OBJECTS, 0.008)


_SPLITTERS: dict[str, Callable[[UInt8[ndarray, "h w"], int], tuple[UInt8[ndarray, "h w"], list[Region]]]] = {
    "bsds500": _whole_map,
    "vipseg_demo": _whole_map,
    "ccp": _ccp_map,
    "camvid": _camvid_map,
}


def connected_parts(
    labels: Integer[ndarray, "h w"], number: int, least: float, movable: dict[int, str], movable_least: float
) -> tuple[Integer[ndarray, "h w"], list[Region]]:
    """Number the connected parts of every class that cover at least the fraction `least`, largest first.

    Args:
        labels: Class of each pixel, 0 for none.
        number: Of the map in its still.
        least: Smallest part as a fraction of the map.
        movable: Names of the classes whose parts may be movable.
        movable_least: Smallest movable part as a fraction of the map.

    Returns:
        The part that each pixel belongs to, 0 for none, in the type of `labels`; and the parts as regions.
    """
    import cv2

    pieces = []
    for label in np.unique(labels):
        if label == 0:
            continue
        count, numbers, stats, _ = cv2.connectedComponentsWithStats((labels == label).astype(np.uint8), connectivity=8)
        for piece in range(1, count):
            area = int(stats[piece, cv2.CC_STAT_AREA])
            if area >= least * labels.size:
                pieces.append((area, int(label), stats[piece], numbers, piece))
    pieces.sort(key=lambda entry: -entry[0])
    parts = np.zeros_like(labels)
    found = []
    for index, (area, label, box, numbers, piece) in enumerate(pieces[:MOST_PARTS], start=1):
        x, y, w, h = (int(value) for value in box[:4])
        parts[y : y + h, x : x + w][numbers[y : y + h, x : x + w] == piece] = index
        inside = x > 0 and y > 0 and x + w < labels.shape[1] and y + h < labels.shape[0]
        whole = inside and label in movable and area >= movable_least * labels.size
        found.append(Region(number, (index,), area, movable.get(label, ""), whole))
    return parts, found


def _class_of(labels: UInt8[ndarray, "h w"], parts: UInt8[ndarray, "h w"], region: Region) -> int:
    return int(labels.flat[int(np.argmax(parts == region.ids[0]))])


def _union(number: int, members: list[Region], label: str, movable: bool) -> Region:
    ids = tuple(sorted(part for member in members for part in member.ids))
    return Region(number, ids, sum(member.area for member in members), label, movable)


def _distinct(found: list[Region]) -> list[Region]:
    """Keep one region for every set of parts, the last one (its label says most)."""
    return list({(region.map, region.ids): region for region in found}.values())


def _border_lengths(labels: UInt8[ndarray, "h w"]) -> ndarray:
    edge = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    return np.bincount(edge, minlength=MOST_PARTS + 1)
