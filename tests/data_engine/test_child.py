from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from masklet.data_engine.child import ChildDied, ChildLimits, run_child

SLEEPER = """
import os, time
from masklet.data_engine.child import requested, say
if requested()["talk"]:
    say(pid=os.getpid(), nice=os.nice(0))
time.sleep(60)
"""
PARENT = """
import os, signal
from masklet.data_engine.child import ChildLimits, run_child
def told(line):
    print(line["pid"], line["nice"], flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
run_child("sleeper", {"talk": True}, ChildLimits(seconds=60.0), told)
"""


@pytest.fixture(autouse=True)
def sleeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sleeper.py").write_text(SLEEPER)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")


def test_a_child_does_not_outlive_its_parent():
    parent = subprocess.run([sys.executable, "-c", PARENT], capture_output=True, text=True, timeout=60, check=False)
    assert parent.returncode == -9, parent.stderr
    pid, nice = map(int, parent.stdout.split())
    assert nice >= 10  # and lets others go first
    deadline = time.monotonic() + 20
    while _lives(pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_who_no_longer_wants_to_know_ends_a_silent_child():
    def enough() -> None:
        raise KeyboardInterrupt

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_child("sleeper", {"talk": False}, ChildLimits(seconds=50.0), print, on_wait=enough)
    assert time.monotonic() - began < 30


def test_time_is_over_also_for_who_talks():
    with pytest.raises(ChildDied, match=r"more than 0\.1 seconds"):
        run_child("sleeper", {"talk": True}, ChildLimits(seconds=0.1), lambda line: time.sleep(0.2))
