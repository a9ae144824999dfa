from __future__ import annotations

import errno
import subprocess
import sys

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


def bug() -> None:
    """Stand in for a defect of ours."""
    raise AssertionError("this is ours")


@pytest.fixture(autouse=True)
def verbs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MASKLET_TRACEBACK", raising=False)
    for function in (echo, three, interrupt, mistake, bug):
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
