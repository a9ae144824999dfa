"""The state of a video as the official predictor lays it out: a mapping to look at, made when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

from ...inference.session import VideoSession
from ...inference.track import ObjectTrack
from ...structures import MemoryEntry, Prediction
from ...video.frames import FrameSource
from ...video.pixels import to_input


class InferenceState(Mapping[str, Any]):
    """What ``init_state`` returns. The keys are the official ones; change things with the predictor's methods.

    Attributes:
        session: What really holds the state.
        numbers: Our number of each object, by the user's id of it, in the order in which they came.
    """

    def __init__(self, session: VideoSession, offload_video: bool, offload_state: bool) -> None:
        self.session = session
        self.numbers: dict[Any, int] = {}
        device = session.model.device
        self._made: dict[str, Callable[[], Any]] = {
            "images": lambda: _Images(session),
            "num_frames": lambda: len(self.frames),
            "video_height": lambda: session.size[0],
            "video_width": lambda: session.size[1],
            "device": lambda: device,
            "storage_device": lambda: torch.device("cpu") if offload_state else device,
            "offload_video_to_cpu": lambda: offload_video,
            "offload_state_to_cpu": lambda: offload_state,
            "obj_ids": lambda: list(self.numbers),
            "obj_id_to_idx": lambda: {given: i for i, given in enumerate(self.numbers)},
            "obj_idx_to_id": lambda: dict(enumerate(self.numbers)),
            "point_inputs_per_obj": lambda: self._each(_points),
            "mask_inputs_per_obj": lambda: self._each(_masks),
            "output_dict_per_obj": lambda: self._each(_outputs),
            "temp_output_dict_per_obj": lambda: self._each(_temporary),
            "frames_tracked_per_obj": lambda: self._each(
                lambda track: {t: {"reverse": note.reverse} for t, note in track.notes.items()}
            ),
        }

    @property
    def frames(self) -> FrameSource:
        """The video."""
        assert isinstance(self.session.source, FrameSource)
        return self.session.source

    def __getitem__(self, key: str) -> Any:
        return self._made[key]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._made)

    def __len__(self) -> int:
        return len(self._made)

    def _each(self, part: Callable[[ObjectTrack], Any]) -> dict[int, Any]:
        tracks = self.session.tracks
        return {i: part(tracks[number]) if number in tracks else {} for i, number in enumerate(self.numbers.values())}


class _Images:
    """Normalised frames ``3 s s``, read when asked for."""

    def __init__(self, session: VideoSession) -> None:
        self._session = session

    def __len__(self) -> int:
        return len(self._session.source)

    def __getitem__(self, t: int) -> torch.Tensor:
        session = self._session
        return to_input(session.source.frame(t), session.model.config.image_size, resample=session.options.resample)[0]


def _points(track: ObjectTrack) -> dict[int, Any]:
    return {
        t: {"point_coords": torch.from_numpy(p.points)[None], "point_labels": torch.from_numpy(p.labels)[None]}
        for t, p in track.prompts.items()
        if p.mask is None
    }


def _masks(track: ObjectTrack) -> dict[int, Any]:
    return {t: torch.from_numpy(p.mask)[None, None] for t, p in track.prompts.items() if p.mask is not None}


def _outputs(track: ObjectTrack) -> dict[str, dict[int, Any]]:
    bank = track.bank
    kinds = {"cond_frame_outputs": bank.prompted, "non_cond_frame_outputs": bank.recent}
    return {kind: {t: _output(track.answers.get(t), e) for t, e in table.items()} for kind, table in kinds.items()}


def _temporary(track: ObjectTrack) -> dict[str, dict[int, Any]]:
    waiting = {t: _output(answer, None) for t, answer in track.pending.items()}
    tracked = {t for t in waiting if t in track.notes and t not in track.bank.prompted}
    return {
        "cond_frame_outputs": {t: one for t, one in waiting.items() if t not in tracked},
        "non_cond_frame_outputs": {t: one for t, one in waiting.items() if t in tracked},
    }


def _output(answer: Prediction | None, entry: MemoryEntry | None) -> dict[str, Any]:
    return {
        "maskmem_features": None if entry is None else entry.features,
        "pred_masks": None if answer is None else answer.logits,
        "obj_ptr": entry.pointer if entry is not None else None if answer is None else answer.pointer,
        "object_score_logits": None if answer is None else answer.presence[:, None],
    }
