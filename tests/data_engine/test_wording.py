from __future__ import annotations

import pytest

from masklet.data_engine.errors import Refused
from masklet.data_engine.wording import duration, line, paragraph, whole


def test_lines():
    assert line(" Ännchen 物体 ", "the name", 20) == "Ännchen 物体"
    for wrong in ("", "  ", "x" * 21, "a\nb", "a\0", "\ud800"):
        with pytest.raises(Refused, match="the name"):
            line(wrong, "the name", 20)


def test_paragraphs():
    assert paragraph(" one\ntwo\t3 ", "the comment", 20) == "one\ntwo\t3"
    assert paragraph("", "the comment", 20) == ""
    for wrong in ("x" * 21, "a\0"):
        with pytest.raises(Refused, match="the comment"):
            paragraph(wrong, "the comment", 20)


def test_numbers():
    assert whole(None, "the frame") is None
    assert whole(0, "the frame") == 0
    assert duration(1.5) == 1.5
    for wrong in (-1, 2**31):
        with pytest.raises(Refused, match="the frame"):
            whole(wrong, "the frame")
    for wrong in (-1.0, float("inf"), float("nan")):
        with pytest.raises(Refused, match="expected a number from 0"):
            duration(wrong)
