"""Pictures of a report: frames of the data set with the masks that an evaluation has kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..data.records import VideoDataset
    from ..evaluation.prediction_folders import Layout
    from ..evaluation.reports.gallery import Shot


@dataclass(frozen=True)
class ReportPictures:
    """Draws the shots of a report: a :data:`~masklet.evaluation.reports.gallery.Pictures`.

    Attributes:
        dataset: What was evaluated.
        masks: Where masks are kept: a folder for each prompt, or where ``flat`` of each video; None: nowhere.
        layout: How they are kept.
        flat: See ``masks``.
    """

    dataset: VideoDataset
    masks: Path | None
    layout: Layout
    flat: bool

    def __call__(self, shot: Shot) -> bytes | None:
        """The JPEG of a shot; None for a video that is no longer there."""
        from ..evaluation.prediction_folders import read_prediction
        from ..evaluation.reports.gallery import draw_shot

        if shot.video not in self.dataset.names:
            return None
        video = self.dataset[self.dataset.names.index(shot.video)]
        known = video.masks(shot.frame, (shot.object_id,)) if shot.frame in video.annotated else {}
        kept = None
        if self.masks is not None:
            folder = self.masks if self.flat else self.masks / shot.protocol
            kept = read_prediction(video, folder, self.layout, shot.frame, shot.object_id)
        return draw_shot(shot, video.image(shot.frame), kept, known.get(shot.object_id))
