from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from masklet.cli.main import main
from masklet.evaluation.reports.run_record import read_run
from masklet.inference.automatic import AutomaticOptions
from tiny_model import clip, disc


def put(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), values)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two videos of four frames."""
    root = tmp_path / "clips"
    for name, start in (("a", 0), ("b <&>", 3)):
        for t in range(start, start + 4):
            put(root / name / "frames" / f"{t}.png", clip(t + 1)[t][..., ::-1])
            put(root / name / "masks" / f"{t}.png", disc(t).astype(np.uint8))
    return root


def run(*words: object) -> int:
    return main(["eval", *map(str, words), "--workers", "1"])


def values(path: Path) -> dict[str, object]:
    record = read_run(path / "run.json")
    return {"vos": record.vos, "interactive": record.interactive, "images": record.images}


def test_a_floor_is_scored_and_its_masks_score_the_same(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    out = tmp_path / "out"
    assert run("vos", "--data", data, "--tracker", "copy-first", "-o", out) == 0
    shown = capsys.readouterr().out
    assert "1/2 mask, a" in shown
    assert "run.json, report.md, report.html" in shown
    record = read_run(out / "run.json")
    assert record.tracker == "copy-first"
    assert list(record.vos) == ["mask"]
    assert 0 < record.vos["mask"].j < 1
    assert record.headlines["mask"]["J"] == record.vos["mask"].j
    assert "copy-first" in (out / "report.md").read_text()
    page = (out / "report.html").read_text()
    assert "b &lt;&amp;&gt;" in page
    assert "b <&>" not in page
    assert "data:image/jpeg" in page
    again = tmp_path / "again"
    assert run("vos", "--data", data, "--predictions", out / "masks" / "mask", "-o", again) == 0
    assert values(again)["vos"] == record.vos
    assert "data:image/jpeg" in (again / "report.html").read_text()


def test_a_model_under_every_prompt_by_two_processes_as_by_one(data: Path, tmp_path: Path, model_file: str):
    found = {}
    for count in (1, 2):
        out = tmp_path / str(count)
        words = ["vos", "--data", data, "--tracker", model_file, "-o", out, "--workers", count, "--quiet"]
        assert main(["eval", *map(str, words)]) == 0
        found[count] = values(out)
    assert found[1] == found[2]
    assert list(found[1]["vos"]) == ["mask", "box", "1 click", "3 clicks", "5 clicks"]
    assert len(found[1]["vos"]["5 clicks"].sequences[0].objects[0].clicks) == 5


def test_recall_of_automatic_masks(data: Path, tmp_path: Path, model_file: str, monkeypatch: pytest.MonkeyPatch):
    few = AutomaticOptions(grids=(4,), least_iou=0.0, least_stability=0.0)
    monkeypatch.setattr("masklet.inference.adapters.AutomaticOptions", lambda **_: few)
    out = tmp_path / "a"
    assert run("automatic", "--data", data, "--tracker", model_file, "--workers", "1", "-o", out) == 0
    (scores,) = read_run(out / "run.json").automatic.values()
    assert {score.name for score in scores} == {path.name for path in data.iterdir()}
    assert all(0 <= score.found[10] <= score.covered[10] <= 1 for score in scores)
    assert any(score.best_iou > 0 for score in scores)
    assert "| AR@10 | AR@100 | AR@1000 | covered@10 |" in (out / "report.md").read_text()


def test_interactive_and_images(data: Path, tmp_path: Path, model_file: str):
    assert run("interactive", "--data", data, "--tracker", model_file, "-o", tmp_path / "i", "--videos", 1) == 0
    rounds = {mode: scores[0].rounds for mode, scores in read_run(tmp_path / "i" / "run.json").interactive.items()}
    assert {mode: len(each) for mode, each in rounds.items()} == {"offline": 8, "online": 8}
    assert run("images", "--data", data, "--tracker", model_file, "-o", tmp_path / "m") == 0
    (score,) = read_run(tmp_path / "m" / "run.json").images.values()
    assert len(score.masks) == 2
    assert list(score.after_clicks) == [1, 3, 5]


@pytest.fixture
def regions(tmp_path: Path) -> Path:
    """Two photos in PNGs as BSDS500, each with the halves of two annotators."""
    root = tmp_path / "regions"
    for t, name in enumerate(("7", "12")):
        put(root / "test" / "images" / f"{name}.jpg", clip(t + 1)[t][..., ::-1])
        for annotator in (0, 1):
            labels = np.ones((48, 72), np.uint8)
            labels[:, 30 + 10 * annotator :] = 2
            put(root / "test" / "labels" / f"{name}_a{annotator}.png", labels)
    return root


def test_every_region_of_every_annotator_or_some_of_them(
    regions: Path, tmp_path: Path, model_file: str, capsys: pytest.CaptureFixture
):
    words = ["images", "--data", regions, "--split", "test", "--tracker", model_file]
    assert run(*words, "-o", tmp_path / "all") == 0
    (every,) = read_run(tmp_path / "all" / "run.json").images.values()
    assert [(m.name, m.index) for m in every.masks] == [(name, index) for name in ("7", "12") for index in range(4)]
    assert all(m.box is not None for m in every.masks)
    (tmp_path / "names.txt").write_text("12\n")
    assert run(*words, "--names", tmp_path / "names.txt", "--masks-per-image", 3, "-o", tmp_path / "some") == 0
    (some,) = read_run(tmp_path / "some" / "run.json").images.values()
    assert [(m.name, m.index) for m in some.masks] == [("12", 0), ("12", 1), ("12", 2)]
    assert {m.click_iou for m in some.masks} < {m.click_iou for m in every.masks if m.name == "12"}
    assert run(*words, "--names", tmp_path / "names.txt", "-o", tmp_path / "some") == 2
    assert "masks_per_image 3, not None" in capsys.readouterr().err
    (tmp_path / "names.txt").write_text("12\n13\n")
    assert run(*words, "--names", tmp_path / "names.txt", "-o", tmp_path / "other") == 2
    assert "has none of these names (bsds): 13" in capsys.readouterr().err


def test_a_map_of_another_size_is_named_and_there_is_no_report(
    regions: Path, tmp_path: Path, model_file: str, capsys: pytest.CaptureFixture
):
    put(regions / "test" / "labels" / "7_a1.png", np.ones((8, 9), np.uint8))
    assert run("images", "--data", regions, "--tracker", model_file, "-o", tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert "images, 7: " in error
    assert "7_a1.png: a map has shape (8, 9), the image (48, 72)" in error
    assert not (tmp_path / "out" / "run.json").exists()


def test_speed(data: Path, tmp_path: Path, model_file: str, capsys: pytest.CaptureFixture):
    out = tmp_path / "out"
    assert run("speed", "--data", data, "--tracker", model_file, "--passes", 3, "-o", out) == 0
    speed = read_run(out / "run.json").speed
    assert list(speed) == ["frames a second", "images a second", "images a second, batch 10"]
    assert all(value > 0 for value in speed.values())
    assert "frames/s" in capsys.readouterr().out
    assert "published, not measured" in (out / "report.md").read_text()


def test_what_was_done_is_not_done_again_and_other_settings_are_named(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture
):
    out = tmp_path / "out"
    assert run("vos", "--data", data, "--tracker", "copy-first", "-o", out) == 0
    kept = out / "units" / "mask" / "000000.json"
    changed = json.loads(kept.read_text())
    changed["result"]["objects"][0]["j_frames"][0] = 0.125
    kept.write_text(json.dumps(changed))
    assert run("vos", "--data", data, "--tracker", "copy-first", "-o", out) == 0
    assert read_run(out / "run.json").vos["mask"].sequences[0].objects[0].j_frames[0] == 0.125
    assert run("davis17", "--data", data, "--tracker", "copy-first", "-o", out) == 2
    error = capsys.readouterr().err
    assert "suite 'vos', not 'davis17'" in error
    assert "take another folder" in error


def test_two_runs_are_compared(data: Path, tmp_path: Path):
    for name in ("copy-first", "optical-flow"):
        assert run("vos", "--data", data, "--tracker", name, "-o", tmp_path / name) == 0
    first = tmp_path / "copy-first" / "run.json"
    words = ("--beside", first, "--compare", first)
    assert run("vos", "--data", data, "--tracker", "optical-flow", "-o", tmp_path / "optical-flow", *words) == 0
    assert (tmp_path / "optical-flow" / "report.md").read_text().count("copy-first") >= 2


def test_all_faults_of_predictions_are_listed_and_nothing_is_scored(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture
):
    predicted = tmp_path / "predicted"
    for t in range(4):
        put(predicted / "a" / f"{t}.png", np.where(disc(t), 255, 0).astype(np.uint8))
    out = tmp_path / "out"
    assert run("vos", "--data", data, "--predictions", predicted, "-o", out) == 2
    error = capsys.readouterr().err
    assert "255" in error
    assert "b <&>" in error
    assert "faults in these predictions" in error
    assert not (out / "run.json").exists()


def test_a_video_without_truth_is_named_and_the_others_are_kept(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture
):
    for path in (data / "a" / "masks").iterdir():
        put(path, np.zeros((48, 72), np.uint8))
    out = tmp_path / "out"
    assert run("vos", "--data", data, "--tracker", "copy-first", "-o", out) == 2
    error = capsys.readouterr().err
    assert "mask, a: a has no mask of any object" in error
    assert "1 of 2 results are missing" in error
    assert not (out / "run.json").exists()
    assert (out / "units" / "mask" / "000001.json").exists()


def test_a_model_answers_clicks_for_a_floor(data: Path, tmp_path: Path):
    words = "vos", "--data", data, "--prompt", "mask", "--prompt", "1 click", "--image-size", "64"
    assert run(*words, "--tracker", "nano+copy-first", "-o", tmp_path / "both") == 0
    assert run(*words[:5], "--tracker", "copy-first", "-o", tmp_path / "floor") == 0
    both, floor = (read_run(tmp_path / name / "run.json").vos for name in ("both", "floor"))
    assert both["mask"] == floor["mask"]
    assert {"mask", "1 click"} == set(both)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nothing"], "there is no suite 'nothing'"),
        (["youtube_vos"], "reports seen and unseen apart"),
        (["vos", "--prompt", "scribble"], "there is no prompt or mode 'scribble'"),
        (["vos", "--layout", "odd"], "expected merged or objects"),
        (["vos", "--tracker", "copy-first", "--videos", "0"], "is taken: expected at least one video or image"),
        (["images", "--masks-per-image", "0"], "got --masks-per-image 0, expected at least 1"),
        (["vos", "--threads", "0"], "at least 1 thread"),
        (["vos", "--workers", "-1"], "expected 0 (as many as fit) or more"),
        (["automatic", "--tracker", "copy-first"], "copy-first takes nothing but masks, got automatic"),
        (["images", "--tracker", "copy-first"], "copy-first takes nothing but masks, got images"),
        (["vos", "--tracker", "copy-first", "--prompt", "box"], "takes nothing but masks, got box"),
        (["vos", "--tracker", "not-there"], "not-there"),
    ],
)
def test_mistakes_are_named(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture, words: list[str], message: str):
    assert main(["eval", *words[:1], "--data", str(data), "-o", str(tmp_path / "out"), "--workers", "1", *words[1:]])
    assert message in capsys.readouterr().err


def test_inputs_that_are_not_square(data: Path, tmp_path: Path, model_file: str, capsys: pytest.CaptureFixture):
    words = ["vos", "--data", data, "--prompt", "mask", "--videos", 1, "--tracker"]
    found = {}
    for fit in ("stretch", "native"):
        assert run(*words, model_file, "--fit", fit, "-o", tmp_path / fit) == 0
        record = read_run(tmp_path / fit / "run.json")
        assert record.settings["fit"] == fit
        found[fit] = record.vos["mask"].j
    assert found["stretch"] != found["native"]
    assert run(*words, "official:sam2.1_hiera_tiny", "--fit", "native", "-o", tmp_path / "o") == 2
    assert "got --fit native with official:sam2.1_hiera_tiny: the code of others" in capsys.readouterr().err
