from __future__ import annotations

import torch

from masklet.model.presence import ABSENT_LOGIT, gate_logits, gate_pointer, mark_absent

PRESENCE = torch.tensor([1e-3, 0.0, -5.0])  # only the first is above 0


def test_logits_of_absent_objects_are_replaced():
    gated = gate_logits(torch.ones(3, 2, 4, 4), PRESENCE)
    assert gated.amax((1, 2, 3)).tolist() == [1, ABSENT_LOGIT, ABSENT_LOGIT]
    assert (gated[0] == 1).all()
    assert (gated[1:] == ABSENT_LOGIT).all()


def test_pointers_of_absent_objects_are_the_learned_one():
    absent = torch.tensor([[7.0, 8.0]])
    assert gate_pointer(torch.ones(3, 2), PRESENCE, absent).tolist() == [[1, 1], [7, 8], [7, 8]]


def test_memory_of_absent_objects_gets_the_code_added_everywhere():
    memory = torch.arange(3 * 2 * 4, dtype=torch.float32).reshape(3, 2, 2, 2)
    marked = mark_absent(memory, PRESENCE, torch.tensor([[10.0, 20.0]]))
    assert torch.equal(marked[0], memory[0])
    assert torch.equal(marked[1:] - memory[1:], torch.tensor([10.0, 20.0])[None, :, None, None].expand(2, 2, 2, 2))
