from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from made_engine import made_engine
from masklet.checkpoints.load import load
from masklet.data_engine.automatic_job import find_masklets, propose
from masklet.data_engine.child import ChildError
from masklet.data_engine.database import Database
from masklet.data_engine.frame_pack import FramePack
from masklet.data_engine.schema import Masklet, Session, Video
from masklet.data_engine.stored_masks import masks_of
from masklet.inference.automatic import AutomaticOptions
from masklet.inference.automatic_masklets import AutomaticMasklets
from masklet.inference.masklet_options import MaskletOptions
from masklet.model.sam2 import Sam2
from masklet.video.frames import FrameSource

OPTIONS: dict[str, Any] = {
    "masks": {"grids": (3,), "least_iou": 0.0, "least_stability": 0.0},
    "later_grid": 3,
    "every": 4,
    "small_area": 5,
    "least_confidence": 0.0,
    "most_overlap": 0.5,
}
pytestmark = pytest.mark.usefixtures("as_user")


def test_what_is_found_is_proposed_and_a_stopped_run_goes_on(
    sqlite: Database, tmp_path: Path, tiny: Sam2, frames: list[np.ndarray]
):
    engine = made_engine(sqlite, tmp_path, tiny, frames)
    session = engine.session()
    with sqlite.begin() as db:
        video = db.get_one(Video, db.get_one(Session, session).video_id)
        pack, folder = engine.workspace.pack(video.key), engine.workspace.automatic(video.key)
    told: list[tuple[int, int]] = []

    def stopped(done: int, of: int) -> None:
        told.append((done, of))
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        find_masklets(pack, str(engine.model), folder, on_progress=stopped, options=OPTIONS)
    again: list[tuple[int, int]] = []
    masklets = find_masklets(pack, str(engine.model), folder, 2, lambda *done: again.append(done), options=OPTIONS)
    assert told[-1] == (4, 10)
    assert again[-1] == (10, 10)
    chosen = MaskletOptions(**{**OPTIONS, "masks": AutomaticOptions(**OPTIONS["masks"])})
    with AutomaticMasklets(load(engine.model), chosen).generate(FrameSource(FramePack(pack))) as wanted:
        shown = {t: wanted.frame(t) for t in range(0, 10, 2)}
    assert len(masklets) == len({i for frame in shown.values() for i in frame})
    assert masklets
    by_frame = {t: sorted(m.counts.decode() for one in masklets for m in one.masks if m.frame == t) for t in shown}
    assert by_frame == {t: sorted(one.rle()["counts"] for one in frame.values()) for t, frame in shown.items()}

    with sqlite.begin() as db:
        proposed = propose(db, video.id, masklets)
    with sqlite.begin() as db:
        stored = {o.id: db.scalars(select(Masklet).where(Masklet.object_id == o.id)).one() for o in proposed}
        assert {(o.origin, o.state) for o in proposed} == {("automatic", "proposed")}
        masks = [[m for m in masks_of(db, one.id) if m.area] for one in stored.values()]
        assert masks == [[m for m in one.masks if m.area] for one in masklets if any(m.area for m in one.masks)]


def test_what_cannot_be_done_is_told(tmp_path: Path):
    with pytest.raises(ChildError, match="no such model"):
        find_masklets(tmp_path / "none.pack", "no such model", tmp_path / "folder")
