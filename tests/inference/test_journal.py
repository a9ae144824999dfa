from __future__ import annotations

from masklet.inference.journal import Journal


def test_what_was_replaced_comes_back():
    journal: Journal[str] = Journal()
    journal.put(1, "a")
    journal.put(2, "b")
    replaced = journal.capture()
    journal.put(2, "c")
    journal.put(2, "d")
    journal.put(3, "e")
    journal.put(1, None)
    assert dict(journal) == {2: "d", 3: "e"}
    assert dict(replaced) == {2: "b", 3: None, 1: "a"}
    left = journal.restore(replaced)
    assert dict(journal) == {1: "a", 2: "b"}
    again = journal.restore(left)
    assert dict(journal) == {2: "d", 3: "e"}
    journal.restore(again)
    assert dict(journal) == {1: "a", 2: "b"}


def test_what_came_and_went_leaves_nothing():
    journal: Journal[str] = Journal()
    replaced = journal.capture()
    for t in range(100):
        journal.put(t, "x")
        journal.drop(t - 2)
        assert len(replaced) <= 3
    journal.drop()
    assert len(journal) == len(replaced) == 0


def test_a_capture_ends_the_one_before():
    journal: Journal[str] = Journal()
    first = journal.capture()
    journal.put(1, "a")
    second = journal.capture()
    journal.put(1, "b")
    assert (dict(first), dict(second)) == ({1: None}, {1: "a"})
    assert (journal.get(1), 1 in journal, journal.get(2)) == ("b", True, None)
