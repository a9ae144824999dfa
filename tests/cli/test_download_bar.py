from __future__ import annotations

import pytest

from masklet.cli.download_bar import download_bar


def test_nothing_shows_unless_something_is_downloaded(capsys: pytest.CaptureFixture[str]):
    with download_bar("tiny"):
        pass
    shown = capsys.readouterr()
    assert shown.out + shown.err == ""


def test_progress_goes_to_standard_error(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "150")
    monkeypatch.setenv("FORCE_COLOR", "1")
    with download_bar("[red]tiny[/x]") as progress:
        progress(1_000_000, None)
        progress(39_000_000, 78_000_000)
        progress(78_000_000, 78_000_000)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "downloading [red]tiny[/x]" in shown.err
    assert "78.0/78.0 MB" in shown.err
