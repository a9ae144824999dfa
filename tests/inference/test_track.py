from __future__ import annotations

import pytest
import torch

from masklet.inference.track import Note, ObjectTrack, split_entry, split_prediction, stack_selections
from masklet.model.memory_bank import BankLimits, MemoryBank
from masklet.structures import MemoryEntry, Prediction, Selection


def prediction(batch: int = 1) -> Prediction:
    logits = torch.arange(batch * 16.0).reshape(batch, 1, 4, 4) - 5
    row = torch.arange(float(batch))
    four, four_iou = logits.expand(-1, 4, -1, -1), row[:, None].expand(-1, 4)
    return Prediction(logits, row, row, torch.ones(batch, 3), logits, row[:, None], four, four_iou)


def entry(value: float) -> MemoryEntry:
    return MemoryEntry(torch.full((1, 2, 2, 2), value), torch.full((1, 3), value))


def test_a_note_is_the_mask():
    note = Note.of(entry(3.0), prediction(), reverse=True)
    assert note.reverse
    logits = note.logits(torch.device("cpu"))
    assert logits.shape == (1, 1, 4, 4)
    assert torch.equal(logits > 0, prediction().logits > 0)
    assert logits.abs().unique().tolist() == [10]
    assert note.key.tolist() == pytest.approx([0.5**0.5] * 2, abs=1e-3)


def test_one_share_of_a_batch_stands_alone():
    many = prediction(3)
    one = split_prediction(many, 1)
    assert torch.equal(one.logits, many.logits[1:2])
    assert one.iou.tolist() == one.presence.tolist() == [1]
    assert one.masks is None
    many.logits.zero_()
    assert one.logits.any()  # a copy: the batch can go
    memory = MemoryEntry(torch.full((3, 2, 2, 2), 1.001), torch.arange(9.0).reshape(3, 3))
    share = split_entry(memory, 2)
    assert share.features is not None
    assert share.features.dtype == torch.bfloat16
    assert share.features.shape == (1, 2, 2, 2)
    assert share.pointer.tolist() == [[6, 7, 8]]


def test_selections_of_equal_signature_are_stacked():
    selections = [Selection(((-1, entry(v)), (0, entry(v + 1))), ((2, entry(v + 1)),), 9) for v in (1.0, 5.0)]
    assert stack_selections(selections[:1]) is selections[0]
    both = stack_selections(selections)
    assert both.signature == selections[0].signature
    assert both.pointer_span == 9
    first, second = (e.features for _, e in both.maps)
    assert first is not None
    assert second is not None
    assert first[:, 0, 0, 0].tolist() == [1, 5]
    assert second[:, 0, 0, 0].tolist() == [2, 6]
    assert both.pointers[0][1].pointer[:, 0].tolist() == [2, 6]


def track_of(frames: int) -> ObjectTrack:
    track = ObjectTrack(MemoryBank(BankLimits(recent_maps=2, recent_pointers=4)))
    for t in range(frames):
        track.record(t, entry(float(t)), prediction(), prompted=t == 0, reverse=False)
    return track


def test_pruning_keeps_prompted_answers_and_every_note():
    track = track_of(20)
    track.prune([19])
    assert sorted(track.answers) == [0, 17, 18, 19]
    assert sorted(track.notes) == list(range(20))
    track.drop_frames(12)
    assert sorted(track.notes) == list(range(12, 20))


def test_missing_maps_are_those_a_frame_would_read():
    track = track_of(20)
    assert track.missing_maps(10, reverse=False) == []
    track.prune([19])
    assert track.missing_maps(10, reverse=False) == [8, 9]
    assert track.missing_maps(10, reverse=True) == [12, 11]
    assert track.missing_maps(19, reverse=False) == []
    assert track.missing_maps(2, reverse=False) == [1]  # frame 0 is prompted
    assert track.missing_maps(25, reverse=False) == []


def test_only_prompted_frames_are_fixed():
    track = track_of(3)
    assert track.fixed(0) is track.answers[0]
    assert track.fixed(1) is None
    assert track.known(1) is track.answers[1]
    newer = prediction()
    track.pending[1] = newer
    assert track.known(1) is newer


def test_earlier_logits_come_from_the_note_in_the_end():
    track = track_of(20)
    track.prune([19])
    cpu = torch.device("cpu")
    recent, noted = track.previous_logits(19, cpu), track.previous_logits(8, cpu)
    assert recent is not None
    assert torch.equal(recent, prediction().logits)
    assert noted is not None
    assert torch.equal(noted > 0, prediction().logits > 0)
    assert track.previous_logits(30, cpu) is None
