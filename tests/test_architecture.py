"""What holds for the package as a whole: levels, sizes, names, and what an import costs."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "masklet"
SOURCES = sorted(PACKAGE.rglob("*.py"))
MODULES = [path for path in SOURCES if path.name != "__init__.py"]
CEILING = 400
FORBIDDEN_NAMES = {"utils", "util", "misc", "common", "helpers", "helper"}
HEAVY = {"torch", "numpy", "cv2", "av", "pycocotools", "safetensors", "huggingface_hub", "tyro", "rich", "jaxtyping"}


def name_of(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def roots_after(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter holds after running ``code``."""
    report = "\nimport json, sys; print(json.dumps(sorted({n.split('.')[0] for n in sys.modules})), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code + report], capture_output=True, text=True, check=True)
    return set(json.loads(done.stderr.splitlines()[-1]))


def imported_roots(statement: ast.stmt) -> set[str]:
    if isinstance(statement, ast.ImportFrom):
        return {(statement.module or "").split(".")[0]}
    return {alias.name.split(".")[0] for alias in statement.names} if isinstance(statement, ast.Import) else set()


def test_a_file_imports_from_lower_levels_only():
    code = "import sys; from importlinter.cli import lint_imports_command as run; sys.exit(run())"
    done = subprocess.run([sys.executable, "-c", code, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_a_file_holds_one_idea(path: Path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= CEILING, f"{lines} lines, expected at most {CEILING}: split it by its ideas"


def test_folders_are_at_most_two_deep():
    deep = [name_of(path) for path in SOURCES if len(path.relative_to(PACKAGE).parts) > 3]
    assert deep == []


def test_names_say_what_is_inside():
    vague = [name_of(path) for path in SOURCES if FORBIDDEN_NAMES & {*path.relative_to(PACKAGE).with_suffix("").parts}]
    assert vague == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_shapes_are_imported_at_run_time(path: Path):
    """Under TYPE_CHECKING jaxtyping's names do not exist while tests run, and shapes would silently go unchecked."""
    text = path.read_text(encoding="utf-8")
    needed = {"jaxtyping", "torch", "numpy"} if "jaxtyping" in text else set()
    blocks = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.If)]
    guarded = [line for block in blocks if "TYPE_CHECKING" in ast.unparse(block.test) for line in block.body]
    hidden = [ast.unparse(line) for line in guarded if needed & imported_roots(line)]
    assert hidden == [], "move these above `if TYPE_CHECKING:`"


def test_tests_mirror_the_package():
    strays = []
    for path in sorted((ROOT / "tests").glob("*/test_*.py")):
        folder = PACKAGE / path.parent.name
        if folder.is_dir() and not list(folder.rglob(path.name.removeprefix("test_"))):
            strays.append(str(path.relative_to(ROOT)))
    assert strays == [], "a test file is named after the file that it tests"


def test_import_masklet_is_light():
    assert roots_after("import masklet") & HEAVY == set()


def test_help_is_light():
    code = "from masklet.cli.main import main\nassert main(['--help']) == 0"
    assert roots_after(code) & HEAVY == set()


def test_help_answers_at_once():
    def run() -> float:
        before = os.times()
        subprocess.run([sys.executable, "-m", "masklet.cli.main", "--help"], capture_output=True, check=True)
        after = os.times()
        return after.children_user + after.children_system - before.children_user - before.children_system

    # Processor time, best of five: what else the machine does is not ours to measure.
    assert min(run() for _ in range(5)) < 0.3


def test_public_names_exist():
    import masklet

    for name in masklet.__all__:
        assert getattr(masklet, name) is not None
        assert name in dir(masklet)


def test_an_unknown_public_name_is_an_attribute_error():
    import masklet

    with pytest.raises(AttributeError, match="VideoSession"):
        masklet.VideoSesion  # noqa: B018


def test_structures_have_their_shapes_checked():
    """The run itself: were the import hook off, no signature would be checked anywhere."""
    import torch

    from masklet.structures import FrameFeatures

    with pytest.raises(TypeError, match="embedding"):
        FrameFeatures(embedding=torch.zeros(3), skip8=torch.zeros(1, 1, 2, 2), skip4=torch.zeros(1, 1, 4, 4))
