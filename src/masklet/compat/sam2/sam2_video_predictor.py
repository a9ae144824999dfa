"""The official video predictor: ``sam2/sam2_video_predictor.py``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ...inference.results import FrameResult
from ...inference.session import VideoSession
from ...model.presence import ABSENT_LOGIT
from ...model.sam2 import Sam2
from .inference_state import InferenceState
from .prompts import in_pixels, plain, without_corners
from .settings import Settings

FrameLogits = tuple[int, list[Any], Float[Tensor, "n 1 h w"]]
"""A frame, the ids of all objects, and their logits at the video's size (-1024 where nothing is known)."""


class SAM2VideoPredictor:
    """Tracks objects through videos, each of which has a state that every method is given.

    Args:
        model: The network.
        settings: What the configuration says.
        prune: Drop memories that tracking can no longer read.
    """

    def __init__(self, model: Sam2, settings: Settings, *, prune: bool = False) -> None:
        self.model, self.settings, self.prune = model, settings, prune

    @classmethod
    def from_pretrained(cls, model_id: str, **kwargs: Any) -> SAM2VideoPredictor:
        """With weights of the Hugging Face hub; ``kwargs`` go to the builder."""
        from .build_sam import build_sam2_video_predictor_hf

        return build_sam2_video_predictor_hf(model_id, **kwargs)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.model.device

    @property
    def image_size(self) -> int:
        """Side of the model's input."""
        return self.model.config.image_size

    def to(self, *args: Any, **kwargs: Any) -> SAM2VideoPredictor:
        """Move the model."""
        self.model.to(*args, **kwargs)
        return self

    def eval(self) -> SAM2VideoPredictor:
        """Evaluation mode."""
        self.model.eval()
        return self

    def init_state(
        self,
        video_path: Any,
        offload_video_to_cpu: bool = False,
        offload_state_to_cpu: bool = False,
        async_loading_frames: bool = False,
    ) -> InferenceState:
        """Open a video (a folder of images or a file; anything that a session opens). Frames are read when needed.

        Raises:
            ValueError: The source cannot be read as video.
        """
        options = self.settings.session_options(self.image_size, prune=self.prune)
        session = VideoSession(video_path, self.model, options=options)
        return InferenceState(session, offload_video_to_cpu, offload_state_to_cpu)

    def add_new_points_or_box(
        self,
        inference_state: InferenceState,
        frame_idx: int,
        obj_id: Any,
        points: Any = None,
        labels: Any = None,
        clear_old_points: bool = True,
        normalize_coords: bool = True,
        box: Any = None,
    ) -> FrameLogits:
        """Prompt an object on a frame with clicks, a box or both; what it answered there before is refined.

        Raises:
            ValueError: A prompt of wrong shape or value.
            IndexError: No such frame.
        """
        if (points is not None) != (labels is not None):
            raise ValueError("points and labels must be provided together")
        if points is None and box is None:
            raise ValueError("at least one of points or box must be provided as input")
        if box is not None and not clear_old_points:
            raise ValueError("a box comes before all points: give it with clear_old_points=True")
        size = inference_state.session.size
        clicks, signs, corners = plain(points), plain(labels), plain(box)
        if clicks is not None and signs is not None:
            clicks, signs = in_pixels(clicks.reshape(-1, 2), size, normalize=normalize_coords), signs.reshape(-1)
        if corners is not None:
            corners = in_pixels(corners.reshape(2, 2), size, normalize=normalize_coords).reshape(4)
        clicks, signs, corners = without_corners(clicks, signs, corners)
        given = {"points": clicks, "labels": signs, "box": corners, "clear": clear_old_points}
        return self._prompted(inference_state, frame_idx, obj_id, given)

    def add_new_points(self, *args: Any, **kwargs: Any) -> FrameLogits:
        """The older name of :meth:`add_new_points_or_box`."""
        return self.add_new_points_or_box(*args, **kwargs)

    def add_new_mask(self, inference_state: InferenceState, frame_idx: int, obj_id: Any, mask: Any) -> FrameLogits:
        """Give the mask ``[h w]`` of an object on a frame.

        Raises:
            ValueError: Not a mask of the video's size, or nothing is in it.
            IndexError: No such frame.
        """
        given = plain(mask)
        assert given is not None
        return self._prompted(inference_state, frame_idx, obj_id, {"mask": given.astype(bool), "clear": True})

    def propagate_in_video(
        self,
        inference_state: InferenceState,
        start_frame_idx: int | None = None,
        max_frame_num_to_track: int | None = None,
        reverse: bool = False,
    ) -> Iterator[FrameLogits]:
        """Follow all objects and yield each frame, the first one included.

        Raises:
            RuntimeError: An object has no prompt.
        """
        session = inference_state.session
        self.propagate_in_video_preflight(inference_state)
        prompted = [t for track in session.tracks.values() for t in (*track.bank.prompted, *track.pending)]
        start = min(prompted) if start_frame_idx is None else start_frame_idx
        count = inference_state["num_frames"]
        most = count if max_frame_num_to_track is None else max_frame_num_to_track
        if reverse and start == 0:
            return  # officially nothing, too
        stop = max(start - most, 0) if reverse else min(start + most, count - 1)
        for result in session.propagate(start=start, stop=stop, direction="backward" if reverse else "forward"):
            yield self._shown(inference_state, result)

    def propagate_in_video_preflight(self, inference_state: InferenceState) -> None:
        """Check that there is something to track.

        Raises:
            RuntimeError: There is no object, or one without a prompt.
        """
        tracks = inference_state.session.tracks
        if not inference_state.numbers:
            raise RuntimeError("No input points or masks are provided for any object; please add inputs first.")
        for given, number in inference_state.numbers.items():
            if number not in tracks or not tracks[number].started:
                raise RuntimeError(f"No input points or masks are provided for object id {given}; add inputs first.")

    def clear_all_prompts_in_frame(
        self, inference_state: InferenceState, frame_idx: int, obj_id: Any, need_output: bool = True
    ) -> FrameLogits | None:
        """Take back what was given for an object on a frame."""
        session, number = inference_state.session, inference_state.numbers[obj_id]
        if frame_idx in session.tracks[number].prompts:
            session.clear(frame_idx, number)
        return self._shown(inference_state, session.frame_result(frame_idx)) if need_output else None

    def reset_state(self, inference_state: InferenceState) -> None:
        """Forget all objects."""
        inference_state.session.reset()
        inference_state.numbers.clear()

    def remove_object(
        self, inference_state: InferenceState, obj_id: Any, strict: bool = False, need_output: bool = True
    ) -> tuple[list[Any], list[tuple[int, Tensor]]]:
        """Forget an object; returns the ids that are left, and what is shown now where it had been prompted.

        Raises:
            RuntimeError: There is no such object, with ``strict``.
        """
        if obj_id not in inference_state.numbers:
            if strict:
                raise RuntimeError(f"Cannot remove object id {obj_id}: known are {list(inference_state.numbers)}.")
            return list(inference_state.numbers), []
        session = inference_state.session
        number = inference_state.numbers.pop(obj_id)
        frames = sorted(session.tracks[number].prompts)
        session.remove(number)
        shown = [self._shown(inference_state, session.frame_result(t)) for t in frames] if need_output else []
        left = list(inference_state.numbers)
        return left, [(t, logits) for t, _, logits in shown] if left else []

    def _prompted(self, state: InferenceState, frame: int, obj_id: Any, given: dict[str, Any]) -> FrameLogits:
        number = state.numbers.get(obj_id, max(state.numbers.values(), default=0) + 1)
        state.session.prompt(frame, number, **given)
        state.numbers[obj_id] = number
        return self._shown(state, state.session.frame_result(frame))

    def _shown(self, state: InferenceState, result: FrameResult) -> FrameLogits:
        """Logits of all objects; officially a new object that has nothing on a frame has them, too."""
        absent = np.full(state.session.size, ABSENT_LOGIT, np.float32)
        logits = [result[i].logits if i in result else absent for i in state.numbers.values()]
        stacked = torch.from_numpy(np.stack(logits)[:, None]) if logits else torch.zeros(0, 1, *state.session.size)
        return result.frame, list(state.numbers), stacked.to(self.device)


SAM2VideoPredictorVOS = SAM2VideoPredictor
