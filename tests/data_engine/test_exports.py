from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from sqlalchemy import select

from masklet.data_engine.database import Database
from masklet.data_engine.exports import Format, export_project
from masklet.data_engine.frame_pack import new_pack
from masklet.data_engine.imports import IMPORT_FORMATS, import_masklets
from masklet.data_engine.objects import add_object, change_object, objects_of
from masklet.data_engine.projects import add_project, add_video, video_ready
from masklet.data_engine.schema import ObjectState, Origin, Task
from masklet.data_engine.stored_masks import StoredMask, masks_of, newest_masklets, store_masklet
from masklet.data_engine.workspace import Workspace, new_key
from masklet.masks import rle

SIZE, FRAMES = (36, 52), 9
FIRST = 1  # id of the project that has masklets
# A video of the inspected published file has these fields, and no others.
VIDEO_FIELDS = {
    "video_id": str, "video_duration": float, "video_frame_count": float, "video_height": float, "video_width": float,
    "video_resolution": float, "video_environment": str, "video_split": str, "masklet": list, "masklet_id": list,
    "masklet_size_rel": list, "masklet_size_abs": list, "masklet_size_bucket": list,
    "masklet_visibility_changes": list, "masklet_first_appeared_frame": list, "masklet_frame_count": list,
    "masklet_edited_frame_count": list, "masklet_type": list, "masklet_stability_score": list, "masklet_num": int,
}  # fmt: skip


class Engine:
    """A database and a workspace with projects of one video, walk.mp4."""

    def __init__(self, root: Path) -> None:
        self.root, self.workspace = root, Workspace(root / "workspace")
        self.database = Database(self.workspace.database)

    def project(self, name: str, every: int = 1, size: tuple[int, int] = SIZE) -> tuple[int, int]:
        """Ids of a new project and its video."""
        key = new_key()
        with new_pack(self.workspace.pack(key), fps=24.0) as pack:
            for t in range(FRAMES):
                pack.add(cv2.resize(np.full((4, 4, 3), 20 * t, np.uint8), size[::-1]))
        with self.database.begin() as db:
            project = add_project(db, name, 3, "nano", every)
            video = add_video(db, project.id, "walk.mp4", key)
            video_ready(db, video.id, size[1], size[0], FRAMES, 24.0)
            return project.id, video.id

    def masklet(self, video_id: int, state: ObjectState, place: int, origin: Origin = "manual", **more) -> None:
        """An object whose box moves, and is absent in frame 4."""
        with self.database.begin() as db:
            target = add_object(db, video_id, None, origin=origin, name=more.pop("name", None))
            store_masklet(db, target.id, [_stored(t, place) for t in range(FRAMES)], **more)
            change_object(db, target.id, state=state)

    def masks(self, video_id: int) -> dict[int, dict[int, tuple[bytes, int]]]:
        """Run lengths and area by object and frame, of what is not empty."""
        with self.database.reading() as db:
            masklets = newest_masklets(db, video_id)
            return {
                number: {m.frame: (m.counts, m.area) for m in masks_of(db, masklets[number].id) if m.area}
                for number in sorted(masklets)
            }


def _drawn(t: int, place: int) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    if t != 4:
        mask[3 + 9 * place : 9 + 9 * place, 2 + t : 20 + t] = True
        mask[5 + 9 * place, 8 + t] = False
    return mask


def _stored(t: int, place: int) -> StoredMask:
    code = rle.encode(_drawn(t, place))
    return StoredMask(t, code["counts"].encode(), rle.area(code), 0.9, 5.0, 0.5 + t / 20, t in (0, 5))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an engine whose project 1 has video 1 with masklets."""
    engine = Engine(tmp_path_factory.mktemp("made"))
    engine.database.upgrade()
    _, video_id = engine.project("first")
    engine.masklet(video_id, "satisfactory", 0, edited=2, clicks=5, name="dog")
    engine.masklet(video_id, "satisfactory", 1, origin="automatic")
    engine.masklet(video_id, "tracked", 2, edited=1)
    engine.masklet(video_id, "ill_defined", 2)
    engine.database.close()
    return engine.root


@pytest.fixture
def engine(made: Path, tmp_path: Path) -> Iterator[Engine]:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    engine = Engine(tmp_path)
    yield engine
    engine.database.close()


def _exported(engine: Engine, project_id: int, format: Format, **options) -> tuple[Path, list[str]]:
    out = engine.root / f"{format}.zip"
    export_project(engine.database, engine.workspace, project_id, format, out, **options)
    with zipfile.ZipFile(out) as archive:
        return out, sorted(archive.namelist())


@pytest.mark.parametrize("format", IMPORT_FORMATS)
def test_round_trip(engine, format):
    out, _ = _exported(engine, FIRST, format)
    other, video_id = engine.project("second")
    imported = import_masklets(engine.database, other, out, format)
    frames = [0, 4, 8] if format == "sa_v" else list(range(FRAMES))
    shown = [t for t in frames if t != 4]
    assert (imported.videos, imported.objects, imported.masks, imported.between) == (1, 2, 2 * len(shown), 0)
    want = [{t: _counts(t, place) for t in shown} for place in (0, 1)]
    assert sorted(engine.masks(video_id).values(), key=str) == sorted(want, key=str)
    with engine.database.reading() as db:
        rows = objects_of(db, video_id)
        assert {(row.origin, row.state) for row in rows} == {("imported", "proposed")}
        named = {row.name for row in rows}
        verifications = db.scalars(select(Task).where(Task.project_id == other, Task.stage == "verify")).all()
    assert len(verifications) == 2
    assert ("dog" in named) == (format not in ("sa_v", "davis"))


def _counts(t: int, place: int) -> tuple[bytes, int]:
    code = rle.encode(_drawn(t, place))
    return code["counts"].encode(), rle.area(code)


def test_sa_v_has_the_fields_of_published_files(engine):
    out, names = _exported(engine, FIRST, "sa_v")
    assert names == ["walk.mp4", "walk_auto.json", "walk_manual.json"]
    with zipfile.ZipFile(out) as archive:
        manual, auto = (json.loads(archive.read(f"walk_{kind}.json")) for kind in ("manual", "auto"))
        archive.extract("walk.mp4", engine.root)
    for content in (manual, auto):
        assert {name: type(value) for name, value in content.items()} == VIDEO_FIELDS
        assert content["video_id"] == "walk"
        assert (content["video_frame_count"], content["video_duration"]) == (9.0, 9 / 24)
        assert content["masklet_num"] == len(content["masklet_id"]) == 1
        assert len(content["masklet"]) == 3
        assert all(set(code) == {"size", "counts"} for row in content["masklet"] for code in row)
        assert content["masklet"][0][0]["size"] == list(SIZE)
        assert content["masklet_visibility_changes"] == [2]
        assert content["masklet_stability_score"] == [[0.5], [0.7], [pytest.approx(0.9)]]
    assert (manual["masklet_type"], auto["masklet_type"]) == (["manual"], ["auto"])
    assert (manual["masklet_edited_frame_count"], auto["masklet_edited_frame_count"]) == ([2], [0])
    with av.open(str(engine.root / "walk.mp4")) as movie:
        pictures = [frame.to_ndarray(format="rgb24") for frame in movie.decode(video=0)]
    assert [picture.shape for picture in pictures] == [(*SIZE, 3)] * FRAMES
    assert all(abs(float(picture.mean()) - 20 * t) < 3 for t, picture in enumerate(pictures))


def test_movies_of_odd_size_keep_their_size(engine):
    project_id, video_id = engine.project("odd", size=(35, 51))
    mask = rle.encode(np.ones((35, 51), bool))
    with engine.database.begin() as db:
        target = add_object(db, video_id, None)
        store_masklet(db, target.id, [StoredMask(0, mask["counts"].encode(), 35 * 51, 1.0, 5.0, 1.0, True)])
    out, _ = _exported(engine, project_id, "sa_v", which="all")
    with zipfile.ZipFile(out) as archive:
        archive.extract("walk.mp4", engine.root)
    with av.open(str(engine.root / "walk.mp4")) as movie:
        assert (movie.streams.video[0].height, movie.streams.video[0].width) == (35, 51)


def test_pictures_are_those_of_the_pack_byte_by_byte(engine):
    out, names = _exported(engine, FIRST, "davis")
    assert "Annotations/480p/walk/00004.png" in names
    with zipfile.ZipFile(out) as archive:
        jpeg = archive.read("JPEGImages/480p/walk/00003.jpg")
    assert jpeg in next((engine.root / "workspace" / "videos").iterdir()).read_bytes()


def test_overlay_is_a_movie_of_the_annotated_frames(engine):
    out, names = _exported(engine, FIRST, "overlay")
    assert names == ["walk.mp4"]
    with zipfile.ZipFile(out) as archive:
        archive.extract("walk.mp4", engine.root)
    with av.open(str(engine.root / "walk.mp4")) as movie:
        assert sum(1 for _ in movie.decode(video=0)) == FRAMES


def test_all_takes_what_is_not_verified_but_not_what_is_rejected(engine):
    done = export_project(engine.database, engine.workspace, FIRST, "coco", engine.root / "all.zip", which="all")
    assert (done.videos, done.objects, done.masks) == (1, 3, 24)
    assert any("single images" in sentence for sentence in done.losses)


def test_progress_rises_to_the_end_and_cancelling_leaves_nothing(engine):
    told: list[float] = []
    _exported(engine, FIRST, "coco", on_progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0

    def cancel(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_project(engine.database, engine.workspace, FIRST, "davis", engine.root / "x.zip", cancel)
    assert sorted(path.name for path in engine.root.iterdir()) == ["coco.zip", "workspace"]


def test_what_cannot_be_exported_is_refused(engine):
    empty, _ = engine.project("empty", every=3)
    out = engine.root / "out.zip"
    with pytest.raises(ValueError, match="no satisfactory masklets yet"):
        export_project(engine.database, engine.workspace, empty, "coco", out)
    with pytest.raises(ValueError, match="every 4th frame, this project annotates every 3"):
        export_project(engine.database, engine.workspace, empty, "sa_v", out)
    with pytest.raises(LookupError):
        export_project(engine.database, engine.workspace, 99, "coco", out)
    assert not out.exists()


def test_formats_are_known(engine, as_user):
    with pytest.raises(ValueError, match="no format 'pascal' to export, expected one of sa_v"):
        export_project(engine.database, engine.workspace, FIRST, "pascal", engine.root / "out.zip")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="no format 'overlay' to import, expected one of sa_v"):
        import_masklets(engine.database, FIRST, engine.root / "out.zip", "overlay")  # pyright: ignore[reportArgumentType]


def test_import_needs_videos_that_fit(engine):
    out, _ = _exported(engine, FIRST, "youtube_vis")
    other, video_id = engine.project("smaller", size=(30, 40))
    with pytest.raises(ValueError, match="masks of 52x36 pixels up to frame 8, the video has 9 frames of 40x30"):
        import_masklets(engine.database, other, out, "youtube_vis")
    with engine.database.begin() as db:
        assert objects_of(db, video_id) == []
        elsewhere = add_project(db, "elsewhere", 3, "nano").id
    with pytest.raises(LookupError, match=r"no video of the project is called like .*walk"):
        import_masklets(engine.database, elsewhere, out, "youtube_vis")
    (engine.root / "bad.zip").write_bytes(b"PK no")
    with pytest.raises(ValueError, match="whole and not encrypted"):
        import_masklets(engine.database, other, engine.root / "bad.zip", "davis")


def _zipped(path: Path, **files: object) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(f"{name}.json", json.dumps(content))
    return path


def test_sizes_that_would_take_all_memory_are_refused(engine):
    huge = {"size": [100_000, 100_000], "counts": rle.encode(np.zeros(SIZE, bool))["counts"]}
    shape = {"id": 1, "width": SIZE[1], "height": SIZE[0], "length": 1, "file_names": ["walk/0.jpg"]}
    one = {"id": 1, "video_id": 1, "category_id": 1, "segmentations": [huge]}
    content = {"videos": [shape], "annotations": [one], "categories": []}
    out = _zipped(engine.root / "huge.zip", instances=content)
    with pytest.raises(ValueError, match="larger than any image"):
        import_masklets(engine.database, FIRST, out, "youtube_vis")
    content["videos"] = [{**shape, "width": 100_000, "height": 100_000}]
    out = _zipped(engine.root / "wide.zip", instances=content)
    with pytest.raises(ValueError, match="100000x100000 pixels, expected at most"):
        import_masklets(engine.database, FIRST, out, "youtube_vis")


def test_names_that_lead_elsewhere_are_refused(engine):
    task = {"data": {"image": "../../../../etc/passwd"}, "annotations": [{"result": []}]}
    out = _zipped(engine.root / "out.zip", tasks=[task])
    with pytest.raises(ValueError, match="which is no name"):
        import_masklets(engine.database, FIRST, out, "label_studio")


def test_import_leaves_out_frames_that_are_not_annotated(engine):
    out, _ = _exported(engine, FIRST, "cvat")
    other, video_id = engine.project("every second", every=2)
    imported = import_masklets(engine.database, other, out, "cvat", state="satisfactory")
    assert (imported.masks, imported.between) == (8, 8)
    assert {t for masks in engine.masks(video_id).values() for t in masks} == {0, 2, 6, 8}


def test_names_are_made_fit_for_files(engine):
    from masklet.data_engine.finished_masks import file_names, stem

    given = ["../../etc/passwd.mp4", "a b.mov", "a b.mp4", "A_B.zip", "狗.mp4", "..", "v1.2 take"]
    assert list(file_names(given)) == ["passwd", "a_b", "a_b-2", "A_B-3", "狗", "video", "v1.2_take"]
    assert stem("v1.2 take") == "v1.2 take"
