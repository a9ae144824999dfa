from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

from made_videos import COUNT, SIZE, assert_same, draw, read_back, video_of, written
from masklet.interchange.convert import WRITERS, convert
from masklet.interchange.losses import LossError
from masklet.interchange.options import WriteOptions
from masklet.masks.label_png import write_label_png

EXACT = ("davis", "youtube_vos", "youtube_vis", "sa_v_folders", "mots", "cvat")


@pytest.fixture
def drawn():
    """Masks that every video format can hold."""
    made = draw(5, [1, 2, 9], overlap=False)
    made[3] = {1: np.ones(SIZE, bool)}
    return {t: found or {1: np.ones(SIZE, bool)} for t, found in made.items()}


@pytest.mark.parametrize(("first", "second"), [*itertools.permutations(EXACT, 2)])
def test_from_each_video_format_to_each_other(first, second, drawn, tmp_path):
    written(first, tmp_path / "a", video_of(drawn, pictures=tmp_path / "p"))
    source = tmp_path / "a"
    done = convert(source, tmp_path / "b", second, options=WriteOptions(pictures=True))
    (video,) = read_back(tmp_path / "b")
    assert_same(video, drawn)
    assert (done.videos, done.objects, done.masks) == (1, 3, sum(map(len, drawn.values())))
    assert done.losses.keys() <= {"category", "class"}


@pytest.mark.parametrize("to", WRITERS)
def test_every_writer_takes_a_folder_of_label_maps_and_a_movie_is_not_needed(to, drawn, tmp_path):
    for frame, found in drawn.items():
        labels = np.zeros(SIZE, np.uint8)
        for number, mask in found.items():
            labels[mask] = number
        (tmp_path / "masks").mkdir(exist_ok=True)
        write_label_png(tmp_path / "masks" / f"{frame:05d}.png", labels)
    done = convert(tmp_path / "masks", tmp_path / "out", to)
    assert done.videos == 1
    assert not list(tmp_path.glob(".*")), "nothing temporary is left"


def test_frames_may_be_given(drawn, tmp_path):
    written("cvat", tmp_path / "a", video_of(drawn))
    video_of(drawn, pictures=tmp_path / "frames")
    options = WriteOptions(pictures=True)
    convert(tmp_path / "a", tmp_path / "b", "davis", video=tmp_path / "frames", options=options)
    assert_same(read_back(tmp_path / "b")[0], drawn)
    with pytest.raises(FileNotFoundError, match=r"00000\.jpg"):
        convert(tmp_path / "a", tmp_path / "c", "davis", options=options)
    write_label_png(tmp_path / "frames" / "00000.png", np.zeros((4, 5), np.uint8))
    with pytest.raises(ValueError, match=r"object 1 in frame 0 has 34x21 pixels, the frames have 5x4"):
        convert(tmp_path / "a", tmp_path / "c", "davis", video=tmp_path / "frames")
    for path in (tmp_path / "frames").glob("*.png"):
        path.unlink()
    write_label_png(tmp_path / "frames" / "00000.png", np.zeros(SIZE, np.uint8))
    with pytest.raises(ValueError, match=r"masks of frame 1, .*frames has frames 0 to 0"):
        convert(tmp_path / "a", tmp_path / "c", "davis", video=tmp_path / "frames")


def test_renumbering(tmp_path):
    whole = np.ones(SIZE, bool)
    drawn = {t: {0: whole} if t else {300: whole} for t in range(COUNT)}
    written("youtube_vis", tmp_path / "a", video_of(drawn, categories={300: "cat"}))
    with pytest.raises(ValueError, match=r"instances\.json: walk: Object id 0"):
        convert(tmp_path / "a", tmp_path / "b", "youtube_vos")
    assert not (tmp_path / "b").exists()
    done = convert(tmp_path / "a", tmp_path / "b", "youtube_vos", renumber=True)
    assert done.renumbered == 2
    meta = json.loads((tmp_path / "b" / "train" / "meta.json").read_text())
    assert meta["videos"]["walk"]["objects"]["2"]["category"] == "cat"


def test_strict_refuses_and_leaves_nothing(tmp_path):
    drawn = {t: {1: np.ones(SIZE, bool), 2: np.ones(SIZE, bool)} for t in range(COUNT)}
    written("youtube_vis", tmp_path / "a", video_of(drawn))
    with pytest.raises(LossError, match=r"instances\.json: walk, frame 0: 1 frame had overlapping objects"):
        convert(tmp_path / "a", tmp_path / "b", "youtube_vos", strict=True)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert convert(tmp_path / "a", tmp_path / "b", "youtube_vos").losses == {"overlap": COUNT}


def test_what_is_there_is_not_replaced(drawn, tmp_path):
    written("youtube_vis", tmp_path / "a", video_of(drawn))
    (tmp_path / "b").mkdir()
    convert(tmp_path / "a", tmp_path / "b", "mots")
    with pytest.raises(FileExistsError, match="--overwrite"):
        convert(tmp_path / "a", tmp_path / "b", "mots")
    convert(tmp_path / "a", tmp_path / "b", "youtube_vis", overwrite=True)
    assert not (tmp_path / "b" / "instances_txt").exists()
    assert_same(read_back(tmp_path / "b")[0], drawn)
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "mine.txt").write_text("x")
    with pytest.raises(FileExistsError, match="another folder"):
        convert(tmp_path / "a", tmp_path / "c", "mots", overwrite=True)
    for dest in (tmp_path / "a", tmp_path / "a" / "inner", tmp_path):
        with pytest.raises(ValueError, match="lie in each other"):
            convert(tmp_path / "a", dest, "mots", overwrite=True)


def test_a_failed_conversion_leaves_what_was_there(drawn, tmp_path):
    written("youtube_vis", tmp_path / "a", video_of(drawn))
    convert(tmp_path / "a", tmp_path / "b", "mots")
    content = json.loads((tmp_path / "a" / "instances.json").read_text())
    code = content["annotations"][0]["segmentations"][3]
    code["counts"] = code["counts"][:-1]
    (tmp_path / "a" / "instances.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"instances\.json: frame 3 of walk: object 1 of frame 3: .*(cut off|cover)"):
        convert(tmp_path / "a", tmp_path / "b", "youtube_vis", overwrite=True)
    assert (tmp_path / "b" / "instances_txt" / "walk.txt").is_file()
    assert not list(tmp_path.glob(".*"))


@pytest.mark.usefixtures("as_user")
def test_mistakes_are_named(drawn, tmp_path):
    written("youtube_vis", tmp_path / "a", video_of(drawn, "a"), video_of(drawn, "b"))
    with pytest.raises(ValueError, match="no format 'voc' to write, expected one of davis"):
        convert(tmp_path / "a", tmp_path / "b", "voc")
    with pytest.raises(ValueError, match="no format 'voc', expected one of sa_v"):
        convert(tmp_path / "a", tmp_path / "b", "mots", format="voc")
    with pytest.raises(ValueError, match="polygons are a choice in coco and cvat"):
        convert(tmp_path / "a", tmp_path / "b", "mots", options=WriteOptions(polygons=True))
    with pytest.raises(ValueError, match="has 2 videos, frames can be given"):
        convert(tmp_path / "a", tmp_path / "b", "mots", video=tmp_path)
    with pytest.raises(FileNotFoundError, match="expected a movie"):
        convert(tmp_path / "a", tmp_path / "b", "mots", video=tmp_path / "a" / "instances.json")


def test_images_keep_points_in_their_names(tmp_path):
    for name in ("img.001", "img.002"):
        for folder in ("images", "masks"):
            (tmp_path / "set" / folder).mkdir(parents=True, exist_ok=True)
            write_label_png(tmp_path / "set" / folder / f"{name}.png", np.eye(4, 5, dtype=np.uint8))
    for to in ("coco", "yolo_seg", "davis"):
        done = convert(tmp_path / "set", tmp_path / to, to, options=WriteOptions(pictures=True))
        assert done.stills
        assert len(read_back(tmp_path / to)) == 2
        assert convert(tmp_path / to, tmp_path / f"{to}2", to).videos == 2


def test_names_cannot_lead_out_of_the_folder(drawn, tmp_path):
    written("youtube_vis", tmp_path / "a", video_of(drawn))
    file = tmp_path / "a" / "instances.json"
    file.write_text(file.read_text().replace("walk/", "../walk/"))
    with pytest.raises(ValueError, match=r"'\.\./walk' is no name for files"):
        convert(tmp_path / "a", tmp_path / "b", "mots")
