"""A database and a workspace with a project of small videos, and archives to import into it."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from masklet.data_engine.database import Database
from masklet.data_engine.frame_pack import new_pack
from masklet.data_engine.objects import add_object, change_object, objects_of
from masklet.data_engine.projects import add_project, add_video, video_ready
from masklet.data_engine.schema import ObjectState
from masklet.data_engine.stored_masks import StoredMask, store_masklet
from masklet.data_engine.workspace import Workspace, new_key
from masklet.masks import rle

SIZE, FRAMES = (24, 32), 3


class ExchangeEngine:
    """Project 1 with videos v0.mp4, v1.mp4 ...; nobody has drawn anything yet.

    Args:
        database: With tables, empty.
        root: Folder for the workspace.
        videos: How many.
    """

    def __init__(self, database: Database, root: Path, videos: int) -> None:
        self.database, self.workspace = database, Workspace(root)
        with database.begin() as db:
            self.project = add_project(db, "clips", 3, "nano").id
            self.videos = [self._video(db, f"v{i}.mp4") for i in range(videos)]

    def _video(self, db: Any, name: str) -> int:
        key = new_key()
        with new_pack(self.workspace.pack(key), fps=24.0) as pack:
            for t in range(FRAMES):
                pack.add(np.full((*SIZE, 3), 60 * t, np.uint8))
        video = add_video(db, self.project, name, key)
        video_ready(db, video.id, SIZE[1], SIZE[0], FRAMES, 24.0)
        return video.id

    def draw(self, state: ObjectState = "satisfactory") -> None:
        """An object in each video."""
        mask = drawn()
        masks = [StoredMask(t, mask["counts"].encode(), rle.area(mask), 0.9, 5.0, 0.9, t == 0) for t in range(FRAMES)]
        for video in self.videos:
            with self.database.begin() as db:
                target = add_object(db, video, None)
                store_masklet(db, target.id, masks)
                change_object(db, target.id, state=state)

    def objects(self) -> list[int]:
        """How many objects each video has."""
        with self.database.reading() as db:
            return [len(objects_of(db, video)) for video in self.videos]


def drawn() -> rle.Rle:
    mask = np.zeros(SIZE, bool)
    mask[4:12, 6:20] = True
    return rle.encode(mask)


def instances(names: Sequence[str], size: tuple[int, int] = SIZE) -> dict[str, Any]:
    """YouTube-VIS of an object in each video; ``size`` is that of the last one."""
    videos, objects = [], []
    for i, name in enumerate(names, start=1):
        height, width = size if i == len(names) else SIZE
        files = [f"{name}/{t:05d}.jpg" for t in range(FRAMES)]
        videos.append({"id": i, "width": width, "height": height, "length": FRAMES, "file_names": files})
        code = drawn() if (height, width) == SIZE else rle.encode(np.ones((height, width), bool))
        objects.append({"id": i, "video_id": i, "category_id": 1, "segmentations": [code] * FRAMES})
    return {"videos": videos, "annotations": objects, "categories": [{"id": 1, "name": "dog"}]}


def zipped(path: Path, **files: str | bytes | dict[str, Any]) -> Path:
    """An archive; ``__`` in names stands for ``/``, and dictionaries become JSON."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            data = json.dumps(content) if isinstance(content, dict) else content
            archive.writestr(name.replace("__", "/"), data)
    return path
