"""A record comes back from its file as it was; other files are refused by name."""

from __future__ import annotations

import json
import math

import pytest

from made_runs import made_run
from masklet.evaluation.reports.run_record import RunRecord, read_run, write_run


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run" / "scores.json"


def test_a_record_comes_back(path):
    record = made_run()
    write_run(record, path)
    back = read_run(path)
    assert back == record
    assert back.vos["mask"].object_j == record.vos["mask"].object_j
    assert list(back.vos) == ["mask", "3 clicks"]


def test_an_empty_record_comes_back(path):
    record = RunRecord("dev", "ours", {}, "two cores")
    write_run(record, path)
    assert read_run(path) == record


def test_the_file_has_every_video_object_and_frame(path):
    write_run(made_run(), path)
    content = json.loads(path.read_text())
    one = content["vos"]["3 clicks"]["sequences"][1]["objects"][1]
    assert one == {"object_id": 2, "frames": [1, 2], "j_frames": [0.5, 0.7], "f_frames": [0.6, 0.7 + 0.1], "clicks": []}
    assert content["interactive"]["offline"][0]["rounds"][1]["score"]["clicks"] == [
        {"frame": 2, "x": 5.5, "y": 6.5, "label": 1}
    ]


def test_nothing_half_written_is_left(path):
    with pytest.raises(ValueError, match="infinity"):
        write_run(made_run(speed={"frames a second": math.inf}), path)
    assert not path.exists()
    write_run(made_run(), path)
    assert [p.name for p in path.parent.iterdir()] == ["scores.json"]


@pytest.mark.parametrize("cut", [1, 100, -1])
def test_a_damaged_file_is_named(path, cut):
    write_run(made_run(), path)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ValueError, match=r"scores\.json is no JSON or is damaged"):
        read_run(path)


@pytest.mark.parametrize("content", [[], {"format": "coco"}, 3, {"suite": "dev"}])
def test_a_foreign_file_is_named(path, content):
    path.parent.mkdir()
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"scores\.json is JSON, but no record"):
        read_run(path)


def test_bytes_that_are_no_text(path):
    path.parent.mkdir()
    path.write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(ValueError, match="no JSON"):
        read_run(path)


def changed(path, change):
    write_run(made_run(), path)
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_another_version_is_named(path):
    changed(path, lambda content: content.update(version=2))
    with pytest.raises(ValueError, match="version 2, expected 1"):
        read_run(path)


def test_a_wrong_value_is_named_by_its_place(path):
    changed(path, lambda content: content["vos"]["mask"]["sequences"][1]["objects"][0].update(object_id="x"))
    with pytest.raises(
        ValueError, match=r"damaged record: record\.vos\['mask'\]\.sequences\[1\]\.objects\[0\]\.object_id"
    ):
        read_run(path)


def test_a_missing_file_is_an_os_error(path):
    with pytest.raises(FileNotFoundError):
        read_run(path)
