from __future__ import annotations

import pytest
import torch

from masklet.masks.overlap import suppress_overlaps


def test_only_the_highest_keeps_its_logit():
    logits = torch.tensor([[3.0, -1.0, -20.0, 2.0], [4.0, -2.0, -15.0, 2.0], [1.0, 5.0, -30.0, -1.0]]).view(3, 1, 1, 4)
    result = suppress_overlaps(logits).view(3, 4).tolist()
    assert result == [[-10, -10, -20, 2], [4, -10, -15, -10], [-10, 5, -30, -10]]


def test_masks_do_not_overlap_and_their_union_stays():
    logits = torch.randn(5, 1, 30, 40, generator=torch.Generator().manual_seed(0))
    result = suppress_overlaps(logits)
    assert ((result > 0).sum(0) <= 1).all()
    assert torch.equal((result > 0).any(0), (logits > 0).any(0))


def test_one_object_or_none_is_left_alone():
    one = torch.randn(1, 1, 3, 3)
    assert suppress_overlaps(one) is one
    assert suppress_overlaps(one[:0]).shape == (0, 1, 3, 3)


@pytest.mark.usefixtures("as_user")
def test_wrong_shape():
    with pytest.raises(ValueError, match=r"\(2, 3, 3\)"):
        suppress_overlaps(torch.zeros(2, 3, 3))
