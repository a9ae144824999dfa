"""The engine of a session: frames, prompts and what is remembered of objects become answers and new memory."""

from __future__ import annotations

import logging
from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from ..interaction.prompts import UserPrompt
from ..masks.components import fill_small_holes
from ..model.frame_encoder import FrameEncoder
from ..model.memory_bank import BankLimits, MemoryBank
from ..model.memory_reader import MemoryReader
from ..model.sam2 import Sam2
from ..model.streamed_mask_decoder import StreamedMaskDecoder
from ..model.streamed_memory_encoder import StreamedMemoryEncoder
from ..structures import FrameFeatures, Prediction, Selection
from ..video.fitting import Fit, fit_frame
from ..video.frames import FrameSource
from ..video.live import LiveFrames
from ..video.scene_cuts import SceneCuts
from .moved_features import MovedFeatures
from .options import SessionOptions
from .spool import Spool
from .track import ObjectTrack, split_entry, split_prediction, stack_maps, stack_selections

log = logging.getLogger(__name__)

LOOKED_AT = 4
"""Frames whose features are kept because somebody looks at them."""
BATCHED_SIDE = 32  # stride-16 maps up to this side are worth batching on a CPU


class Engine:
    """Runs the model on one video; keeps nothing but the features of a few frames and keys of what they read.

    Args:
        model: The model.
        source: The video.
        options: Post-processing and memory policy.
        tracks: State of each object, which is the session's; the engine writes what it learns into them.
    """

    def __init__(
        self,
        model: Sam2,
        source: FrameSource | LiveFrames,
        options: SessionOptions,
        tracks: Mapping[int, ObjectTrack],
    ) -> None:
        self.model, self.source, self.options, self._tracks = model, source, options, tracks
        self.features: OrderedDict[int, FrameFeatures] = OrderedDict()
        self._looked_at: deque[int] = deque(maxlen=LOOKED_AT)
        self._ahead: tuple[int, Tensor] | None = None  # a frame that was read ahead, as the model takes it
        self.spool = self.new_spool()
        self.cuts = SceneCuts(source.frame)
        self.encoder = FrameEncoder(model)
        self.reader = _reader(model, options)
        exact = model.full_precision_on_cpu
        self._mask_decoder = StreamedMaskDecoder(model.mask_decoder) if exact else None
        self._memory_encoder = StreamedMemoryEncoder(model.memory_encoder) if exact else None
        self._moved = MovedFeatures(source.frame)
        self._object_batch = options.object_batch or (8 if model.config.image_size // 16 <= BATCHED_SIDE else 1)

    @cached_property
    def fit(self) -> Fit:
        """Where the frames lie in the model's input.

        Raises:
            ValueError: No frame of a live video has come yet.
        """
        return fit_frame(self.source.size, self.model.config.image_size, self.options.fit)

    def limits(self) -> BankLimits:
        """How much of the past a frame of this video may read."""
        limits = replace(self.model.limits, prompted=self.options.max_prompted)
        if self.options.recent_maps is not None:
            limits = replace(limits, recent_maps=min(limits.recent_maps, self.options.recent_maps))
        length = None if isinstance(self.source, LiveFrames) else self.source.length
        if self.options.clip_length_codes and length is not None:
            limits = replace(limits, pointer_span=max(1, min(length - 1, limits.pointer_span)))
        return limits

    def new_spool(self) -> Spool:
        """Let the values of objects that are made from now on lie by themselves."""
        self.spool = Spool(None if self.options.max_ram_mb is None else round(1e6 * self.options.max_ram_mb))
        return self.spool

    def new_track(self) -> ObjectTrack:
        """The state of an object of which nothing is known."""
        return ObjectTrack(MemoryBank(self.limits()), self.spool, self.cuts.found)

    def checked_frame(self, t: Any) -> int:
        """The number of a frame of the video.

        Raises:
            TypeError: Not a whole number.
            IndexError: There is no such frame.
        """
        if isinstance(t, bool) or not isinstance(t, (int, np.integer)):
            raise TypeError(f"a frame is an integer index, got {t!r}")
        length = self.source.length
        if t < 0 or (length is not None and t >= length):
            known = f"0..{length - 1}" if length else "0 on" if length is None else "none yet"
            raise IndexError(f"frame {t} is outside the video {self.source.name!r}: its frames are {known}")
        return int(t)

    def prune(self, t: int, start: int | None) -> None:
        """Drop what no frame can read any more.

        Args:
            t: The frame that was tracked last.
            start: The first one of that run.
        """
        if not self.options.prune:
            return
        for track in self._tracks.values():
            track.prune([t] if start is None else [t, start])
            if isinstance(self.source, LiveFrames):
                track.drop_frames(t - self.source.keep + 1)

    def close(self) -> None:
        """Let go of features, keys and of what lies in the temporary file."""
        self.drop_features()
        self.spool.close()

    def drop_features(self) -> None:
        """Let go of what is known of frames besides the objects' state."""
        self.features.clear()
        self._looked_at.clear()
        self._ahead = None
        for kept in (self.reader, self._memory_encoder):
            if kept is not None:
                kept.clear()

    def answer(self, track: ObjectTrack, t: int, given: UserPrompt, *, anew: bool) -> Prediction:
        """The answer to a prompt: in the light of memory on a frame that was tracked, else from the image alone.

        Args:
            track: The object.
            t: The frame.
            given: All that is given there.
            anew: Do not refine the answer that is there; what the user said of an absence is never refined.
        """
        features, note = self.encoded(t), track.notes.get(t)
        reverse = note is not None and note.reverse
        if note is not None:
            self._restore_maps(track, t, reverse=reverse)
        device = self.model.device
        anew = anew or track.absent(t)
        previous = None if given.mask is not None or anew else track.previous_logits(t, device)
        unread = note is None or given.mask is not None
        answer = self.model.predict(
            features,
            Selection() if unread else self._conditioned(features, [track.read(t, reverse=reverse)]),
            given.to_model(self.fit, device, previous),
            stability_fallback=self.options.stability_fallback,
            decoder=self._mask_decoder,
        )
        return self._finished(split_prediction(answer, 0))

    def follow(self, t: int, *, reverse: bool) -> dict[int, Prediction]:
        """Answers of all started objects that live on a frame, prompted ones as they were given; all is remembered.

        Frames that are locked, or on which the user said that an object is absent, are left out.
        """
        if self.options.scene_cuts:
            self.cuts.look(t + 1 if reverse else t)
        self._commit()
        answers: dict[int, Prediction] = {}
        waiting: dict[int, Selection] = {}
        for i, track in self._tracks.items():
            fixed = track.fixed(t)
            if track.settled(t) or not track.lives(t):
                continue
            if fixed is not None:
                answers[i] = fixed
            elif track.started:
                self._restore_maps(track, t, reverse=reverse)
                waiting[i] = track.read(t, reverse=reverse)
        features = self._followed(t, ahead=t - 1 if reverse else t + 1) if waiting else None
        for ids in self._batches(waiting):
            assert features is not None
            conditioned = self._conditioned(features, [waiting[i] for i in ids])
            fallback = self.options.stability_fallback
            together = self.model.predict(
                features, conditioned, stability_fallback=fallback, decoder=self._mask_decoder
            )
            previous = stack_maps([self._tracks[i].bank.before(t, reverse=reverse) for i in ids])
            entry = self.model.encode_memory(features, together, previous, encoder=self._memory_encoder)
            for row, i in enumerate(ids):
                answers[i] = self._finished(split_prediction(together, row))
                self._tracks[i].record(t, split_entry(entry, row), answers[i], prompted=False, reverse=reverse)
        return {i: answers[i] for i in self._tracks if i in answers}

    def _followed(self, t: int, *, ahead: int) -> FrameFeatures:
        """Features of a frame that is tracked: its own, or those of the frame encoded last, moved."""
        key = t - t % self.options.encode_every
        if t in self.features or key == t or (key not in self.features and isinstance(self.source, LiveFrames)):
            return self.encoded(t, ahead=ahead)
        features = self.encoded(key)
        return self._moved(features, key, t, self.fit)

    def look(self, t: int) -> FrameFeatures:
        """Features of a frame, which are kept until some others were looked at, whatever is tracked."""
        if t in self._looked_at:
            self._looked_at.remove(t)
        self._looked_at.append(t)
        return self.encoded(t)

    def encoded(self, t: int, *, ahead: int | None = None) -> FrameFeatures:
        """Features of a frame; kept are the last two, those looked at, and those whose prompts wait for their memory.

        While they are computed the frame ``ahead`` is read and brought to the model's input.
        """
        if t in self.features:
            self.features.move_to_end(t)
            return self.features[t]
        pixels = self._pixels(t)
        if ahead is not None and isinstance(self.source, FrameSource):
            encoded_next = ahead % self.options.encode_every == 0
            self.source.prepare(ahead, partial(self._prepare, ahead, self.fit) if encoded_next else None)
        features = self.encoder(pixels)
        self.features[t] = features
        needed = {f for track in self._tracks.values() for f in track.pending} | {*self._looked_at}
        for f in list(self.features)[:-2]:
            if f not in needed:
                del self.features[f]
        return features

    def _pixels(self, t: int) -> Float[Tensor, "1 3 p q"]:
        """A frame as the model takes it."""
        frame = self.source.frame(t)  # waits while it is made ahead
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead[0] == t:
            return ahead[1]
        return self.fit.pixels(frame, self.options.resample)

    def _prepare(self, t: int, fit: Fit, frame: UInt8[np.ndarray, "h w 3"]) -> None:
        self._ahead = t, fit.pixels(frame, self.options.resample)

    def _conditioned(self, features: FrameFeatures, selections: list[Selection]) -> Float[Tensor, "b c h w"]:
        """The embedding of a frame in the light of each object's memory; the selections have one signature."""
        if self.reader is None:
            return self.model.condition(features, stack_selections(selections))
        return self.reader.condition(features, selections)

    def _batches(self, waiting: dict[int, Selection]) -> Iterator[list[int]]:
        """Ids grouped so that each group reads the same slots, in pieces of the allowed size."""
        groups: dict[object, list[int]] = {}
        for i, selection in waiting.items():
            groups.setdefault(selection.signature, []).append(i)
        for ids in groups.values():
            for k in range(0, len(ids), self._object_batch):
                yield ids[k : k + self._object_batch]

    def _commit(self) -> None:
        """Encode the memory of answers to prompts."""
        for track in self._tracks.values():
            for t, answer in list(track.pending.items()):
                note = track.notes.get(t)
                prompted = self.options.keep_corrections or note is None or t in track.bank.prompted
                reverse = note is not None and note.reverse
                previous = None if note is None else track.bank.before(t, reverse=reverse)  # as the answer was made
                how = {"binarize": self.options.binarize_prompted, "encoder": self._memory_encoder}
                entry = self.model.encode_memory(self.encoded(t), answer, previous, **how)
                track.record(t, split_entry(entry, 0), answer, prompted=prompted, reverse=reverse)
                del track.pending[t]

    def _restore_maps(self, track: ObjectTrack, t: int, *, reverse: bool) -> None:
        """Encode again, from the noted masks, memories that were dropped and are needed after a jump back."""
        for f in track.missing_maps(t, reverse=reverse):
            try:
                features = self.encoded(f)
            except (IndexError, ValueError) as error:  # a frame of a camera or stream that is gone
                log.info("the memory of frame %d cannot be restored: %s", f, error)
                continue
            mask = track.notes[f].logits(self.model.device) > 0
            given = torch.nn.functional.interpolate(mask.float(), self.fit.input, mode="nearest")
            adopted = self.model.adopt_mask(features, given, decoder=self._mask_decoder)
            previous = track.bank.before(f, reverse=reverse)
            remembered = self.model.encode_memory(features, adopted, previous, encoder=self._memory_encoder)
            entry = split_entry(remembered, 0)
            known = track.bank.recent.get(f)
            if known is not None:
                entry = replace(entry, pointer=known.pointer)
            track.bank.write(f, entry, prompted=False)

    def _finished(self, answer: Prediction) -> Prediction:
        """An answer as it is shown and refined: small holes closed. Memories of tracked frames are made before."""
        height, width = self.fit.content
        area = round(self.options.fill_holes * height * width / 1024**2)
        return replace(answer, logits=fill_small_holes(answer.logits, area))


def _reader(model: Sam2, options: SessionOptions) -> MemoryReader | None:
    """The fast way to read memory, where it serves.

    Raises:
        ValueError: Only it can do what was asked for.
    """
    if MemoryReader.serves(model):
        return MemoryReader(model, 2 if options.pool_memory else 1)
    if options.pool_memory:
        raise ValueError(f"pool_memory needs a model on a CPU in float32 or float64, got {model.device}, {model.dtype}")
    return None
