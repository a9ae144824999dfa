"""The state of one object in a session: its prompts, its memory, and short notes of what was said of each frame."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float16
from torch import Tensor

from ..interaction.prompts import UserPrompt
from ..masks.rle import decode, encode, union
from ..model.memory_bank import MemoryBank
from ..structures import MemoryEntry, Prediction, Selection
from .corrections import Correction, readable
from .journal import Journal
from .memory_key import memory_key
from .results import NOTED_LOGIT, Shown
from .spool import Spool

FOREVER = 2**62
"""A frame that no video reaches."""
STRETCHES = ("locks", "active")
"""Tables that are of stretches of frames and not of single ones."""
_KEY_TYPE = np.dtype("<f2")  # of keys on disk


@dataclass(frozen=True)
class Note:
    """What remains of a tracked frame when its maps are dropped: some hundred bytes.

    Attributes:
        rle: The mask at the resolution of the logits.
        reverse: Whether it was tracked backward.
        key: Where the frame lies among memories (:mod:`~masklet.inference.memory_key`).
    """

    rle: dict
    reverse: bool
    key: Float16[np.ndarray, " m"]

    @staticmethod
    def of(entry: MemoryEntry, answer: Prediction, reverse: bool) -> Note:
        """Note a frame that was just remembered."""
        rle = dict(encode((answer.logits[0, 0] > 0).cpu().numpy()))
        return Note(rle, reverse, memory_key(entry, answer.logits))

    @staticmethod
    def of_absent(size: tuple[int, int], width: int) -> Note:
        """Note a frame on which the user said that nothing is to be seen.

        Args:
            size: Height and width of logits.
            width: Channels of memory maps.
        """
        return Note(dict(encode(np.zeros(size, bool))), False, np.zeros(width, np.float16))

    def union(self, other: Note) -> Note:
        """The note of both objects together."""
        return Note(dict(union((self.rle, other.rle))), self.reverse, (self.key + other.key) / np.float16(2))

    @property
    def nbytes(self) -> int:
        """About how many bytes it takes in memory."""
        return len(self.rle["counts"]) + self.key.nbytes + 800

    def packed(self) -> bytes:
        """The note as bytes."""
        plain = {"rle": self.rle, "reverse": self.reverse, "key": self.key.astype(_KEY_TYPE).tobytes().hex()}
        return json.dumps(plain, separators=(",", ":")).encode()

    @classmethod
    def unpacked(cls, data: bytes) -> Note:
        """The note of such bytes."""
        plain = json.loads(data)
        return cls(plain["rle"], plain["reverse"], np.frombuffer(bytes.fromhex(plain["key"]), _KEY_TYPE))

    def logits(self, device: torch.device) -> Tensor:
        """The mask as sure logits, ``1 1 h4 w4``."""
        mask = torch.from_numpy(np.asarray(decode(self.rle), np.float32)).to(device)
        return (mask * 2 - 1)[None, None] * NOTED_LOGIT


@dataclass(frozen=True)
class TrackState:
    """What a track held at some time: references to values that do not change.

    Attributes:
        tables: Those of the track but its journals, and ``prompted`` and ``recent`` of the bank, in their order.
        replaced: Of ``notes`` and ``shown``, what was replaced since, by frame; None: there was nothing.
    """

    tables: Mapping[str, dict]
    replaced: tuple[Mapping[int, Any], ...]

    def values(self) -> Iterator[MemoryEntry | Prediction]:
        """Everything that holds tensors."""
        for name in ("pending", "answers", "prompted", "recent"):
            yield from self.tables[name].values()


@dataclass
class ObjectTrack:
    """State of one object. Frames are keys throughout.

    Attributes:
        bank: What later frames may read.
        spool: Where the values of journals lie.
        cuts: First frames of scenes, which the session finds.
        prompts: What the user gave.
        corrections: How prompts on tracked frames take effect, where it is not by ``blend``.
        locks: Last frame of each stretch that tracking must not change, by its first.
        active: Last frame of the object's life by its first; empty: it lives everywhere.
        pending: Answers to prompts whose memory is not encoded yet, so that many clicks cost one encoding.
        answers: Answers that can be shown or refined again: prompted frames and the last few.
        notes: Every tracked frame.
        shown: What the user was shown, where the session keeps it: every tracked or prompted frame.
    """

    bank: MemoryBank
    spool: Spool = field(default_factory=Spool)
    cuts: Collection[int] = ()
    prompts: dict[int, UserPrompt] = field(default_factory=dict)
    corrections: dict[int, Correction] = field(default_factory=dict)
    locks: dict[int, int] = field(default_factory=dict)
    active: dict[int, int] = field(default_factory=dict)
    pending: dict[int, Prediction] = field(default_factory=dict)
    answers: dict[int, Prediction] = field(default_factory=dict)
    notes: Journal[Note] = field(init=False)
    shown: Journal[Shown] = field(init=False)

    def __post_init__(self) -> None:
        self.notes, self.shown = Journal(self.spool), Journal(self.spool)

    @property
    def journals(self) -> dict[str, Journal]:
        """The tables of every frame that was tracked, by name."""
        return {"notes": self.notes, "shown": self.shown}

    @property
    def started(self) -> bool:
        """Whether there is anything to track from."""
        return bool(self.bank.prompted or self.pending)

    @property
    def life(self) -> tuple[int, int]:
        """First and last frame on which the object can be."""
        return next(iter(self.active.items()), (0, FOREVER))

    def lives(self, t: int) -> bool:
        """Whether the object can be on a frame."""
        return self.life[0] <= t <= self.life[1]

    def locked(self, t: int) -> bool:
        """Whether a frame has a mask that tracking must not change."""
        return t in self.shown and any(first <= t <= last for first, last in self.locks.items())

    def absent(self, t: int) -> bool:
        """Whether the user said that the object is not visible on a frame."""
        return t in self.shown and self.shown[t].absent

    def settled(self, t: int) -> bool:
        """Whether tracking must not change a frame: its mask is locked, or the object was said to be absent."""
        return self.locked(t) or self.absent(t)

    def check_open(self, t: int) -> None:
        """Raise ValueError where a prompt is not possible."""
        if self.locked(t):
            raise ValueError(f"the object is locked on frame {t}: unlock it to prompt it there")
        if not self.lives(t):
            raise ValueError(f"the object lives on frames {self.life[0]} to {self.life[1]}, got {t}: trim it anew")

    def fixed(self, t: int) -> Prediction | None:
        """The answer of a frame that tracking must not change."""
        return self.answers.get(t) if t in self.bank.prompted else None

    def known(self, t: int) -> Prediction | None:
        """The newest answer of a frame, if it is still kept."""
        return self.pending.get(t) or self.answers.get(t)

    def read(self, t: int, *, reverse: bool) -> Selection:
        """What a frame may read."""
        return self.bank.read(t, reverse=reverse, within=readable(t, self.corrections, self.cuts))

    def previous_logits(self, t: int, device: torch.device) -> Tensor | None:
        """Logits of the newest answer of a frame, from its note if need be: ``1 1 h4 w4``."""
        answer = self.known(t)
        if answer is not None:
            return answer.logits
        return self.notes[t].logits(device) if t in self.notes else None

    def record(self, t: int, entry: MemoryEntry, answer: Prediction, *, prompted: bool, reverse: bool) -> None:
        """Remember a frame."""
        self.bank.write(t, entry, prompted=prompted)
        self.answers[t] = answer
        self.notes.put(t, Note.of(entry, answer, reverse))

    def demote(self, t: int) -> None:
        """Take back the prompts of a frame; what was encoded of it stays as ordinary memory.

        Parity: sam2/sam2_video_predictor.py:633.
        """
        for state in (self.prompts, self.corrections, self.pending):
            state.pop(t, None)
        entry = self.bank.prompted.pop(t, None)
        if entry is not None:
            self.bank.write(t, entry, prompted=False)
            self.notes.put(t, None)

    def forget(self, t: int) -> None:
        """Remove prompts, answers and memory of a frame; with its last prompt the object's whole track goes.

        Frames on which it was said to be absent stay.
        """
        for state in (self.prompts, self.corrections, self.pending, self.answers):
            state.pop(t, None)
        for journal in self.journals.values():
            journal.put(t, None)
        self.bank.forget(t)
        if not self.prompts:
            for table in self.tables().values():
                table.clear()
            for f in [f for f, one in self.shown.items() if not one.absent]:
                self.shown.put(f, None)
            for f in [f for f in self.notes if f not in self.shown]:
                self.notes.put(f, None)

    def release(self) -> None:
        """Let go of prompts and memory; what was shown stays."""
        for name, table in self.tables().items():
            if name not in STRETCHES:
                table.clear()
        self.notes.drop()

    def take(self, first: float, last: float) -> dict[str, dict[int, Any]]:
        """Remove and return all that is known of some frames, the last one included."""
        taken = {}
        for name, table in self.everything().items():
            if name not in STRETCHES:
                taken[name] = {t: value for t, value in table.items() if first <= t <= last}
        for name, values in taken.items():
            for t in values:
                self._put(name, t, None)
        return taken

    def give(self, tables: Mapping[str, Mapping[int, Any]]) -> None:
        """Take over what :meth:`take` or :meth:`everything` of this or another track gave."""
        for name, table in tables.items():
            for t, value in table.items():
                self._put(name, t, value)

    def unite(self, other: ObjectTrack) -> None:
        """Become this and another object together; what was prompted or remembered of either goes."""
        mine = self.take(-math.inf, math.inf)
        for name, journal in self.journals.items():
            theirs = other.journals[name].kept
            for t in sorted({*mine[name], *theirs}):
                one, *more = [table[t] for table in (mine[name], theirs) if t in table]
                journal.put(t, one.value.union(more[0].value) if more else one)

    def prune(self, anchors: list[int]) -> None:
        """Drop maps and answers that no frame near an anchor needs."""
        self.bank.prune(anchors)
        reach = self.bank.limits.recent_maps
        for t in [t for t in self.answers if t not in self.bank.prompted]:
            if min(abs(t - a) for a in anchors) > reach:
                del self.answers[t]

    def drop_frames(self, before: int) -> None:
        """Drop notes and masks of frames that cannot be looked at again."""
        for journal in self.journals.values():
            journal.drop(before)

    def capture(self) -> TrackState:
        """What is held now, for :meth:`restore`."""
        return TrackState(self._copies(), tuple(journal.capture() for journal in self.journals.values()))

    def restore(self, state: TrackState) -> TrackState:
        """Go back to a captured state, byte for byte; returns the one that was left."""
        left = self._copies()
        for name, table in self.tables().items():
            table.clear()
            table.update(state.tables[name])
        pairs = zip(self.journals.values(), state.replaced, strict=True)
        return TrackState(left, tuple(journal.restore(replaced) for journal, replaced in pairs))

    def tables(self) -> dict[str, dict]:
        """The tables that are not journals, by name."""
        bank = self.bank
        return {
            "prompts": self.prompts,
            "corrections": self.corrections,
            "locks": self.locks,
            "active": self.active,
            "pending": self.pending,
            "answers": self.answers,
            "prompted": bank.prompted,
            "recent": bank.recent,
        }

    def everything(self) -> dict[str, Mapping[int, Any]]:
        """All tables by name; values of journals as they are kept."""
        return {**self.tables(), **{name: journal.kept for name, journal in self.journals.items()}}

    def orders(self) -> dict[str, list[int]]:
        """The frames of the tables whose order counts."""
        return {name: list(table) for name, table in self.tables().items()}

    def values(self) -> Iterator[MemoryEntry | Prediction]:
        """Everything that holds tensors."""
        return TrackState(self.tables(), ()).values()

    def _copies(self) -> dict[str, dict]:
        return {name: dict(table) for name, table in self.tables().items()}

    def _put(self, name: str, t: int, value: Any) -> None:
        if name in self.journals:
            self.journals[name].put(t, value)
        elif value is None:
            self.tables()[name].pop(t, None)
        else:
            self.tables()[name][t] = value

    def missing_maps(self, t: int, *, reverse: bool) -> list[int]:
        """Tracked frames that frame ``t`` would read, had their maps not been dropped."""
        step = -1 if reverse else 1
        near = (t - step * back for back in range(self.bank.limits.recent_maps, 0, -1))
        first, last = readable(t, self.corrections, self.cuts).recent
        known = [f for f in near if f in self.notes and first <= f <= last]
        return [f for f in known if f not in self.bank.prompted and not self._has_map(f)]

    def _has_map(self, t: int) -> bool:
        entry = self.bank.recent.get(t)
        return entry is not None and entry.features is not None


def track_of(tracks: Mapping[int, ObjectTrack], object_id: Any) -> ObjectTrack:
    """The track of an object; KeyError where it is not known."""
    if object_id not in tracks:
        raise KeyError(f"unknown object {object_id!r}: known are {list(tracks) or 'none'}")
    return tracks[object_id]


def stack_selections(selections: list[Selection]) -> Selection:
    """One selection for a batch of objects with equal signatures."""
    if len(selections) == 1:
        return selections[0]
    maps = tuple(
        (parts[0][0], _stack_entries([entry for _, entry in parts]))
        for parts in zip(*(s.maps for s in selections), strict=True)
    )
    pointers = tuple(
        (parts[0][0], MemoryEntry(None, torch.cat([entry.pointer for _, entry in parts])))
        for parts in zip(*(s.pointers for s in selections), strict=True)
    )
    return Selection(maps, pointers, selections[0].pointer_span)


def _stack_entries(entries: list[MemoryEntry]) -> MemoryEntry:
    features = torch.cat([e.features for e in entries if e.features is not None])
    return MemoryEntry(features, torch.cat([e.pointer for e in entries]))


def stack_maps(maps: list[Tensor | None]) -> Tensor | None:
    """Memory maps for a batch of objects, zeros for those that have none; None when none has one."""
    known = next((m for m in maps if m is not None), None)
    return None if known is None else torch.cat([torch.zeros_like(known) if m is None else m for m in maps])


def split_entry(entry: MemoryEntry, row: int) -> MemoryEntry:
    """One object's share of a batched entry; maps are stored in bfloat16.

    Parity: sam2/sam2_video_predictor.py:781.
    """
    features = entry.features
    kept = None if features is None else features[row : row + 1].to(torch.bfloat16, copy=True)
    return MemoryEntry(kept, entry.pointer[row : row + 1].clone())


def split_prediction(prediction: Prediction, row: int) -> Prediction:
    """One object's share of a batched prediction, without what is only needed once."""
    take = slice(row, row + 1)
    return replace(
        prediction,
        logits=prediction.logits[take].clone(),
        iou=prediction.iou[take].clone(),
        presence=prediction.presence[take].clone(),
        pointer=prediction.pointer[take].clone(),
        candidates=prediction.candidates[take].clone(),
        candidate_iou=prediction.candidate_iou[take].clone(),
        masks=None,
        masks_iou=None,
    )
