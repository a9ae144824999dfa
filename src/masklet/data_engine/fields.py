"""Types of what clients send: bounded, and of characters that every database keeps."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

LARGEST = 2**53 - 1  # what JSON's readers and every database hold
LONGEST_VIDEO = 10_000_000  # frames

_LINE = r"^[^\u0000-\u001f\u007f]*$"
_LINES = r"^[^\u0000-\u0008\u000b-\u001f\u007f]*$"

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_LINE, strip_whitespace=True)]
UserName = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[\w.@+-]+$")]
Password = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
Comment = Annotated[str, StringConstraints(max_length=4000, pattern=_LINES)]
Colour = Annotated[str, StringConstraints(pattern=r"^#[0-9a-f]{6}$")]
Lease = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[0-9A-Za-z_-]+$")]
Seconds = Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)]
Number = Annotated[int, Field(ge=1, le=1_000_000)]
"""An object's id within its video."""
Frame = Annotated[int, Field(ge=0, lt=LONGEST_VIDEO)]
Id = Annotated[int, Path(ge=1, le=LARGEST)]
FirstQuery = Annotated[int, Query(ge=0, lt=LONGEST_VIDEO)]
LimitQuery = Annotated[int, Query(ge=1, le=1000)]


class Body(BaseModel):
    """What a client sends; what is not expected is an error, not ignored."""

    model_config = ConfigDict(extra="forbid")


class LeaseBody(Body):
    """The right to work on a task."""

    lease: Lease
