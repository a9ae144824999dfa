from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time

import av.error
import cv2
import numpy as np
import pytest

from masklet import __version__
from masklet.cli import main as cli
from masklet.cli.main import Verb, describe, main


def echo(words: tuple[str, ...] = (), count: int = 1) -> None:
    """Print the words."""
    for _ in range(count):
        print(*words)


def three() -> int:
    """Return an exit code."""
    return 3


def interrupt() -> None:
    """Stand in for Ctrl+C."""
    raise KeyboardInterrupt


def mistake() -> None:
    """Stand in for a bad option."""
    raise ValueError("got a box of no area,\n  expected x0 < x1")


def terminate() -> None:
    """Be ended by another process."""
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(10)


def fail(kind: str) -> None:
    """Fail as libraries do."""
    if kind == "cv2":
        cv2.resize(np.zeros((2, 2), np.uint8), (-1, -1))
    if kind == "av":
        raise av.error.FFmpegError(-1, "the muxer gave up")
    raise {"torch": RuntimeError, "memory": MemoryError}[kind]("you tried to\n  allocate 10 TB")


def bug() -> None:
    """Stand in for a defect of ours."""
    raise AssertionError("this is ours")


@pytest.fixture(autouse=True)
def verbs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MASKLET_TRACEBACK", raising=False)
    for function in (echo, three, interrupt, terminate, fail, mistake, bug):
        monkeypatch.setitem(cli.VERBS, function.__name__, Verb("fake_verbs", function.__name__, "A verb of the tests."))
    monkeypatch.setitem(sys.modules, "fake_verbs", sys.modules[__name__])


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]])
def test_help_names_every_verb(arguments: list[str], capsys: pytest.CaptureFixture[str]):
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    for name, verb in cli.VERBS.items():
        assert f"  {name} " in shown
        assert verb.summary in shown
    assert max(map(len, shown.splitlines())) <= 100


def test_version(capsys: pytest.CaptureFixture[str]):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"masklet {__version__}\n"


def test_a_verb_gets_its_options(capsys: pytest.CaptureFixture[str]):
    assert main(["echo", "--words", "one", "two", "--count", "2"]) == 0
    assert capsys.readouterr().out == "one two\none two\n"


def test_a_verb_has_help_of_its_own(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stop:
        main(["echo", "--help"])
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    assert "masklet echo" in shown
    assert "--count" in shown


def test_an_unknown_option_exits_with_2(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stop:
        main(["echo", "--colour"])
    assert stop.value.code == 2
    assert "--colour" in capsys.readouterr().err


def test_a_verb_chooses_its_exit_code():
    assert main(["three"]) == 3


def test_an_unknown_verb_suggests_the_nearest(capsys: pytest.CaptureFixture[str]):
    assert main(["trakc"]) == 2
    assert "did you mean `masklet track`?" in capsys.readouterr().err
    assert main(["zzz"]) == 2
    assert "the verbs are segment, track" in capsys.readouterr().err


def test_interrupt_exits_as_shells_expect(capsys: pytest.CaptureFixture[str]):
    assert main(["interrupt"]) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_termination_is_an_interruption_with_a_code_of_its_own(capsys: pytest.CaptureFixture[str]):
    before = signal.getsignal(signal.SIGTERM)
    assert main(["terminate"]) == 143
    assert capsys.readouterr().err == "\nterminated\n"
    assert signal.getsignal(signal.SIGTERM) == before == signal.SIG_DFL


def test_a_handler_of_somebody_else_stays(monkeypatch: pytest.MonkeyPatch):
    called = []
    signal.signal(signal.SIGTERM, lambda *_: called.append(1))
    monkeypatch.setattr(time, "sleep", lambda _: None)
    try:
        assert main(["terminate"]) == 0
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    assert called == [1]


def test_a_thread_can_run_a_command():
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(main(["three"])))
    thread.start()
    thread.join()
    assert codes == [3]


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("torch", "masklet: you tried to allocate 10 TB (MASKLET_TRACEBACK=1 shows where this came from)"),
        ("memory", "masklet: there is not enough memory (you tried to allocate 10 TB): try a smaller --image-size"),
        ("cv2", "masklet: OpenCV("),
        ("av", "masklet: [Errno -1] the muxer gave up"),
    ],
)
def test_failures_of_libraries_are_one_line(kind: str, said: str, monkeypatch, capsys: pytest.CaptureFixture[str]):
    assert main(["fail", "--kind", kind]) == 2
    shown = capsys.readouterr().err
    assert shown.startswith(said)
    assert shown.count("\n") == 1
    monkeypatch.setenv("MASKLET_TRACEBACK", "1")
    with pytest.raises((RuntimeError, MemoryError, cv2.error, av.error.FFmpegError)):
        main(["fail", "--kind", kind])


def test_libraries_are_not_loaded_to_look_for_their_errors(monkeypatch, capsys: pytest.CaptureFixture[str]):
    for name in ("cv2", "av.error"):
        monkeypatch.delitem(sys.modules, name)
    assert main(["mistake"]) == 2
    assert "cv2" not in sys.modules


def test_opencv_says_nothing_of_its_own():
    code = (
        "import sys, types; from masklet.cli import main as m; module = types.ModuleType('fake');"
        "exec('def noise() -> None:\\n import cv2\\n cv2.imread(\"nowhere.png\")', module.__dict__);"
        "sys.modules['fake'] = module; m.VERBS['noise'] = m.Verb('fake', 'noise', ''); sys.exit(m.main(['noise']))"
    )
    environment = {key: value for key, value in os.environ.items() if key != "OPENCV_LOG_LEVEL"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_mistake_is_one_plain_line_when_nobody_watches(capsys: pytest.CaptureFixture[str]):
    assert main(["mistake"]) == 2
    assert capsys.readouterr().err == "masklet: got a box of no area, expected x0 < x1\n"


@pytest.mark.parametrize(("no_color", "red"), [("", True), ("1", False)])
def test_a_mistake_is_red_on_a_terminal(no_color: str, red: bool, monkeypatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main(["mistake"]) == 2
    assert capsys.readouterr().err.startswith("\x1b[31m") is red


def test_a_traceback_can_be_had(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MASKLET_TRACEBACK", "1")
    with pytest.raises(ValueError, match="no area"):
        main(["mistake"])


def test_our_own_bugs_keep_their_traceback():
    with pytest.raises(AssertionError, match="ours"):
        main(["bug"])


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "a.mp4"), "a.mp4: No such file or directory"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (OSError("the download stopped"), "the download stopped"),
        (KeyError("got object 7, expected one of 1, 2"), "got object 7, expected one of 1, 2"),
        (ValueError(), "ValueError"),
        (
            RuntimeError("out of memory"),
            "there is not enough memory (out of memory): try a smaller --image-size, or a smaller image or video",
        ),
    ],
)
def test_describe(error: Exception, line: str):
    assert describe(error) == line


def test_a_reader_that_leaves_early_sees_no_traceback():
    code = "import sys; from masklet.cli.main import main; sys.exit(main(['flood']))"
    setup = (
        "import sys, types; from masklet.cli import main as m; module = types.ModuleType('fake');"
        "exec('def flood() -> None:\\n  for _ in range(100000): print(1234567890)', module.__dict__);"
        "sys.modules['fake'] = module; m.VERBS['flood'] = m.Verb('fake', 'flood', ''); "
    )
    process = subprocess.Popen([sys.executable, "-c", setup + code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    complaint = process.stderr.read()
    process.stderr.close()
    assert (process.wait(), complaint) == (cli.BROKEN_PIPE, b"")
