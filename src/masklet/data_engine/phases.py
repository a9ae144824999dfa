"""What a user's work does to a session in each phase of the paper's data engine (SAM 2, section 5.1).

Phase 3: clicks are prompts of the full model, which has memory. Phase 2: clicks segment a frame as a mere image, and
the mask is propagated. Phase 1: as that, and nothing is propagated, every frame is done by hand. Brush and eraser make
the mask in every phase, and in every phase it can be said that an object is not visible.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import numpy as np
import torch

from ..inference.history import Event
from ..inference.image import ImageEmbedding, ImagePredictor
from ..inference.session import VideoSession
from ..interaction.prompts import UserPrompt, check_object_id, user_prompt
from ..masks import rle
from ..structures import Selection
from ..video.fitting import fit_frame
from .bodies import frames_of, mask_of, number, optional
from .schema import Phase

_MOST_CLICKED = 200
"""Masks whose clicks are remembered, for a session."""
ACTIONS = (
    "prompt",
    "mask",
    "clear",
    "undo",
    "redo",
    "object_add",
    "object_change",
    "object_remove",
    "lock",
    "unlock",
    "absent",
    "present",
    "trim",
    "swap",
    "merge",
    "split",
)
"""What :meth:`Annotating.act` takes."""


class Annotating:
    """A session under the hands of a user. Not for several threads at once.

    Args:
        session: The session. What is noted of clicks lies in its tag.
        phase: 1 to 3.
    """

    def __init__(self, session: VideoSession, phase: Phase) -> None:
        if phase not in (1, 2, 3):
            raise ValueError(f"a phase is 1, 2 or 3, got {phase!r}")
        self.session, self.phase = session, phase
        self._images = None if phase == 3 else ImagePredictor(session.model, fit=session.options.fit)

    @property
    def next_undo(self) -> Event | None:
        """What would be undone."""
        return next(reversed(self.session.history), None)

    @property
    def next_redo(self) -> Event | None:
        """What would be done again."""
        return next(reversed(self.session.undone), None)

    def check_propagate(self) -> None:
        """Raise ValueError in a phase without propagation."""
        if self.phase == 1:
            raise ValueError("in phase 1 every frame is annotated by hand: nothing is propagated")

    def act(self, kind: str, body: Mapping[str, Any]) -> Event | None:
        """Do something; see the table of actions in docs/data_engine.md.

        Args:
            kind: One of ACTIONS.
            body: What it needs, as it came from the user.

        Returns:
            What was undone or done again, if that was the action.

        Raises:
            ValueError: It is not possible, or the body is wrong; and so KeyError, IndexError, TypeError.
        """
        if kind not in ACTIONS:
            raise ValueError(f"unknown action {kind!r:.40}: expected one of {', '.join(ACTIONS)}")
        if kind == "undo":
            return self.session.undo()
        if kind == "redo":
            return self.session.redo()
        getattr(self, f"_{kind}")(body)
        return None

    def given(self, t: int, i: int) -> UserPrompt | None:
        """The clicks of an object on a frame, none where its mask was painted; None: it is not prompted there."""
        track = self.session.tracks.get(i)
        if track is None or t not in track.prompts:
            return None
        whole = track.prompts[t]
        return whole if whole.mask is None else self._clicks(t, i) or UserPrompt()

    def _prompt(self, body: Mapping[str, Any]) -> None:
        i, t = number(body, "object"), number(body, "frame")
        given = {name: body.get(name) or None for name in ("points", "labels", "box")}
        clear, correction = bool(body.get("clear")), body.get("correction")
        if self._images is None:
            self.session.prompt(t, i, **given, clear=clear, correction=correction)
            return
        newer = user_prompt(self.session.size, **given)
        earlier = None if clear else self._clicks(t, i)
        clicks = newer if earlier is None else earlier.extended(newer)
        mask = self._segmented(self._images, t, clicks, None if earlier or clear else self._mask_on(t, i))
        tag = dict(self.session.tag)
        self._note(t, i, mask, clicks)
        try:
            self.session.prompt(t, i, mask=mask, correction=correction)
        except BaseException:
            self.session.tag = tag
            raise

    def _mask(self, body: Mapping[str, Any]) -> None:
        i, t = number(body, "object"), number(body, "frame")
        self.session.prompt(t, i, mask=mask_of(body, self.session.size), correction=body.get("correction"))

    def _clear(self, body: Mapping[str, Any]) -> None:
        self.session.clear(number(body, "frame"), number(body, "object"))

    def _object_add(self, body: Mapping[str, Any]) -> None:
        check_object_id(number(body, "object"))

    def _object_change(self, body: Mapping[str, Any]) -> None:
        check_object_id(number(body, "object"))

    def _object_remove(self, body: Mapping[str, Any]) -> None:
        if number(body, "object") in self.session.tracks:  # else it was never prompted
            self.session.remove(number(body, "object"))

    def _lock(self, body: Mapping[str, Any]) -> None:
        self.session.edit.lock(number(body, "object"), *frames_of(body))

    def _unlock(self, body: Mapping[str, Any]) -> None:
        self.session.edit.unlock(number(body, "object"), *frames_of(body))

    def _absent(self, body: Mapping[str, Any]) -> None:
        self.session.edit.absent(number(body, "object"), number(body, "frame"), optional(body, "last"))

    def _present(self, body: Mapping[str, Any]) -> None:
        self.session.edit.present(number(body, "object"), number(body, "frame"), optional(body, "last"))

    def _trim(self, body: Mapping[str, Any]) -> None:
        self.session.edit.trim(number(body, "object"), *frames_of(body))

    def _swap(self, body: Mapping[str, Any]) -> None:
        self.session.edit.swap_ids(number(body, "object"), number(body, "other"), *frames_of(body))

    def _merge(self, body: Mapping[str, Any]) -> None:
        self.session.edit.merge(number(body, "object"), number(body, "other"))

    def _split(self, body: Mapping[str, Any]) -> None:
        new = optional(body, "other")
        if new is None:
            raise ValueError("split needs the number of the new object as 'other'")
        self.session.edit.split_at(number(body, "object"), number(body, "frame"), new)

    # Phases 1 and 2

    @torch.inference_mode()
    def _segmented(self, images: ImagePredictor, t: int, clicks: UserPrompt, brushed: np.ndarray | None) -> np.ndarray:
        """The mask of clicks on a frame, as of an image; what was brushed before is refined."""
        features = self.session.look(t)
        model, options = self.session.model, self.session.options
        fit = fit_frame(self.session.size, model.config.image_size, options.fit)
        embedding = ImageEmbedding(features, model.condition(features, Selection()), fit)
        given = {"box": clicks.box, "mask": brushed}
        if len(clicks.points):
            given |= {"points": clicks.points, "labels": clicks.labels}
        ambiguous = len(clicks.points) == 1 and clicks.box is None and brushed is None
        mask = images.predict(**given, multimask=ambiguous, embedding=embedding).mask
        if not mask.any():
            raise ValueError("nothing is found at these clicks: click elsewhere, or draw the mask with the brush")
        return mask

    def _mask_on(self, t: int, i: int) -> np.ndarray | None:
        """The mask that the user gave an object on a frame."""
        track = self.session.tracks.get(i)
        return track.prompts[t].mask if track is not None and t in track.prompts else None

    def _clicks(self, t: int, i: int) -> UserPrompt | None:
        """The clicks that the mask of a frame was made by, if it was: after undo those of the mask before."""
        mask = self._mask_on(t, i)
        noted = None if mask is None else self.session.tag.get("clicked", {}).get(_key(t, i, mask))
        if noted is None:
            return None
        points, labels = noted["points"] or None, noted["labels"] or None
        return user_prompt(self.session.size, points=points, labels=labels, box=noted["box"])

    def _note(self, t: int, i: int, mask: np.ndarray, clicks: UserPrompt) -> None:
        """Note what a mask was made by, to be saved with it."""
        box = None if clicks.box is None else clicks.box.tolist()
        noted = {"points": clicks.points.tolist(), "labels": clicks.labels.tolist(), "box": box}
        clicked = {**self.session.tag.get("clicked", {}), _key(t, i, mask): noted}
        newest = dict(list(clicked.items())[-_MOST_CLICKED:])
        self.session.tag = {**self.session.tag, "clicked": newest}


def _key(t: int, i: int, mask: np.ndarray) -> str:
    digest = blake2b(rle.encode(mask)["counts"].encode(), digest_size=8).hexdigest()
    return f"{t} {i} {digest}"


def as_json(event: Event | None) -> dict[str, Any] | None:
    """An event as it is sent; the page puts it into words."""
    if event is None:
        return None
    objects = list(event.both) if event.both is not None else [] if event.object_id is None else [event.object_id]
    return {"kind": event.kind, "objects": objects, "frame": event.frame, "last": event.last}
