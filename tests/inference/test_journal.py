from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from masklet.inference.journal import Journal
from masklet.inference.spool import Kept, Spool


@dataclass(frozen=True)
class Letter:
    letter: str

    @property
    def nbytes(self) -> int:
        return 1

    def packed(self) -> bytes:
        return self.letter.encode()

    @classmethod
    def unpacked(cls, data: bytes) -> Letter:
        return cls(data.decode())


@pytest.fixture(params=[None, 0], ids=["memory", "file"])
def journal(request: pytest.FixtureRequest) -> Journal[Letter]:
    return Journal(Spool(request.param))


def letters(values: Mapping) -> dict[int, str | None]:
    plain = {t: one.value if isinstance(one, Kept) else one for t, one in values.items()}
    return {t: None if one is None else one.letter for t, one in plain.items()}


def test_what_was_replaced_comes_back(journal: Journal[Letter]):
    journal.put(1, Letter("a"))
    journal.put(2, Letter("b"))
    replaced = journal.capture()
    journal.put(2, Letter("c"))
    journal.put(2, Letter("d"))
    journal.put(3, Letter("e"))
    journal.put(1, None)
    assert letters(journal) == {2: "d", 3: "e"}
    assert letters(replaced) == {2: "b", 3: None, 1: "a"}
    left = journal.restore(replaced)
    assert letters(journal) == {1: "a", 2: "b"}
    again = journal.restore(left)
    assert letters(journal) == {2: "d", 3: "e"}
    journal.restore(again)
    assert letters(journal) == {1: "a", 2: "b"}


def test_what_came_and_went_leaves_nothing(journal: Journal[Letter]):
    replaced = journal.capture()
    for t in range(100):
        journal.put(t, Letter("x"))
        journal.drop(t - 2)
        assert len(replaced) <= 3
    journal.drop()
    assert len(journal) == len(replaced) == 0


def test_a_capture_ends_the_one_before(journal: Journal[Letter]):
    first = journal.capture()
    journal.put(1, Letter("a"))
    second = journal.capture()
    journal.put(1, Letter("b"))
    assert (letters(first), letters(second)) == ({1: None}, {1: "a"})
    assert (journal.get(1), 1 in journal, journal.get(2)) == (Letter("b"), True, None)


def test_it_says_what_is_new_when_asked(journal: Journal[Letter]):
    journal.put(1, Letter("a"))
    assert journal.news is None
    journal.news = set()
    replaced = journal.capture()
    journal.put(2, Letter("b"))
    journal.put(1, None)
    assert journal.news == {1, 2}
    journal.news = set()
    journal.restore(replaced)
    assert journal.news == {1, 2}


def test_a_value_moves_between_journals_without_being_read(journal: Journal[Letter]):
    other: Journal[Letter] = Journal(Spool())
    journal.put(1, Letter("a"))
    other.put(5, journal.kept[1])
    assert other.kept[5] is journal.kept[1]
    assert letters(other) == {5: "a"}
