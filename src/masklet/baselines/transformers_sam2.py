"""SAM 2 of Hugging Face ``transformers`` behind the protocols of :mod:`masklet.tracker`, with weights of our models.

Frames are resized as the official code does it, so that what differs is the model's doing. Masks equal those of our
session (``tests/parity/test_trackers.py``) from one click, a box, or a box with clicks, and these options of ours:
``SessionOptions.official(fill_holes=0)``. Where ``transformers`` 5.18 departs from the official code nothing is evened
out here:

- More clicks on a frame are a new prompt; they do not refine the answer to the first.
- The pointer of a given mask comes from the best of three candidates, not from the single one, and its memory from
  the mask at full size, not from its logits at stride 4.
- Memories of prompts are always sharp, and the stability fallback is always on (the configuration that our weights are
  converted with); holes are not filled; objects may overlap.
- A correction on a tracked frame sharpens the memories of all objects on that frame.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..checkpoints.convert import to_transformers
from ..checkpoints.transformers_config import transformers_config
from ..interaction.prompts import user_prompt
from ..masks.resize import resize_logits
from ..model.sam2 import Sam2
from ..video.fitting import fit_frame
from ..video.frames import open_source
from ..video.pixels import to_input


class TransformersTracker:
    """A :class:`~masklet.tracker.Tracker` that drives ``Sam2VideoModel``, with the type and device of our model.

    The whole video is held in memory.

    Raises:
        ImportError: The package is missing.
        ValueError: It has no such model (``nano``).
    """

    def __init__(self, model: Sam2) -> None:
        transformers, config = _imported(), transformers_config(model.config)
        built = transformers.Sam2VideoModel(transformers.Sam2VideoConfig.from_dict(config))
        built.load_state_dict(to_transformers(model.state_dict()))
        self.model = built.to(model.device, model.dtype).eval()
        self._image_size, self._new_session = model.config.image_size, transformers.Sam2VideoInferenceSession
        self._session: Any = None
        self._prompted: list[int] = []

    def open(self, source: Any) -> None:
        """Start on a new video, in any form that :func:`~masklet.video.frames.open_source` takes."""
        self._prompted = []
        with open_source(source) as frames:
            pixels = torch.cat([to_input(frame, self._image_size, resample="official_video") for frame in frames])
            height, width = frames.size
        device = self.model.device
        self._session = self._new_session(
            pixels, height, width, inference_device=device, inference_state_device=device, dtype=self.model.dtype
        )

    @torch.inference_mode()
    def prompt(
        self, frame: int, object_id: int, *, points: Any = None, labels: Any = None, box: Any = None, mask: Any = None
    ) -> Bool[np.ndarray, "h w"]:
        """Prompt an object anew on a frame.

        Raises:
            ValueError: A prompt of wrong shape or value.
            IndexError: No such frame.
            RuntimeError: No video is open.
        """
        session = self._opened()
        if not 0 <= frame < session.num_frames:
            raise IndexError(f"got frame {frame}, expected 0..{session.num_frames - 1}")
        size = (session.video_height, session.video_width)
        given = user_prompt(size, points=points, labels=labels, box=box, mask=mask)
        asked = given.to_model(fit_frame(size, self._image_size), self.model.device)
        index = session.obj_id_to_idx(object_id)
        if asked.mask is not None:
            session.add_mask_inputs(index, frame, asked.mask)
            session.remove_point_inputs(index, frame)
        else:
            assert asked.points is not None
            assert asked.labels is not None
            inputs = {"point_coords": asked.points[:, None], "point_labels": asked.labels[:, None]}
            session.add_point_inputs(index, frame, inputs)
            session.remove_mask_inputs(index, frame)
        session.obj_with_new_inputs = [object_id]
        self._prompted.append(frame)
        return self._masks(self.model(session, frame_idx=frame))[object_id]

    def propagate(
        self, *, start: int | None = None, stop: int | None = None, reverse: bool = False
    ) -> Iterator[tuple[int, Mapping[int, Bool[np.ndarray, "h w"]]]]:
        """Masks of each frame, by default from the earliest prompted one; backward from frame 0 there are none.

        Raises:
            ValueError: Nothing has been prompted.
            RuntimeError: No video is open.
        """
        session = self._opened()
        if not self._prompted:
            raise ValueError("there is nothing to track: prompt an object on a frame first")
        first = min(self._prompted) if start is None else start
        more = None if stop is None else (first - stop if reverse else stop - first)
        for answer in self.model.propagate_in_video_iterator(session, first, more, reverse):
            yield answer.frame_idx, self._masks(answer)

    def _opened(self) -> Any:
        if self._session is None:
            raise RuntimeError("no video is open: call open(source) first")
        return self._session

    def _masks(self, answer: Any) -> dict[int, np.ndarray]:
        logits = resize_logits(answer.pred_masks, (self._session.video_height, self._session.video_width))
        return dict(zip(answer.object_ids, (logits[:, 0] > 0).cpu().numpy(), strict=True))


class TransformersSegmenter:
    """An :class:`~masklet.tracker.ImageSegmenter` that drives ``Sam2Model``, with the type and device of our model.

    Attributes:
        logits: Low-resolution logits of the last answer's candidates.

    Raises:
        ImportError: The package is missing.
        ValueError: It has no such model (``nano``).
    """

    def __init__(self, model: Sam2) -> None:
        transformers, config = _imported(), transformers_config(model.config)
        parts = ("vision_config", "prompt_encoder_config", "mask_decoder_config")
        built = transformers.Sam2Model(transformers.Sam2Config(**{part: config[part] for part in parts}))
        left = built.load_state_dict(to_transformers(model.state_dict()), strict=False)  # it has no memory parts
        assert not left.missing_keys
        self.model = built.to(model.device, model.dtype).eval()
        self._image_size = model.config.image_size
        self._maps: list[Tensor] | None = None
        self._size = (0, 0)
        self.logits: Float[np.ndarray, "m h4 w4"] | None = None

    @torch.inference_mode()
    def set_image(self, image: Any) -> None:
        """Encode an RGB ``uint8`` image."""
        pixels = to_input(np.asarray(image), self._image_size, resample="official_image")
        self._maps = list(self.model.get_image_embeddings(pixels.to(self.model.device, self.model.dtype)))
        self._size = np.shape(image)[:2]

    @torch.inference_mode()
    def predict(
        self,
        *,
        points: Any = None,
        labels: Any = None,
        box: Any = None,
        mask_logits: Any = None,
        multimask: bool = True,
    ) -> tuple[Bool[np.ndarray, "m h w"], Float[np.ndarray, " m"]]:
        """Candidate masks and their predicted IoU.

        Raises:
            ValueError: A prompt of wrong shape or value, or none.
            RuntimeError: No image was set.
        """
        if self._maps is None:
            raise RuntimeError("no image is set: call set_image(image) before predict()")
        given = user_prompt(self._size, points=points, labels=labels, box=box)
        scale = torch.tensor(self._size[::-1]) / self._image_size
        asked: dict[str, Tensor] = {}
        if len(given.points):
            asked["input_points"] = (torch.from_numpy(given.points) / scale)[None, None]
            asked["input_labels"] = torch.from_numpy(given.labels)[None, None]
        if given.box is not None:
            asked["input_boxes"] = (torch.from_numpy(given.box).reshape(2, 2) / scale).reshape(1, 1, 4)
        if mask_logits is not None:
            asked["input_masks"] = torch.as_tensor(mask_logits)[None, None].to(self.model.dtype)
        on_device = {name: value.to(self.model.device) for name, value in asked.items()}
        answer = self.model(image_embeddings=list(self._maps), multimask_output=multimask, **on_device)
        logits = answer.pred_masks[0]
        self.logits = logits[0].clamp(-32, 32).float().cpu().numpy()
        masks = resize_logits(logits, self._size)[0] > 0
        return masks.cpu().numpy(), answer.iou_scores[0, 0].float().cpu().numpy()


def _imported() -> Any:
    try:
        import transformers  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ImportError(
            f"transformers cannot be imported ({error}): pip install 'masklet[parity]', or transformers==5.18.0"
        ) from error
    return transformers
