"""The official SAM 2 code (PyPI ``sam2``) behind the protocols of :mod:`masklet.tracker`, with weights of our models.

What our own session must be told to give the same masks, pixel for pixel (``tests/parity/test_trackers.py``):

- ``SessionOptions.official(fill_holes=0)`` for ``postprocess=True`` where the package has no CUDA extension, and
  ``SessionOptions.official()`` where it has one: only then are holes filled.
- ``stability_fallback=False, binarize_prompted=False, fill_holes=0`` besides for ``postprocess=False``, which is how
  the published numbers of video object segmentation were made.
- ``non_overlap=True`` on both sides or on neither. (The published numbers: on, except for one file per object.)
- Clicks that repeat earlier ones of the frame refine the answer to those on both sides. Clicks that replace them do
  so here only.
- ``ImagePredictor(resample="official_image")`` for images, which have no post-processing but the stability fallback.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float

from ..checkpoints.convert import to_official
from ..interaction.prompts import user_prompt
from ..model.config import CONFIGS, ModelConfig, with_image_size
from ..model.sam2 import Sam2
from ..video.frames import open_source

log = logging.getLogger(__name__)

_LETTERS = {"tiny": "t", "small": "s", "base_plus": "b+", "large": "l"}


def official_config(config: ModelConfig) -> str:
    """The official configuration file of a model, as its builders take it; the input size may differ from the file's.

    Raises:
        ValueError: The official code has no such model.
    """
    for name, known in CONFIGS.items():
        version, _, size = name.partition("_hiera_")
        if size and with_image_size(known, config.image_size) == config:
            return f"configs/{version}/{version}_hiera_{_LETTERS[size]}.yaml"
    sizes = ", ".join(name for name in CONFIGS if "_hiera_" in name)
    raise ValueError(f"the official code has no model with this configuration, only {sizes}: load one of these")


class OfficialTracker:
    """A :class:`~masklet.tracker.Tracker` that drives the official ``SAM2VideoPredictor`` in float32.

    The whole video is held in memory, as officially. Its progress bars stay away with ``TQDM_DISABLE=1``.

    Args:
        model: Whose weights are taken: one of the eight official sizes, at any input size.
        postprocess: Stability fallback, sharp memories of prompted frames, and holes filled where the package has its
            CUDA extension (the official default; off in the published numbers).
        non_overlap: Objects share no pixel; the highest logit wins.

    Raises:
        ImportError: The package is missing.
        ValueError: The official code has no such model.
    """

    def __init__(self, model: Sam2, *, postprocess: bool = True, non_overlap: bool = False) -> None:
        self.predictor = _built("build_sam2_video_predictor", model, postprocess)
        self.predictor.non_overlap_masks = non_overlap
        self.predictor.memory_attention.register_forward_pre_hook(_at_least_float32, with_kwargs=True)
        if postprocess and find_spec("sam2._C") is None:
            log.warning("the sam2 package was installed without its CUDA extension: no holes are filled")
            self.predictor.fill_hole_area = 0  # what happens anyway, less a warning on every frame
        self._state: Any = None
        self._prompted: list[int] = []

    def open(self, source: Any) -> None:
        """Start on a new video, in any form that :func:`~masklet.video.frames.open_source` takes."""
        self._prompted = []
        with open_source(source) as frames, TemporaryDirectory() as folder:
            # The predictor reads folders of *.jpg only. It looks at the name, Pillow at the content: nothing is lost.
            for t, frame in enumerate(frames):
                picture = cv2.imencode(".png", frame[..., ::-1], (cv2.IMWRITE_PNG_COMPRESSION, 1))[1]
                (Path(folder) / f"{t:06d}.jpg").write_bytes(picture.tobytes())
            self._state = self.predictor.init_state(folder)

    def prompt(
        self, frame: int, object_id: int, *, points: Any = None, labels: Any = None, box: Any = None, mask: Any = None
    ) -> Bool[np.ndarray, "h w"]:
        """Prompt an object on a frame; clicks refine the answer to the frame's earlier ones, replaced or not.

        Raises:
            ValueError: A prompt of wrong shape or value.
            IndexError: No such frame.
            RuntimeError: No video is open.
        """
        state = self._opened()
        if not 0 <= frame < state["num_frames"]:
            raise IndexError(f"got frame {frame}, expected 0..{state['num_frames'] - 1}")
        size = (state["video_height"], state["video_width"])
        given = user_prompt(size, points=points, labels=labels, box=box, mask=mask)
        if given.mask is not None:
            _, ids, logits = self.predictor.add_new_mask(state, frame, object_id, given.mask)
        else:
            _, ids, logits = self.predictor.add_new_points_or_box(
                state, frame, object_id, points=given.points, labels=given.labels, box=given.box
            )
        self._prompted.append(frame)
        return _masks(ids, logits)[object_id]

    def propagate(
        self, *, start: int | None = None, stop: int | None = None, reverse: bool = False
    ) -> Iterator[tuple[int, Mapping[int, Bool[np.ndarray, "h w"]]]]:
        """Masks of each frame, by default from the earliest prompted one; backward from frame 0 there are none.

        Raises:
            ValueError: Nothing has been prompted.
            RuntimeError: No video is open.
        """
        state = self._opened()
        if not self._prompted:
            raise ValueError("there is nothing to track: prompt an object on a frame first")
        first = min(self._prompted) if start is None else start
        more = None if stop is None else (first - stop if reverse else stop - first)
        for t, ids, logits in self.predictor.propagate_in_video(state, first, more, reverse):
            yield t, _masks(ids, logits)

    def _opened(self) -> Any:
        if self._state is None:
            raise RuntimeError("no video is open: call open(source) first")
        return self._state


class OfficialSegmenter:
    """An :class:`~masklet.tracker.ImageSegmenter` that drives the official ``SAM2ImagePredictor`` in float32.

    Args:
        model: As for :class:`OfficialTracker`.
        postprocess: Stability fallback (the official default).

    Attributes:
        logits: Low-resolution logits of the last answer's candidates.

    Raises:
        ImportError: The package, or torchvision, which it needs for images, is missing.
        ValueError: The official code has no such model.
    """

    def __init__(self, model: Sam2, *, postprocess: bool = True) -> None:
        built = _built("build_sam2", model, postprocess)
        from sam2.sam2_image_predictor import SAM2ImagePredictor  # pyright: ignore[reportMissingImports]

        self.predictor = SAM2ImagePredictor(built)
        side = model.config.image_size
        self.predictor._bb_feat_sizes = [(side // stride, side // stride) for stride in (4, 8, 16)]  # fixed to 1024
        self.logits: Float[np.ndarray, "m h4 w4"] | None = None

    def set_image(self, image: Any) -> None:
        """Encode an RGB ``uint8`` image."""
        self.predictor.set_image(np.asarray(image))

    def predict(
        self,
        *,
        points: Any = None,
        labels: Any = None,
        box: Any = None,
        mask_logits: Any = None,
        multimask: bool = True,
    ) -> tuple[Bool[np.ndarray, "m h w"], Float[np.ndarray, " m"]]:
        """Candidate masks and their predicted IoU; clicks without labels are on the object."""
        if points is not None and labels is None:
            labels = np.ones(len(points), np.int64)
        previous = None if mask_logits is None else np.asarray(mask_logits)[None]
        masks, iou, self.logits = self.predictor.predict(points, labels, box, previous, multimask)
        return masks > 0, iou

    def segment_batch(
        self, images: Sequence[Any], clicks: Sequence[tuple[float, float]]
    ) -> list[tuple[Bool[np.ndarray, "m h w"], Float[np.ndarray, " m"]]]:
        """Candidate masks for a click on each ``uint8`` image."""
        self.predictor.set_image_batch([np.asarray(image) for image in images])
        points, labels = [np.array([click], np.float32) for click in clicks], [np.ones(1, np.int64)] * len(clicks)
        masks, iou, _ = self.predictor.predict_batch(points, labels, multimask_output=True)
        return [(one > 0, scores) for one, scores in zip(masks, iou, strict=True)]


def _built(builder: str, model: Sam2, postprocess: bool) -> Any:
    """An official model with our weights, from the package's own configuration file."""
    config = official_config(model.config)
    try:
        from sam2 import build_sam  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ImportError(f"the official code cannot be imported ({error}): pip install sam2==1.1.0") from error
    size = [f"++model.image_size={model.config.image_size}"]
    built = getattr(build_sam, builder)(
        config, device=model.device, hydra_overrides_extra=size, apply_postprocessing=postprocess
    )
    built.load_state_dict(to_official(model.state_dict()))
    return built


def _at_least_float32(_module: Any, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Memory maps are stored in bfloat16.

    Pointers beside them raise the type to that of the weights; without any (on frames before the object's prompt) the
    official code fails outside of autocast.
    """
    memory = kwargs["memory"]
    return args, {**kwargs, "memory": memory.to(torch.promote_types(memory.dtype, torch.float32))}


def _masks(ids: list[int], logits: Any) -> dict[int, np.ndarray]:
    return dict(zip(ids, (logits[:, 0] > 0).cpu().numpy(), strict=True))
