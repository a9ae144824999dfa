from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from masklet.cli import auto_corpus
from masklet.cli.auto_corpus import CorpusWork
from masklet.cli.main import main
from masklet.evaluation.runs import Unit
from masklet.inference.corpus_files import names_below
from tiny_model import clip

FEW = [
    "--workers",
    "1",
    "--least-iou",
    "0",
    "--least-stability",
    "0",
    "--grid",
    "2",
    "--every",
    "3",
    "--small-area",
    "5",
]


def make(folder: Path, start: int, frames: int = 4) -> None:
    folder.mkdir(parents=True)
    for t, frame in enumerate(clip(start + frames)[start:]):
        cv2.imwrite(str(folder / f"{t}.png"), np.ascontiguousarray(frame[..., ::-1]))


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Two videos, one of them deeper, and an image."""
    root = tmp_path / "corpus"
    make(root / "a", 0)
    make(root / "deep" / "b", 3)
    shutil.copy(root / "a" / "0.png", root / "photo.png")
    return root


def contents(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in names_below(out)}


def run(*words: object) -> int:
    return main(["auto", *map(str, words)])


def test_each_is_done_as_by_itself(
    corpus: Path, model_file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    out, words = tmp_path / "out", ["--model", model_file, *FEW[2:], "--format", "objects"]
    (corpus / "photo.png").unlink()
    assert run(corpus, "-o", out, *words) == 0
    assert "2 of 2 done" in capsys.readouterr().err
    for name in ("a", "deep/b"):
        assert run(corpus / name, "-o", (tmp_path / "alone" / name).parent, *words) == 0
    found = contents(out)
    assert json.loads(found.pop("masklet.corpus.json"))["masks"]["grids"] == [2]
    assert found == contents(tmp_path / "alone")
    assert {"a_auto.json", "a_auto/001/00000.png", "deep/b_auto.json"} < found.keys()

    def no_work(*_: object) -> None:
        raise AssertionError("all is done")

    monkeypatch.setattr(CorpusWork, "generators", lambda _: (None, None))
    monkeypatch.setattr(CorpusWork, "_do", no_work)
    assert run(corpus, "-o", out, *words) == 0
    assert "2 of them done already" in capsys.readouterr().err


def test_a_stop_and_a_fault_and_an_image(
    corpus: Path, model_file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    (corpus / "broken.mp4").write_bytes(b"no movie")
    words = [corpus, "--model", model_file, *FEW]
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert run(*words, "-o", whole) == 1
    assert "broken.mp4: " in capsys.readouterr().err
    assert "broken.mp4" in json.loads((whole / "masklet.faults.json").read_text())
    assert {"photo.json", "photo.overlay.png", "a_auto.json", "deep/b_auto.json"} < contents(whole).keys()

    real = CorpusWork._do

    def stop(self: CorpusWork, images: object, videos: object, unit: Unit) -> object:
        if unit.name == "deep/b":
            raise KeyboardInterrupt
        return real(self, images, videos, unit)  # pyright: ignore[reportArgumentType]

    with monkeypatch.context() as patch:
        patch.setattr(CorpusWork, "_do", stop)
        assert run(*words, "-o", stopped) == 130
    assert "the same command goes on" in capsys.readouterr().err
    assert run(*words, "-o", stopped, "--every", "2") == 2
    assert "results with other options" in capsys.readouterr().err
    assert "deep/b_auto.json" not in contents(stopped)
    assert run(*words, "-o", stopped) == 1
    assert contents(stopped) == contents(whole)
    with monkeypatch.context() as patch:
        patch.setattr(CorpusWork, "_do", stop)
        assert run(*words, "-o", stopped, "--every", "2", "--format", "objects", "--no-resume") == 130
    assert "deep/b_auto.json" not in contents(stopped)  # that of other options is gone
    assert run(*words, "-o", stopped, "--every", "2", "--format", "objects") == 1
    assert "deep/b_auto.json" in contents(stopped)
    assert run(*words, "-o", stopped, "--no-resume") == 1
    assert contents(stopped) == contents(whole)
    (corpus / "broken.mp4").unlink()
    assert run(*words, "-o", stopped) == 0
    assert "masklet.faults.json" not in contents(stopped)


def test_what_is_too_large_for_a_worker_is_a_fault(
    corpus: Path, model_file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def full(*_: object) -> None:
        raise MemoryError("no more")

    monkeypatch.setattr(CorpusWork, "_video", full)
    assert run(corpus, "-o", tmp_path / "out", "--model", model_file, *FEW) == 1
    assert "a: MemoryError: no more" in capsys.readouterr().err
    assert "photo.json" in contents(tmp_path / "out")


def test_a_list_and_an_address(corpus: Path, model_file: str, tmp_path: Path):
    pytest.importorskip("upath")
    from upath import UPath

    remote = UPath(f"memory://{tmp_path.name}")
    for name in names_below(corpus):
        (remote / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (remote / "in" / name).write_bytes((corpus / name).read_bytes())
    words = ["--model", model_file, *FEW]
    assert run(f"{remote}/in", "-o", f"{remote}/out", *words) == 0
    assert run(corpus, "-o", tmp_path / "out", *words) == 0
    wanted = contents(tmp_path / "out")
    assert {name: (remote / "out" / name).read_bytes() for name in wanted} == wanted
    (tmp_path / "list.txt").write_text(f"{corpus}/photo.png\n{corpus}/deep/b\n")
    assert run(tmp_path / "list.txt", "-o", tmp_path / "flat", *words) == 0
    assert (tmp_path / "flat" / "b_auto.json").read_bytes() == wanted["deep/b_auto.json"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["{corpus}", "--workers", "1", "-o", "{corpus}/out"], "lies in the corpus"),
        (["{corpus}", "--workers", "0"], "at least 1"),
        (["{corpus}", "--workers", "1", "--threads", "0"], "at least 1"),
        (["{corpus}/photo.png", "--workers", "2"], "workers share a folder or a list"),
        (["{corpus}/photo.png", "--threads", "2"], "--threads, which is for a corpus"),
        (["{corpus}/deep", "{corpus}/photo.png"], "is a corpus or a video: give one"),
        (["{corpus}/photo.png", "--json"], "--json, which is for --plan"),
        (["nosuch://bucket", "-o", "x"], "nosuch"),
        ([], "nothing is given"),
    ],
)
def test_mistakes(
    corpus: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str], as_user: None, tmp_path: Path
):
    if "nosuch" in words[:1]:
        pytest.importorskip("upath")
    written = [word.format(corpus=corpus) for word in words]
    assert run(*written, *([] if "-o" in words else ["-o", tmp_path / "out"]), "--model", "no such model") == 2
    assert said in capsys.readouterr().err


@pytest.mark.slow
def test_two_workers_of_this_machine(corpus: Path, model_file: str, tmp_path: Path):
    words = [corpus, "--model", model_file, *FEW, "--quiet"]
    assert run(*words, "-o", tmp_path / "one") == 0
    assert run(*words, "-o", tmp_path / "two", "--workers", 2) == 0
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


@pytest.mark.slow
def test_workers_of_a_cluster_and_the_whole_run_are_killed(tmp_path: Path, model_file: str):
    """Workers are killed while they work, then the command itself; the same command ends with the same files."""
    pytest.importorskip("ray")
    root = tmp_path / "corpus"
    for k in range(8):
        make(root / f"{k}", k, 12)
    words = ["auto", root, "--model", model_file, *FEW, "--quiet"]
    assert main([*map(str, words), "-o", str(tmp_path / "alone")]) == 0
    source = str(Path(auto_corpus.__file__).parents[2])
    command = [sys.executable, "-m", "masklet.cli.main", *map(str, words), "-o", str(tmp_path / "out")]
    command += ["--ray", "local", "--workers", "2"]  # the last number counts

    def begin() -> subprocess.Popen:
        environment = {**os.environ, "PYTHONPATH": source, "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(command, env=environment, start_new_session=True)

    def done() -> int:
        return sum(name.endswith("_auto.json") for name in names_below(tmp_path / "out"))

    first = begin()
    killed = 0
    while first.poll() is None and done() < 4:
        time.sleep(0.3)
        workers = workers_of(first.pid)
        if done() > killed and killed < 2 and workers:
            os.kill(workers[killed % len(workers)], signal.SIGKILL)
            killed += 1
    assert killed == 2
    assert first.poll() is None
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    assert begin().wait(timeout=300) == 0
    assert contents(tmp_path / "out") == contents(tmp_path / "alone")


def workers_of(pid: int) -> list[int]:
    """Processes of actors below a process, by their titles."""
    import psutil  # Ray, which the test has imported, brings it along

    return [
        child.pid
        for child in psutil.Process(pid).children(recursive=True)
        if any("ray::_Worker" in word for word in child.cmdline())
    ]
