from __future__ import annotations

import pytest

from masklet.compat.sam2.automatic_mask_generator import SAM2AutomaticMaskGenerator


def test_it_says_that_it_is_not_here():
    with pytest.raises(NotImplementedError, match="no automatic masks yet"):
        SAM2AutomaticMaskGenerator(None)
    with pytest.raises(NotImplementedError, match="no automatic masks yet"):
        SAM2AutomaticMaskGenerator.from_pretrained("facebook/sam2.1-hiera-tiny")
