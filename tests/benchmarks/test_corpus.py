"""The script that scores a corpus, on a few videos."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads memory from Linux")
def test_a_stop_changes_nothing(script, tmp_path: Path, capsys: pytest.CaptureFixture):
    script.main(["--out", str(tmp_path), "--videos", "6", "--frames", "4"])
    shown = capsys.readouterr().out
    assert "over 6 videos" in shown
    assert "stopped half-way and resumed: the same scores" in shown
    kept = sorted(path.name for path in (tmp_path / "stopped" / "units" / "mask").iterdir())
    assert kept == [f"{i:06d}.json" for i in range(6)]
