"""What a page may say on a live connection, checked before anything acts on it."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints, TypeAdapter

from ..inference.corrections import Correction
from ..tracker import Direction
from .fields import Body, Colour, Frame, Lease, Name, Number, Seconds

_Finite = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]
_Point = tuple[_Finite, _Finite]
_Counts = Annotated[str, StringConstraints(min_length=1, max_length=2_000_000, pattern=r"^[0-o]+$")]
"""Run lengths as COCO compresses them: characters 48 to 111."""


class Hello(Body):
    """The first message; without a lease one only looks on."""

    csrf: str
    lease: Lease | None = None


class _Asking(Body):
    id: Annotated[int, Field(ge=0, le=2**53)]


class Masks(_Asking):
    """Masks of all objects on some frames, as the session has them."""

    kind: Literal["masks"]
    first: Frame
    count: Annotated[int, Field(ge=1, le=512)]


class Scores(_Asking):
    """Confidence of an object, or of all, on every tracked frame."""

    kind: Literal["scores"]
    object: Number | None = None


class Suggest(_Asking):
    """Frames to correct next."""

    kind: Literal["suggest"]
    k: Annotated[int, Field(ge=1, le=100)] = 1
    object: Number | None = None


class Look(_Asking):
    """A frame that is looked at: it is encoded, so that a click on it is answered at once."""

    kind: Literal["look"]
    frame: Frame


class Heartbeat(_Asking):
    """The annotator is still there."""

    kind: Literal["heartbeat"]


class _Acting(_Asking):
    name: UUID
    seconds: Seconds = 0.0


class Prompt(_Acting):
    """Clicks, a box, or both."""

    kind: Literal["prompt"]
    frame: Frame
    object: Number
    points: Annotated[list[_Point], Field(max_length=1000, default_factory=list)]
    labels: Annotated[list[Literal[0, 1]], Field(max_length=1000, default_factory=list)]
    box: tuple[_Finite, _Finite, _Finite, _Finite] | None = None
    clear: bool = False
    correction: Correction | None = None


class MaskPrompt(_Acting):
    """What brush, eraser or polygon made."""

    kind: Literal["mask"]
    frame: Frame
    object: Number
    counts: _Counts
    correction: Correction | None = None


class Clear(_Acting):
    """Take the prompts of a frame back."""

    kind: Literal["clear"]
    frame: Frame
    object: Number


class Undo(_Acting):
    """Take the newest action back."""

    kind: Literal["undo"]


class Redo(_Acting):
    """Do it again."""

    kind: Literal["redo"]


class ObjectAdd(_Acting):
    """A new object; the server chooses its number if there is none."""

    kind: Literal["object_add"]
    object: Number | None = None
    label: Name | None = None
    colour: Colour | None = None


class ObjectChange(_Acting):
    """Another name or colour."""

    kind: Literal["object_change"]
    object: Number
    label: Name | None = None
    colour: Colour | None = None


class ObjectRemove(_Acting):
    """Take an object out."""

    kind: Literal["object_remove"]
    object: Number


class Lock(_Acting):
    """Keep masks as they are."""

    kind: Literal["lock"]
    object: Number
    first: Frame | None = None
    last: Frame | None = None


class Unlock(_Acting):
    """Let them change again."""

    kind: Literal["unlock"]
    object: Number
    first: Frame | None = None
    last: Frame | None = None


class Absent(_Acting):
    """The object is not visible on a frame, or on all from it to a last one."""

    kind: Literal["absent"]
    frame: Frame
    object: Number
    last: Frame | None = None


class Present(_Acting):
    """Take that back."""

    kind: Literal["present"]
    frame: Frame
    object: Number
    last: Frame | None = None


class Trim(_Acting):
    """Bound the stretch in which an object exists."""

    kind: Literal["trim"]
    object: Number
    first: Frame | None = None
    last: Frame | None = None


class Swap(_Acting):
    """Exchange two objects on some frames."""

    kind: Literal["swap"]
    object: Number
    other: Number
    first: Frame | None = None
    last: Frame | None = None


class Merge(_Acting):
    """Make two objects one."""

    kind: Literal["merge"]
    object: Number
    other: Number


class Split(_Acting):
    """Make an object two, from a frame on; the server chooses the number of the second."""

    kind: Literal["split"]
    object: Number
    frame: Frame


class Propagate(_Acting):
    """Follow all objects."""

    kind: Literal["propagate"]
    start: Frame | None = None
    stop: Frame | None = None
    direction: Direction = "forward"


class Stop(_Acting):
    """End the propagation."""

    kind: Literal["stop"]


Reading = Masks | Scores | Suggest | Look
Action = (
    Prompt | MaskPrompt | Clear | Undo | Redo | ObjectAdd | ObjectChange | ObjectRemove | Lock | Unlock | Absent
    | Present | Trim | Swap | Merge | Split | Propagate | Stop
)  # fmt: skip
Message = TypeAdapter[Reading | Heartbeat | Action](
    Annotated[Reading | Heartbeat | Action, Field(discriminator="kind")]
)
