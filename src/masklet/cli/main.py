"""The `masklet` command: finds the verb, imports only that verb, and turns a user's mistake into one line.

Nothing heavy is imported here, so that ``masklet --help`` answers at once.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from .. import __version__

INTERRUPTED = 130  # 128 + SIGINT, as shells report it
TERMINATED = 143  # 128 + SIGTERM
MISTAKE = 2
BROKEN_PIPE = 141  # 128 + SIGPIPE


class Terminated(KeyboardInterrupt):
    """SIGTERM, which ends a command as Ctrl-C does: what is half-written is removed, what is finished stays."""


@dataclass(frozen=True)
class Verb:
    """Where a verb's function lives, and its line in the help."""

    module: str
    function: str
    summary: str

    def load(self) -> Callable[..., Any]:
        """Import the function, whose signature is the verb's command line."""
        return getattr(import_module(self.module), self.function)


VERBS = {
    "segment": Verb("masklet.cli.segment", "segment", "Segment objects of an image from points, boxes or masks."),
    "track": Verb("masklet.cli.track", "track", "Track objects through a video and write their masks."),
    "auto": Verb("masklet.cli.auto", "auto", "Find masks of everything in images, masklets in a video."),
    "demo": Verb("masklet.cli.demo", "demo", "Track two objects through a real video, to see that all works."),
    "eval": Verb("masklet.cli.eval", "evaluate", "Score a tracker or predictions, and write reports."),
    "train": Verb("masklet.cli.train", "train", "Train or fine-tune a model by a recipe."),
    "ablate": Verb("masklet.cli.ablate", "ablate", "Train variants of a recipe, and see what one choice matters."),
    "annotate": Verb("masklet.cli.annotate", "annotate", "Annotate, verify and export masklets in a browser."),
    "annotate worker": Verb("masklet.cli.annotate_worker", "worker", "Run a model worker for annotation."),
    "annotate user": Verb("masklet.cli.annotate_user", "user", "Make accounts for annotation."),
    "models": Verb("masklet.cli.models", "models", "List the models that can be loaded and those that are cached."),
    "data": Verb(
        "masklet.cli.data",
        "data",
        "Data sets: check one, measure one, make clips out of one.",
    ),
    "convert": Verb("masklet.cli.convert", "convert", "Convert masks between the formats of data sets and tools."),
    "doctor": Verb("masklet.cli.doctor", "doctor", "Show versions, devices and folders; what to add to a bug report."),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (the process's own by default) and return its exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(usage())
        return 0
    if arguments[0] in ("-V", "--version"):
        print(f"masklet {__version__}")
        return 0
    name, *rest = arguments
    if rest and f"{name} {rest[0]}" in VERBS:
        name, rest = f"{name} {rest[0]}", rest[1:]
    if name not in VERBS:
        return _complain(_unknown(name))
    try:
        with _terminable():
            return _run(name, rest)
    except Terminated:
        print("\nterminated", file=sys.stderr)
        return TERMINATED
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone, as in `masklet models | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except (ValueError, LookupError, OSError, ImportError, RuntimeError, MemoryError, *_library_errors()) as error:
        if os.environ.get("MASKLET_TRACEBACK", "0") not in ("", "0"):
            raise
        return _complain(describe(error))


def usage() -> str:
    """The text of ``masklet --help``."""
    width = max(map(len, VERBS))
    lines = [f"  {name:<{width}}  {verb.summary}" for name, verb in VERBS.items()]
    return "\n".join(
        [
            "usage: masklet VERB [OPTIONS]",
            "",
            "Click an object in an image or a video and get its mask in every frame.",
            "",
            "verbs:",
            *lines,
            "",
            "masklet VERB --help     the options of a verb",
            "masklet --version       the version",
            "MASKLET_TRACEBACK=1     in the environment: show where an error came from",
        ]
    )


def describe(error: BaseException) -> str:
    """One line for an error: its own sentence, or the file and what the system said of it."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename is not None else error.strerror
    # str() of a KeyError is the repr of its argument.
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    text = " ".join(text.split()) or type(error).__name__
    # torch raises a RuntimeError, worded by its allocator for the device
    if isinstance(error, MemoryError) or re.search("allocate memory|out of memory", text):
        return f"there is not enough memory ({text}): try a smaller --image-size, or a smaller image or video"
    if isinstance(error, (ValueError, LookupError, OSError, ImportError)):
        return text
    return f"{text} (MASKLET_TRACEBACK=1 shows where this came from)"


def _library_errors() -> tuple[type[Exception], ...]:
    """Errors of OpenCV and FFmpeg, if these were loaded at all; looked up only once an error has come."""
    names = (("cv2", "error"), ("av.error", "FFmpegError"))
    return tuple(getattr(sys.modules[module], name) for module, name in names if module in sys.modules)


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM raise ``Terminated``, unless something else has been made of it."""
    ours = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    if ours:
        signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _terminate(*_: object) -> None:
    raise Terminated


def _run(name: str, arguments: list[str]) -> int:
    import tyro

    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")  # read when OpenCV is loaded; our own errors say it better
    function = VERBS[name].load()
    code = tyro.cli(function, prog=f"masklet {name}", args=arguments)
    sys.stdout.flush()  # a broken pipe shows here, not while the interpreter exits
    return code if isinstance(code, int) else 0


def _unknown(name: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, VERBS, n=1)
    hint = f"did you mean `masklet {near[0]}`?" if near else f"the verbs are {', '.join(VERBS)}"
    return f"got {name!r}, which is no verb of masklet; {hint}"


def _complain(sentence: str) -> int:
    line = f"masklet: {sentence}"
    red = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    print(f"\x1b[31m{line}\x1b[0m" if red else line, file=sys.stderr)
    return MISTAKE


if __name__ == "__main__":
    sys.exit(main())
