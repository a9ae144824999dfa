from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
import torch

from masklet.checkpoints.download import sha256
from masklet.cli import doctor as module
from masklet.cli.doctor import doctor, packages, storage
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


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("MASKLET_OFFLINE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MASKLET_CACHE", str(tmp_path / "ours"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "ours"


def test_both_caches_are_shown(cache: Path):
    facts = {fact.name: fact.value for fact in storage()}
    assert facts["cache"].startswith(f"{cache} (")
    assert facts["Hugging Face cache"].startswith(f"{cache.parent / 'hub'} (")


@pytest.mark.parametrize("name", ["MASKLET_OFFLINE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
def test_offline_mode_is_that_of_the_package(name: str, cache: Path, monkeypatch: pytest.MonkeyPatch):
    assert {fact.name: fact.value for fact in storage()}["offline mode"] == "off"
    monkeypatch.setenv(name, "1")
    assert {fact.name: fact.value for fact in storage()}["offline mode"] == f"on: {name} is set"


def test_a_download_that_changed_since_is_found(cache: Path):
    cache.mkdir()
    for name in ("sam2_hiera_tiny", "sam2_hiera_small", "sam2_hiera_large"):
        (cache / f"{name}.pt").write_text(name)
        (cache / f"{name}.pt.sha256").write_text(f"{sha256(cache / f'{name}.pt')}  {name}.pt\n")
    (cache / "sam2_hiera_small.pt").write_text("another")
    (cache / "sam2_hiera_large.pt.sha256").unlink()
    facts = {fact.name: fact.value for fact in storage()}
    assert facts["sam2_hiera_tiny"] == facts["sam2_hiera_large"] == "cached"
    assert facts["sam2_hiera_small"].startswith(f"changed since its download: delete {cache / 'sam2_hiera_small.pt'}")
