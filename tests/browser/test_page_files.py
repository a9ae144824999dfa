"""The page's files: texts in every language, nothing that the security policy forbids, nothing from elsewhere."""

from __future__ import annotations

import json
import re
from importlib.resources import files

import pytest

WEB = files("masklet.data_engine") / "web"
NAMES = sorted(file.name for file in WEB.iterdir())
SCRIPTS = {name: (WEB / name).read_text(encoding="utf-8") for name in NAMES if name.endswith(".js")}
TEXTS = {name: json.loads((WEB / f"{name}.json").read_text(encoding="utf-8")) for name in ("en", "zh")}

WHOLE = re.compile(r"""\bt\(\s*"([^"]+)\"""")
BEGINNING = re.compile(r"\bt\(\s*`([^`$]*)\$\{")
CHOICE = re.compile(r"""\bt\([^"`()]*\?\s*"([^"]+)"\s*:\s*"([^"]+)\"""")
COMMAND = re.compile(r"""\b(?:command|cross)\(\s*"([^"]+)\"""")


def used() -> tuple[set[str], set[str]]:
    """Keys that scripts use, and beginnings of those that they put together."""
    source = "\n".join(SCRIPTS.values())
    keys = set(WHOLE.findall(source)) | {key for pair in CHOICE.findall(source) for key in pair}
    keys |= {f"command.{name}" for name in COMMAND.findall(source)}
    return keys, {beginning for beginning in BEGINNING.findall(source) if beginning}


def places(text: str) -> list[str]:
    return sorted(re.findall(r"\{\w+\}", text))


def test_languages_have_the_same_keys_and_places():
    assert TEXTS["en"].keys() == TEXTS["zh"].keys()
    for key, text in TEXTS["en"].items():
        assert text.strip()
        assert TEXTS["zh"][key].strip()
        assert places(text) == places(TEXTS["zh"][key]), key


def test_every_key_that_is_used_exists():
    keys, beginnings = used()
    assert len(keys) > 150
    assert sorted(keys - TEXTS["en"].keys()) == []
    for beginning in beginnings:
        assert any(key.startswith(beginning) for key in TEXTS["en"]), beginning


def test_every_text_is_used():
    keys, beginnings = used()
    endings = (".name", "_sure", "_with", "_note")  # put together from the middle
    left = [key for key in TEXTS["en"] if key not in keys and not key.startswith(tuple(beginnings))]
    assert [key for key in left if not key.endswith(endings) and not key.startswith("reason.")] == []


def test_texts_are_not_written_into_scripts():
    """A sentence in a script would be English in every language."""
    said = re.compile(r'"aria-label": "[A-Z]|\bh\("(?:p|h1|h2|h3|span|label)", \{[^}]*\}, "[A-Za-z]{3}')
    assert {name: said.findall(text) for name, text in SCRIPTS.items() if said.search(text)} == {}


def test_nothing_is_written_that_the_policy_forbids():
    page = (WEB / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", page)
    for name, text in SCRIPTS.items():
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text), (
            name
        )
        assert not re.search(r'setAttribute\("style"|[{,]\s*style:', text), name


@pytest.mark.parametrize("name", [name for name in NAMES if not name.endswith(".svg")])
def test_nothing_comes_from_elsewhere(name):
    text = (WEB / name).read_text(encoding="utf-8")
    assert not re.search(r"https?://(?!www\.w3\.org/)|@import|url\(", text)


def test_modules_are_short_and_import_what_exists():
    for name, text in SCRIPTS.items():
        assert text.count("\n") < 400, name
        for imported, source in re.findall(r'import \{([^}]*)\} from "\./([^"]+)"', text):
            assert source in SCRIPTS, f"{name}: {source}"
            for one in imported.replace("\n", " ").split(","):
                if one.strip():
                    declared = rf"export (?:async )?(?:function\*?|const|class|let) {re.escape(one.strip())}\b"
                    assert re.search(declared, SCRIPTS[source]), f"{name}: {one.strip()} of {source}"
                    assert len(re.findall(rf"\b{re.escape(one.strip())}\b", text)) > 1, f"{name}: {one.strip()} unused"
