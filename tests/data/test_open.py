from __future__ import annotations

import pickle
from uuid import uuid4

import numpy as np
import pytest
from made_sets import (
    FRAMES,
    SIZE,
    assert_scene,
    labels,
    mask,
    put,
    put_binary,
    put_folders,
    put_json,
    put_labels,
    put_movie,
    put_picture,
    sa_v_json,
)

from masklet.data.open import FORMATS, open_dataset, recognise
from masklet.data.paths import data_path
from masklet.masks import rle
from masklet.masks.brush_rle import encode_brush


def sa_v(root):
    put_movie(root / "sav_000001.mp4")
    put_json(root / "sav_000001_manual.json", sa_v_json([1, 2]))


def sa_1b(root):
    put_picture(root / "sa_1.jpg", index=4)
    put_json(root / "sa_1.json", {"annotations": [{"id": i, "segmentation": rle.encode(mask(4, i))} for i in (1, 2)]})


def davis(root):
    put_folders(root, "480p/a")


def youtube_vos(root):
    put_folders(root / "train", "a")
    things = {"1": {"frames": ["00000"]}, "2": {"frames": ["00003"]}}
    put_json(root / "train" / "meta.json", {"videos": {"a": {"objects": things}}})


def lvos(root):
    put_folders(root / "train", "a", digits=8)


def mose(root):
    put_folders(root / "train", "a")


def coco(root):
    put_picture(root / "images" / "a.jpg", index=4)
    images = [{"id": 1, "file_name": "a.jpg", "height": SIZE[0], "width": SIZE[1]}]
    found = [{"id": i, "image_id": 1, "segmentation": rle.encode(mask(4, i))} for i in (1, 2)]
    put_json(root / "annotations" / "instances_all.json", {"images": images, "annotations": found})


def cvat(root):
    put_picture(root / "images" / "a.jpg", index=4)
    shapes = '<polygon points="14,4;26,4;26,14;14,14"/><polygon points="20,18;40,18;40,30;20,30"/>'
    put(
        root / "annotations.xml",
        f'<annotations><image name="a.jpg" height="32" width="48">{shapes}</image></annotations>',
    )


def yolo_seg(root):
    put_picture(root / "images" / "a.jpg", index=4)
    points = [[(14, 4), (26, 4), (26, 14), (14, 14)], [(20, 18), (40, 18), (40, 30), (20, 30)]]
    lines = [" ".join(["0", *(f"{x / 48:.6f} {y / 32:.6f}" for x, y in one)]) for one in points]
    put(root / "labels" / "a.txt", "\n".join(lines))


def bsds(root):
    put_picture(root / "test" / "images" / "a.jpg", index=4)
    put_labels(root / "test" / "labels" / "a_a0.png", labels(4))


def class_maps(root):
    put_picture(root / "images" / "a.jpg", index=4)
    put_labels(root / "labels" / "a.png", labels(4))


def youtube_vis(root):
    for index in range(FRAMES):
        put_picture(root / "JPEGImages" / "a" / f"{index:05d}.jpg", index=index)
    video = {"id": 1, "width": SIZE[1], "height": SIZE[0], "file_names": [f"a/{t:05d}.jpg" for t in range(FRAMES)]}
    found = [
        {"id": i, "video_id": 1, "category_id": 5, "segmentations": [rle.encode(mask(t, i)) for t in range(FRAMES)]}
        for i in (1, 2)
    ]
    put_json(root / "train.json", {"videos": [video], "annotations": found, "categories": [{"id": 5, "name": "cat"}]})


def mots(root):
    lines = []
    for index in range(FRAMES):
        put_picture(root / "image_02" / "0000" / f"{index:06d}.png", index=index)
        shown = [number for number in (1, 2) if mask(index, number).any()]
        lines += [f"{index} {i} {i} {SIZE[0]} {SIZE[1]} {rle.encode(mask(index, i))['counts']}" for i in shown]
    put(
        root / "instances_txt" / "0000.txt", "\n".join([*lines, f"0 10000 10 32 48 {rle.encode(mask(0, 1))['counts']}"])
    )


def label_studio(root):
    put_picture(root / "images" / "a.jpg", index=4)
    shared = {"type": "brushlabels", "original_height": SIZE[0], "original_width": SIZE[1]}
    found = [{**shared, "value": {"rle": encode_brush(mask(4, i)), "brushlabels": ["cat"]}} for i in (1, 2)]
    put_json(root / "export.json", [{"data": {"image": "/data/upload/1/a.jpg"}, "annotations": [{"result": found}]}])


def track_results(root):
    for index in range(FRAMES):
        put_labels(root / f"{index:05d}.png", labels(index))


def plain_folders(root):
    put_picture(root / "images" / "a.jpg", index=4)
    put_binary(root / "masks" / "a" / "1.png", mask(4, 1))
    put_binary(root / "masks" / "a" / "2.png", mask(4, 2))


WRITERS = {
    one.__name__: one
    for one in (
        sa_v,
        sa_1b,
        davis,
        youtube_vos,
        lvos,
        mose,
        coco,
        cvat,
        bsds,
        class_maps,
        yolo_seg,
        plain_folders,
        youtube_vis,
        mots,
        label_studio,
        track_results,
    )
}


def test_every_format_is_here():
    assert WRITERS.keys() == FORMATS.keys()


@pytest.mark.parametrize("kind", ["local", "memory"])
@pytest.mark.parametrize("name", WRITERS)
def test_every_format_is_recognised_and_read_wherever_it_lies(name, kind, tmp_path):
    address = str(tmp_path) if kind == "local" else f"memory://{uuid4().hex}"
    WRITERS[name](data_path(address))
    dataset = pickle.loads(pickle.dumps(open_dataset(address)))
    assert (dataset.format, len(dataset)) == (name, 1)
    video = dataset[0]
    if name not in ("class_maps", "track_results"):  # one numbers objects by their area, the other has no pictures
        assert_scene(video, [4] if dataset.stills else None)
    assert {1, 2} == set(video.masks(0 if dataset.stills else 4))


def test_pairs_and_videos_in_object_storage():
    root = data_path(f"memory://{uuid4().hex}")
    put_picture(root / "a.jpg", index=4)
    put_labels(root / "a.png", labels(4))
    assert_scene(open_dataset(root)[0], [4])
    root = data_path(f"memory://{uuid4().hex}")
    put_picture(root / "walk" / "frames" / "0.jpg", index=4)
    put_labels(root / "walk" / "masks" / "0.png", labels(4))
    assert_scene(open_dataset(root)[0], [4])


def test_mistakes_are_named(tmp_path):
    with pytest.raises(ValueError, match="no format 'kitti', expected one of sa_v, sa_1b"):
        open_dataset(tmp_path, "kitti")
    with pytest.raises(FileNotFoundError, match="no file or folder"):
        open_dataset(tmp_path / "a")
    with pytest.raises(
        ValueError, match=r"not recognised, say which \(--format\)\. Looked for sa_v: .*plain_folders: "
    ):
        open_dataset(tmp_path)
    with pytest.raises(ValueError, match=r"expected a folder, or a file .*\.json"):
        recognise(put(tmp_path / "a.zip", "x"))


def test_the_development_sequences(shared_root):
    dataset = open_dataset(shared_root, "plain_folders", "dev")
    girls = dataset[dataset.names.index("davis17_schoolgirls")]
    assert girls.size == (240, 432)
    assert girls.first_frames().keys() == {1, 2, 3, 4, 5, 6, 7}
    assert np.sum([mask.sum() for mask in girls.masks(0).values()]) > 0
