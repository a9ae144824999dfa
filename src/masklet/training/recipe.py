"""A recipe: everything that decides what a run learns, as frozen values that are written beside its weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass, replace
from typing import Any, Protocol, TypeVar

import numpy as np

from ..model.config import ModelConfig
from .distillation import Distillation
from .optimisation import Optimisation
from .rollout import RolloutConfig

T = TypeVar("T")


@dataclass(frozen=True)
class Stage:
    """A stretch of a run with batches of one shape; batch sizes are those of all processes together.

    Attributes:
        until: Where the stretch ends, as a share (0..1) of the run.
        clips: Share of steps on clips, the others are on images.
        size: Side of the square input in pixels.
        images: Images of a step.
        masks: Objects of an image.
        videos: Clips of a step.
        frames: Frames of a clip.
        objects: Objects of a clip.
    """

    until: float = 1.0
    clips: float = 0.5
    size: int = 1024
    images: int = 8
    masks: int = 64
    videos: int = 8
    frames: int = 8
    objects: int = 3

    def batch(self, kind: str) -> int:
        """Samples of a step of a kind (``image`` or ``clip``)."""
        return self.images if kind == "image" else self.videos


class Source(Protocol):
    """Where samples come from. A source is cheap to make and to send to another process; it opens files when asked."""

    @property
    def kind(self) -> str:
        """``image`` or ``clip``."""
        ...

    @property
    def weight(self) -> float:
        """How often samples are drawn from it, among sources of its kind; 0: never; None: its ``count``."""
        ...

    def count(self) -> int:
        """Images or videos that it draws from; only sources whose ``weight`` may be None need it."""
        ...

    def sample(self, number: int, rng: np.random.Generator, stage: Stage) -> tuple[dict[str, np.ndarray], str]:
        """A sample of the shape that a stage asks for, and what to call it in messages.

        An image is ``images`` [s s 3] and ``masks`` [k s s]; a clip ``frames`` [t s s 3], ``masks`` [t o s s] and
        ``labelled`` [t]. Samples of equal number and generator are equal.
        """
        ...


@dataclass(frozen=True)
class Recipe:
    """A run.

    Attributes:
        name: What it is called in messages.
        start: Weights to start from: a name, a file, ``random``, ``matching``, ``pretrained-trunk`` or ``pretrained``;
            see :func:`~masklet.training.initial.starting_model`.
        stages: What is drawn when.
        sources: Where from.
        model: What to make where ``start`` is no name or file.
        rollout: Simulated user, losses.
        optimisation: Rates and schedule.
        distillation: Whether and how a larger model teaches.
        steps: Steps of the run; None: as many as fit in ``minutes``.
        minutes: Processor time of a process; None: as long as ``steps`` take.
        drop_path: Stochastic depth of a Hiera trunk.
        dropout: Of memory attention; 0.1 in the official training.
        seed: Of everything random.
        patience: Steps in a row without a finite gradient, or with more than ``divergence`` times the usual loss, after
            which the run stops.
        divergence: See ``patience``.
    """

    name: str
    start: str
    stages: tuple[Stage, ...]
    sources: tuple[Any, ...]
    model: ModelConfig | None = None
    rollout: RolloutConfig = field(default_factory=RolloutConfig)
    optimisation: Optimisation = field(default_factory=Optimisation)
    distillation: Distillation = field(default_factory=Distillation)
    steps: int | None = None
    minutes: float | None = None
    drop_path: float = 0.0
    dropout: float = 0.0
    seed: int = 0
    patience: int = 20
    divergence: float = 10.0

    def __post_init__(self) -> None:
        ends = [stage.until for stage in self.stages]
        if not ends or sorted(set(ends)) != ends or ends[-1] != 1.0 or ends[0] <= 0:
            raise ValueError(f"stages must end at growing shares of the run, the last at 1.0, got {ends}")
        if self.steps is None and self.minutes is None:
            raise ValueError("a run needs an end: set steps, minutes, or both for the earlier of the two")
        kinds = {source.kind for source in self.sources if is_drawn(source.weight)}
        for stage in self.stages:
            for kind, wanted in (("clip", stage.clips > 0), ("image", stage.clips < 1)):
                if wanted and kind not in kinds:
                    raise ValueError(f"a stage with clips={stage.clips} needs a source of {kind}s: add one or set it")

    def stage(self, progress: float) -> Stage:
        """The stretch that a share of the run falls in."""
        return next((stage for stage in self.stages if progress < stage.until), self.stages[-1])

    def described(self) -> dict[str, Any]:
        """The recipe as plain values, as it is written beside the weights."""
        return _plain(self)


def is_drawn(weight: float | None) -> bool:
    """Whether any sample comes from a source of this weight."""
    return weight is None or weight > 0


def completed(written: Mapping[str, Any], recipe: Any) -> dict[str, Any]:
    """A described recipe that may be older than some fields: those have their defaults, as in a recipe of its shape."""
    filled = dict(written)
    for f in fields(recipe):
        value = getattr(recipe, f.name)
        if f.name not in filled:
            if f.default is not MISSING:
                filled[f.name] = _plain(f.default)
            elif f.default_factory is not MISSING:
                filled[f.name] = _plain(f.default_factory())
        elif is_dataclass(value) and isinstance(filled[f.name], Mapping):
            filled[f.name] = completed(filled[f.name], value)
        elif isinstance(value, tuple) and isinstance(filled[f.name], list) and len(value) == len(filled[f.name]):
            pairs = zip(filled[f.name], value, strict=True)
            filled[f.name] = [completed(a, b) if is_dataclass(b) else a for a, b in pairs]
    return filled


def _plain(value: Any) -> Any:
    values = asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
    return json.loads(json.dumps(values, default=str))


def differences(one: Mapping[str, Any], other: Mapping[str, Any], place: str = "") -> list[str]:
    """Fields in which two described recipes differ, as ``field: old -> new``."""
    found = []
    for key in sorted(one.keys() | other.keys()):
        a, b, name = one.get(key), other.get(key), f"{place}{key}"
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            found += differences(a, b, name + ".")
        elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
            found += differences(_numbered(a), _numbered(b), name + ".")
        elif a != b:
            found.append(f"{name}: {a} -> {b}")
    return found


def _numbered(values: list[Any]) -> dict[str, Any]:
    return {str(i): value for i, value in enumerate(values)}


def override(value: T, changes: Mapping[str, Any]) -> T:
    """A recipe with fields replaced, each named by its path, such as ``optimisation.rate`` or ``stages.0.size``.

    Text is read as a value of the field; any other value is taken as it is, such as a trunk of another kind.

    Raises:
        ValueError: There is no such field, or the text is no value for it.
    """
    for path, new in changes.items():
        value = _set(value, path.split("."), new, path)
    return value


def _set(value: Any, path: list[str], new: Any, whole: str) -> Any:
    if not path:
        return _parsed(value, new, whole) if isinstance(new, str) else new
    head, *rest = path
    if is_dataclass(value) and not isinstance(value, type):
        names = [f.name for f in fields(value)]
        if head not in names:
            raise ValueError(f"there is no field {whole!r} in the recipe: {head!r} is none of {', '.join(names)}")
        return replace(value, **{head: _set(getattr(value, head), rest, new, whole)})
    if isinstance(value, tuple) and rest and head.isdigit() and int(head) < len(value):
        at = int(head)
        return (*value[:at], _set(value[at], rest, new, whole), *value[at + 1 :])
    raise ValueError(f"there is no field {whole!r} in the recipe: {head!r} leads nowhere")


def _parsed(old: Any, text: str, whole: str) -> Any:
    """The text as a value of the old one's type; JSON where the type does not say."""
    if isinstance(old, str):
        return text
    try:
        new = json.loads({"True": "true", "False": "false", "None": "null"}.get(text, text))
    except json.JSONDecodeError:
        new = text
    if isinstance(new, list):
        new = tuple(new)
    if isinstance(old, float) and isinstance(new, int) and not isinstance(new, bool):
        new = float(new)
    if old is not None and new is not None and type(new) is not type(old):
        raise ValueError(f"{whole} must be a {type(old).__name__} such as {old!r}, got {text!r}")
    return new
