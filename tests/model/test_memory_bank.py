from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from masklet.model.memory_bank import PROMPTED_SLOT, BankLimits, MemoryBank
from masklet.structures import MemoryEntry, Selection

POINTER = torch.zeros(1, 1)
MAP = torch.zeros(1, 1, 1, 1)


def entry() -> MemoryEntry:
    return MemoryEntry(MAP, POINTER)


def bank_of(recent: range | list[int], user: list[int], **limits: int | None) -> MemoryBank:
    bank = MemoryBank(BankLimits(**limits))  # pyright: ignore[reportArgumentType]
    for t in user:
        bank.write(t, entry(), prompted=True)
    for t in recent:
        bank.write(t, entry(), prompted=False)
    return bank


def frames_read(bank: MemoryBank, selection: Selection) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """(slot, frame) of maps and (offset, frame) of pointers."""
    frame_of = {id(e): t for t, e in (*bank.recent.items(), *bank.prompted.items())}
    return [(s, frame_of[id(e)]) for s, e in selection.maps], [(o, frame_of[id(e)]) for o, e in selection.pointers]


def test_nothing_is_read_of_an_empty_bank():
    assert MemoryBank(BankLimits()).read(3).empty


def test_a_frame_reads_prompted_frames_then_recent_ones_from_far_to_near():
    bank = bank_of(range(1, 10), [0], recent_maps=3, recent_pointers=4)
    maps, pointers = frames_read(bank, bank.read(10))
    assert maps == [(PROMPTED_SLOT, 0), (2, 7), (1, 8), (0, 9)]
    assert pointers == [(10, 0), (1, 9), (2, 8), (3, 7), (4, 6)]


def test_reverse_reads_the_frames_after():
    bank = bank_of(range(11, 20), [20], recent_maps=2, recent_pointers=3)
    maps, pointers = frames_read(bank, bank.read(10, reverse=True))
    assert maps == [(PROMPTED_SLOT, 20), (1, 12), (0, 11)]
    assert pointers == [(10, 20), (1, 11), (2, 12), (3, 13)]


def test_the_map_before_is_that_of_the_neighbour_in_the_direction_of_tracking():
    bank = bank_of([4, 7], [2, 5])
    for t, reverse, neighbour in ((6, False, 5), (5, False, 4), (6, True, 7), (4, True, 5)):
        known = {**bank.recent, **bank.prompted}[neighbour]
        assert bank.before(t, reverse=reverse) is known.features
    assert bank.before(4) is None
    assert bank.before(7, reverse=True) is None
    assert bank.before(2) is None


def test_maps_of_later_prompted_frames_are_read_but_not_their_pointers():
    bank = bank_of([], [2, 9], recent_maps=6)
    maps, pointers = frames_read(bank, bank.read(5))
    assert [t for _, t in maps] == [2, 9]
    assert pointers == [(3, 2)]
    assert frames_read(bank, bank.read(5, reverse=True))[1] == [(4, 9)]
    assert frames_read(bank, bank.read(5, pointers_ahead=True))[1] == [(3, 2), (-4, 9)]  # in training


def test_a_prompted_frame_reads_itself_at_distance_0():
    bank = bank_of([], [4])
    assert frames_read(bank, bank.read(4)) == ([(PROMPTED_SLOT, 4)], [(0, 4)])


def test_prompted_frames_keep_the_order_of_writing():
    bank = bank_of([], [7, 1, 4])
    assert [t for _, t in frames_read(bank, bank.read(8))[0]] == [7, 1, 4]


def test_a_limit_takes_the_nearest_before_and_after_and_the_rest_as_recent():
    bank = bank_of([], [0, 6, 8, 14, 30], prompted=2, recent_maps=4)
    maps, pointers = frames_read(bank, bank.read(10))
    assert maps == [(PROMPTED_SLOT, 8), (PROMPTED_SLOT, 14), (3, 6)]
    assert pointers == [(2, 8), (4, 6), (10, 0)]
    three = bank_of([], [0, 6, 8, 14, 30], prompted=3)
    assert {t for s, t in frames_read(three, three.read(10))[0] if s == PROMPTED_SLOT} == {8, 14, 6}


def test_a_limit_below_one_is_refused():
    with pytest.raises(ValueError, match="at least 1 or None for all, got 0"):
        BankLimits(prompted=0)


def test_a_prompt_replaces_what_was_tracked_and_reading_changes_nothing():
    bank = bank_of(range(4), [])
    bank.write(2, entry(), prompted=True)
    assert list(bank.recent) == [0, 1, 3]
    before = dict(bank.recent), dict(bank.prompted)
    assert bank.read(4).signature == bank.read(4).signature
    assert (bank.recent, bank.prompted) == before


def test_forget():
    bank = bank_of([1, 2], [0])
    bank.forget(0)
    bank.forget(2)
    bank.forget(99)
    assert (list(bank.recent), list(bank.prompted)) == ([1], [])


def test_pruning_drops_far_maps_and_farther_pointers_but_no_prompt():
    bank = bank_of(range(1, 41), [0], recent_maps=2, recent_pointers=5)
    bank.prune([40])
    assert sorted(bank.recent) == list(range(35, 41))
    assert [t for t, e in bank.recent.items() if e.features is not None] == [38, 39, 40]
    assert list(bank.prompted) == [0]
    bank.prune([])
    assert sorted(bank.recent) == list(range(35, 41))


@given(
    start=st.integers(0, 25),
    length=st.integers(1, 50),
    prompted=st.sets(st.integers(0, 49), max_size=4),
    corrected=st.dictionaries(st.integers(0, 49), st.booleans(), max_size=4),
    limit=st.sampled_from([None, 1, 2]),
    recent_maps=st.integers(0, 6),
    recent_pointers=st.integers(-1, 15),
    both=st.booleans(),
)
def test_a_pruned_bank_reads_as_one_that_keeps_everything(
    start: int,
    length: int,
    prompted: set[int],
    corrected: dict[int, bool],
    limit: int | None,
    recent_maps: int,
    recent_pointers: int,
    both: bool,
):
    """A run forward and then, perhaps, backward from its start; on the way some frames become prompted ones."""
    limits = BankLimits(recent_maps, recent_pointers, limit)
    kept, pruned = MemoryBank(limits), MemoryBank(limits)
    for t in sorted(prompted):
        for bank in (kept, pruned):
            bank.write(t, MemoryEntry(MAP, torch.tensor([[float(t)]])), prompted=True)
    walk = [(t, False) for t in range(start, length)] + [(t, True) for t in range(start - 1, -1, -1) if both]
    for t, reverse in walk:
        one, other = kept.read(t, reverse=reverse), pruned.read(t, reverse=reverse)
        assert one.signature == other.signature
        assert [e.pointer.item() for _, e in one.maps] == [e.pointer.item() for _, e in other.maps]
        assert [e.pointer.item() for _, e in one.pointers] == [e.pointer.item() for _, e in other.pointers]
        assert all(e.features is not None for _, e in other.maps)
        assert (kept.before(t, reverse=reverse) is None) == (pruned.before(t, reverse=reverse) is None)
        for bank in (kept, pruned):
            bank.write(t, MemoryEntry(MAP, torch.tensor([[float(t)]])), prompted=corrected.get(t, False))
        pruned.prune([t, start])
        assert sum(e.features is not None for e in pruned.recent.values()) <= 4 * recent_maps + 2
        assert len(pruned.recent) <= 4 * max(recent_maps, recent_pointers) + 2
