from __future__ import annotations

from importlib.metadata import PackageNotFoundError

import pytest
import torch

from masklet.cli import doctor as module
from masklet.cli.doctor import doctor, packages
from masklet.cli.main import main


def test_the_report_names_what_a_bug_report_needs(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["doctor"]) == 0
    shown = capsys.readouterr().out
    assert torch.__version__ in shown
    assert f"{torch.get_num_threads()} threads" in shown
    for name in (
        "python",
        "opencv-python-headless",
        "cache",
        "H.264 encoders",
        "shipped weights",
        "scikit-video [demo]",
    ):
        assert name in shown


def test_a_missing_requirement_is_found(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "requires", lambda _: ["numpy>=1", "no-such-thing>=2", 'elsewhere; extra == "demo"'])
    facts = {fact.name: fact for fact in packages()}
    assert not facts["numpy"].missing
    assert facts["no-such-thing"].missing
    assert not facts["elsewhere [demo]"].missing
    assert "masklet[demo]" in facts["elsewhere [demo]"].value
    assert doctor() == 1
    assert "not installed" in capsys.readouterr().out


def test_a_checkout_that_is_not_installed_says_so(monkeypatch: pytest.MonkeyPatch):
    def absent(name: str) -> list[str]:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(module, "requires", absent)
    (fact,) = packages()
    assert fact.missing
    assert "pip install" in fact.value


def test_room_of_a_folder_yet_to_be_made(tmp_path):
    assert "GiB free" in module._room(tmp_path / "not" / "yet")
