from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from masklet.compat.sam2.sav_evaluator import main, score_folders
from video_trees import put_labels, square

pytestmark = pytest.mark.usefixtures("as_user")


@pytest.fixture
def sa_v(tmp_path: Path) -> Path:
    """Two videos of two objects in six annotated frames; object 1 of the first is found one column aside."""
    for name in ("sav_000001", "sav_000002"):
        for i in (0, 1):
            for t in range(6):
                file = f"{i:03d}/{4 * t:05d}.png"
                hidden = i == 1 and t < 2  # leading frames without the object in either do not count
                mask = np.zeros_like(square(0)) if hidden else square(5 + 20 * i + t)
                shift = 1 if (name, i) == ("sav_000001", 1) else 0
                put_labels(tmp_path / "gt" / name / file, mask)
                put_labels(tmp_path / "pred" / name / file, mask if hidden else square(5 + 20 * i + t + shift))
    return tmp_path


J = 90 / 110  # of squares of 10 x 10 pixels, one column apart


def test_sa_v(sa_v: Path, capsys: pytest.CaptureFixture[str]):
    scores = list(score_folders(sa_v / "gt", sa_v / "pred"))
    assert [(s.name, [o.object_id for o in s.objects]) for s in scores] == [
        ("sav_000001", [0, 1]),
        ("sav_000002", [0, 1]),
    ]
    assert [o.frames for o in scores[0].objects] == [(1, 2, 3, 4), (2, 3, 4)]
    assert [o.j for o in scores[0].objects] == [1.0, pytest.approx(J)]
    assert main(["--gt_root", str(sa_v / "gt"), "--pred_root", str(sa_v / "pred"), "-n", "1", "-q"]) == 0
    assert (sa_v / "pred" / "results.csv").read_text() == (
        "sequence    ,obj,  J&F,    J,    F\n"
        "Global score,   , 97.7, 95.5, 100.0\n"
        "sav_000001  ,000, 100.0, 100.0, 100.0\n"
        "sav_000001  ,001, 90.9, 81.8, 100.0\n"
        "sav_000002  ,000, 100.0, 100.0, 100.0\n"
        "sav_000002  ,001, 100.0, 100.0, 100.0\n"
    )  # byte for byte what the official evaluator writes for these files


def test_first_and_last_frames_count_if_asked(sa_v: Path):
    put_labels(sa_v / "pred" / "sav_000002" / "000" / "00000.png", np.zeros_like(square(0)))
    (score,) = list(score_folders(sa_v / "gt", sa_v / "pred", skip_first_and_last=False))[1:]
    assert score.objects[0].j == pytest.approx(5 / 6)
    assert [len(o.frames) for o in score.objects] == [6, 4]


def test_label_maps(tmp_path: Path):
    for t in range(5):
        put_labels(tmp_path / "set" / "Annotations" / "bear" / f"{t:05d}.png", square(5, 1, square(40, 255)))
        put_labels(tmp_path / "pred" / "bear" / f"{t:05d}.png", square(6, 1, square(25, 9, square(40, 255))))
    (score,) = score_folders(tmp_path / "set", tmp_path / "pred")
    assert [(o.object_id, o.frames) for o in score.objects] == [(1, (1, 2, 3)), (255, (1, 2, 3))]  # 9 is not known
    assert [o.j for o in score.objects] == [pytest.approx(J), 1.0]


@pytest.mark.parametrize("processes", [1, 2])
def test_several_processes_give_the_same(sa_v: Path, processes: int):
    scores = list(score_folders(sa_v / "gt", sa_v / "pred", processes=processes))
    assert scores == list(score_folders(sa_v / "gt", sa_v / "pred"))


def test_videos_of_one_folder_only(sa_v: Path, capsys: pytest.CaptureFixture[str]):
    put_labels(sa_v / "gt" / "sav_000003" / "000" / "00000.png", square(3))
    assert len(list(score_folders(sa_v / "gt", sa_v / "pred"))) == 2
    with pytest.raises(SystemExit) as ended:
        main(["--gt_root", str(sa_v / "gt"), "--pred_root", str(sa_v / "pred"), "-s"])
    assert ended.value.code == 1
    assert "only the first has ['sav_000003'], only the second []" in capsys.readouterr().err
    with pytest.raises(FileNotFoundError, match="no video is in both"):
        list(score_folders(sa_v / "gt", sa_v / "gt" / "sav_000003"))
    with pytest.raises(FileNotFoundError, match="found none at"):
        list(score_folders(sa_v / "gt", sa_v / "nowhere"))


def test_missing_predictions_are_named(sa_v: Path):
    (sa_v / "pred" / "sav_000001" / "001" / "00012.png").unlink()
    with pytest.raises(ValueError, match=r"001.*frames are missing, 1 of 4: 00012"):
        list(score_folders(sa_v / "gt", sa_v / "pred"))
    (sa_v / "pred" / "sav_000001" / "001" / "00012.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match="no PNG files"):
        list(score_folders(sa_v / "gt", sa_v / "pred"))
