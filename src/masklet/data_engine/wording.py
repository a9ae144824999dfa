"""Words and numbers that users send, checked before they meet a database."""

from __future__ import annotations

import math
import unicodedata

from .errors import Refused


def line(text: str, what: str, most: int) -> str:
    """One line of 1 to ``most`` characters, without spaces around it.

    Raises:
        Refused: It is empty, longer, or holds characters that cannot be seen.
    """
    text = text.strip()
    if not 1 <= len(text) <= most:
        raise Refused(f"{what} has {len(text)} characters, expected 1 to {most}")
    return _legible(text, what, "")


def paragraph(text: str, what: str, most: int) -> str:
    """Text of any number of lines and up to ``most`` characters.

    Raises:
        Refused: It is longer, or holds characters that cannot be seen.
    """
    if len(text) > most:
        raise Refused(f"{what} has {len(text)} characters, expected at most {most}")
    return _legible(text.strip(), what, "\n\t\r")


def whole(number: int | None, what: str) -> int | None:
    """A whole number that a column holds.

    Raises:
        Refused: It is negative or too large.
    """
    if number is not None and not 0 <= number < 2**31:
        raise Refused(f"{what} is {number}, expected a number from 0")
    return number


def duration(seconds: float) -> float:
    """Seconds of somebody's work.

    Raises:
        Refused: They are negative or no number.
    """
    if not (math.isfinite(seconds) and seconds >= 0):
        raise Refused(f"the time it took is {seconds} s, expected a number from 0")
    return float(seconds)


def _legible(text: str, what: str, also: str) -> str:
    # Control characters (PostgreSQL stores no NUL) and halves of surrogate pairs (no UTF-8).
    if any(unicodedata.category(c) in ("Cc", "Cs") and c not in also for c in text):
        raise Refused(f"{what} holds a control character: take it out")
    return text
