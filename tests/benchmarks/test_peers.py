"""The comparison with other libraries: its turns, its report, and what it runs of our own library."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tiny_model import SMALL_HIERA, clip, tiny_model

SCRIPTS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def work(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import peer_work

    return peer_work


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import peers

    return peers


class Fake:
    """A worker that writes down when it was asked, and takes as long as it is told."""

    log: list[tuple[str, str]]

    def __init__(self, task: dict[str, Any], log: list[tuple[str, str]]) -> None:
        self.task, self.log, self.name = task, log, task.get("peer", task["do"])
        self.first = {"missing": "no such module"} if self.name == "transformers" else {"ready": True}
        log.append((self.name, "start"))

    def ask(self, what: str) -> dict[str, Any]:
        if self.task["do"] == "machine":
            return {"hardware": "a processor with AVX2"}
        self.log.append((self.name, what))
        if what == "end" and self.task["do"] == "row":
            value = {"masklet": 1.0, "sam2": 1.25, "sam2-loop": 1.0}[self.name]
            np.savez(self.task["answer"], logits=np.full((2, 3), value), masks=np.arange(4) < 2 * value)
            return {"peak": 900.0, "steady": 500.0, "gflop": 40.0}
        if what == "end":
            return {"peak": 900.0, "steady": 500.0, "cpu": 1.0 if self.name == "floor" else 2.0}
        if self.name == "gemm":
            return {"wall": 100.0, "cpu": 50.0}
        return {"wall": {"masklet": 1.0, "sam2": 4.0, "sam2-loop": 2.0}[self.name], "cpu": 3.0}

    def stop(self) -> None:
        self.log.append((self.name, "stop"))


@pytest.fixture
def run(script, monkeypatch, tmp_path):
    """Runs the command with fake libraries; returns the table and who was asked what."""

    def run(*arguments: str) -> tuple[str, list[tuple[str, str]]]:
        log: list[tuple[str, str]] = []
        monkeypatch.setattr(script, "Worker", lambda task, environment: Fake(task, log))
        script.main(["--out", str(tmp_path), "--models", "tiny", "--sizes", "64", "--passes", "2", *arguments])
        return (tmp_path / "peers.md").read_text().split("\n\n")[-1], log

    return run


def test_libraries_take_turns(run, tmp_path):
    table, log = run("--rows", "clicks64")
    turn = [(name, "run") for name in ("gemm", "masklet", "sam2", "sam2-loop")]
    assert [one for one in log if one[1] == "run"] == turn * 2
    assert {name for name, what in log if what == "stop"} == {"gemm", "masklet", "sam2", "sam2-loop"}
    rows = {line.split(" | ")[3]: line for line in table.splitlines()[2:]}
    assert len({line.count("|") for line in table.splitlines()}) == 1
    assert "| 4 (4 to 4) | 4.00 (4.00 to 4.00) | 10 % | 900 | 500 |  |" in rows["sam2"]
    assert "| 2 (2 to 2) | 2.00 (2.00 to 2.00) | 20 % |" in rows["sam2-loop"]
    assert "| 1 (1 to 1) |  | 40 % | 900 | 500 | logits 0.2, masks 0.2 |" in rows["masklet"]
    assert "cannot be imported: no such module" in rows["transformers"]
    short = (tmp_path / "peers.md").read_text().splitlines()[2]
    assert short.startswith(
        "| tiny 64 | 64 clicks to logits | 1 | 40 % | 4.00 (4.00 to 4.00) | - | 900, 900, - | logits"
    )
    assert (tmp_path / "peers.png").stat().st_size > 1000
    assert not list(tmp_path.glob("*.npz"))


def test_what_is_there_is_not_run_again(run):
    _, log = run("--rows", "click", "encode")
    assert log
    table, log = run("--rows", "encode", "click")
    assert not log
    assert [line.split(" | ")[0] for line in table.splitlines()[2:]] == ["| encode"] * 3 + ["| click"] * 3
    _, log = run("--rows", "click", "--threads", "7")
    assert ("masklet", "run") in log
    assert run("--rows")[0].count("| click") == 3


def test_rows_of_start_up_and_of_filling_memory(run, tmp_path):
    table, log = run("--rows", "startup", "memories", "--peers", "masklet", "sam2", "--clock", "cpu")
    assert log[:2] == [("save", "start"), ("save", "end")]
    assert [name for name, what in log[2:] if what == "start"][:9] == ["floor", "masklet", "sam2"] * 3
    stored = json.loads((tmp_path / "memories-tiny-64.json").read_text())
    assert len(stored["peers"]["sam2"]["cpu"]) == 2 * 10
    rows = [line for line in table.splitlines() if line.startswith("| startup")]
    assert [line.split(" | ")[3:7] for line in rows] == [
        ["masklet", "2 (2 to 2)", "", "50 %"],
        ["sam2", "2 (2 to 2)", "1.00 (1.00 to 1.00)", "50 %"],
    ]


def test_a_long_clip_is_run_once(run, script, tmp_path):
    run("--rows", "long4", "prompts3")
    stored = json.loads((tmp_path / "long4-tiny-64.json").read_text())
    assert len(stored["peers"]["sam2"]["cpu"]) == 190
    assert script.Job("long4", "tiny", 64).frames(2) == 200
    assert script.Job("prompts3", "tiny", 64).frames(2) == 15


PAGE = "# Speed\n\n<!-- peers -->\nan older table\n<!-- /peers -->\n\nWhy.\n"


def test_a_page_gets_the_table_and_the_plot(run, tmp_path):
    page = tmp_path / "docs" / "speed.md"
    page.parent.mkdir()
    page.write_text(PAGE)
    rows = ("startup", "video16", "video4", "video1", "prompts4", "long4", "clicks1024", "click", "encode")
    run("--rows", *rows, "--clock", "cpu")
    run("--rows", "encode", "--sizes", "128", "--clock", "cpu", "--docs", str(page))
    text = page.read_text()
    assert text.startswith("# Speed\n\n<!-- peers -->\n| model, px |")
    assert text.endswith("\n![Ratios](peers.png)\n<!-- /peers -->\n\nWhy.\n")
    assert "\nThese rows: processor time of a processor with AVX2.\n" in text
    assert [line.split(" | ")[:2] for line in text.splitlines() if line.startswith("| tiny")] == [
        ["| tiny 128", "an image encoded"],
        ["| tiny 64", "an image encoded"],
        ["| tiny 64", "one click on it"],
        ["| tiny 64", "1,024 clicks to logits"],
        ["| tiny 64", "a frame, 1 object"],
        ["| tiny 64", "a frame, 4 objects"],
        ["| tiny 64", "a frame, 16 objects"],
        ["| tiny 64", "a frame, 4 prompted frames"],
        ["| tiny 64", "a frame of 200, 4 objects"],
        ["| tiny 64", "import, build, read the weights"],
    ]
    assert "| 50 % of Python, torch and reading |" in text
    assert (page.parent / "peers.png").read_bytes() == (tmp_path / "peers.png").read_bytes()
    run("--rows", "--clock", "cpu", "--docs", str(page))
    assert page.read_text() == text


@pytest.mark.parametrize("page", [PAGE.replace("<!-- peers", "<!--"), PAGE + PAGE, "".join(PAGE.splitlines()[::-1])])
def test_a_page_without_a_place_is_named_before_anything_runs(run, tmp_path, page):
    (tmp_path / "speed.md").write_text(page)
    with pytest.raises(ValueError, match=r"speed\.md needs a line <!-- peers --> and after it a line <!-- /peers -->"):
        run("--rows", "encode", "--docs", str(tmp_path / "speed.md"))
    assert not list(tmp_path.glob("*.json"))
    assert (tmp_path / "speed.md").read_text() == page


def test_a_page_needs_rows(run, tmp_path):
    (tmp_path / "speed.md").write_text(PAGE)
    with pytest.raises(ValueError, match="has no rows for"):
        run("--rows", "--docs", str(tmp_path / "speed.md"))
    assert (tmp_path / "speed.md").read_text() == PAGE


def test_the_machine_says_its_instructions(work, monkeypatch):
    import peer_worker
    import torch

    monkeypatch.setenv("MKL_ENABLE_INSTRUCTIONS", "AVX2")
    said = peer_worker.machine({"threads": torch.get_num_threads()})["end"]()["hardware"]
    assert said.endswith(f", {torch.backends.cpu.get_cpu_capability()}, MKL_ENABLE_INSTRUCTIONS=AVX2")


def test_rows_of_several_machines_say_which(script):
    report = sys.modules["peer_report"]
    rows = [
        {"row": "encode", "model": "tiny", "size": 64, "hardware": "one"},
        {"row": "click", "model": "tiny", "size": 64, "hardware": "other"},
        {"row": "video1", "model": "tiny", "size": 64},
    ]
    assert report.caption(rows, "wall") == (
        "\ntiny 64 encode: time on the clock of one.\n\ntiny 64 click: time on the clock of other.\n"
    )
    assert report.caption(rows[2:], "cpu") == ""


def test_answers_of_different_shapes_are_no_comparison(script):
    with pytest.raises(ValueError, match="did not do the same"):
        script.differences({"masklet": {"iou": np.zeros(2)}, "sam2": {"iou": np.zeros(3)}})


def test_frames_of_filling(script):
    report = sys.modules["peer_report"]
    assert report.frames_of_filling([1, 2, 3, 3, 4, 5, 2, 9, 4], 3) == [2, 4, 4]


def test_rows_are_read(work):
    assert work.Row.parse("clicks64") == work.Row("clicks", 64)
    assert work.Row.parse("encode") == work.Row("encode", 1)
    for wrong in ("clicks", "video0", "encode2", "speed"):
        with pytest.raises(ValueError, match=f"got row '{wrong}', expected"):
            work.Row.parse(wrong)


def test_our_rows(work):
    model, frames = tiny_model(SMALL_HIERA), clip(13)
    answers = {}
    for name in ("encode", "click", "clicks6", "masks6", "video2", "prompts2", "memories"):
        job = work.work("masklet", work.Row.parse(name), model, frames)
        for _ in range(job.warm + (12 if name == "memories" else 1)):
            job.before()
            job.run()
        answers[name] = job.answer()
        job.before()  # begins anew at the end of the clip
        assert work.multiply_adds(job.sample or job.run) * job.share > 1e-4
    assert answers["clicks6"]["logits"].shape == (6, 3, 16, 16)
    assert answers["masks6"]["masks"].shape == (6, 48, 72)
    assert set(answers["video2"]) == {"object 1", "object 2"}
    assert set(answers["prompts2"]) == {"object 1"}
    # the first of many clicks is the one click
    assert np.abs(answers["clicks6"]["logits"][0].clip(-32, 32) - answers["click"]["logits"]).max() < 1e-4
    assert np.array_equal(answers["encode"]["logits"], answers["click"]["logits"])


def test_multiply_adds_are_counted_once(work):
    import torch

    from masklet.model.packed_linear import PackedLinear

    x = torch.randn(4, 8, requires_grad=True)
    layer = torch.nn.Linear(8, 16)
    assert work.multiply_adds(lambda: layer(x)) == 2 * 4 * 8 * 16 / 1e9
    with torch.inference_mode():
        attend = torch.nn.functional.scaled_dot_product_attention
        q = torch.randn(1, 1, 4, 8)
        assert work.multiply_adds(lambda: attend(q, q, q)) == 2 * 2 * 4 * 4 * 8 / 1e9
        assert work.multiply_adds(lambda: torch.zeros(4, 5).addmm_(x, torch.ones(8, 5))) == 2 * 4 * 8 * 5 / 1e9
        batch = torch.zeros(2, 4, 5)
        assert work.multiply_adds(lambda: batch.baddbmm_(x.expand(2, 4, 8), torch.ones(2, 8, 5))) == 4 * 4 * 8 * 5 / 1e9
        packed = PackedLinear.of(layer, 4)
        assert work.multiply_adds(lambda: packed(x)) == 2 * 4 * 8 * 16 / 1e9


def test_clips_go_to_and_fro(work, tmp_path):
    import cv2

    for t in range(3):
        cv2.imwrite(str(tmp_path / f"{t}.png"), np.full((8, 8, 3), 50 * t, np.uint8))
    assert [int(frame.mean()) // 50 for frame in work.frames_of(tmp_path, 7)] == [0, 1, 2, 1, 0, 1, 2]
    assert len(work.frames_of(None, 2)) == 2
    long = work.frames_of(None, 200)
    assert len(long) == 200
    assert len({id(frame) for frame in long}) == 24
