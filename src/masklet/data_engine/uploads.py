"""Uploads: a multipart form whose file goes to disk as it arrives; neither memory nor a temporary folder holds it.

A user's name of a file is only ever a name to show; where it lies is our choice.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from .problems import Rejected

_FIELD_BYTES = 1000
_WRITE_BYTES = 1 << 20


@dataclass(frozen=True)
class Upload:
    """What arrived.

    Attributes:
        name: Of the file, as the user calls it, without folders.
        bytes: Size of the file.
        fields: The other fields of the form.
    """

    name: str
    bytes: int
    fields: dict[str, str]


async def receive(request: Request, path: Path, limit: int, fields: Collection[str] = ()) -> Upload:
    """Write the field ``file`` of a form to a path; whatever goes wrong, nothing stays there.

    Args:
        request: The request, whose body nobody has read.
        path: Where to; there is nothing yet.
        limit: Most bytes of the file.
        fields: Other fields that the form may have.

    Raises:
        Rejected: It is no such form, or the file is larger.
    """
    form = _Form(_boundary(request), limit, fields)
    try:
        with path.open("xb") as file:
            async for chunk in request.stream():
                form.feed(chunk)
                if len(form.pending) >= _WRITE_BYTES:
                    await run_in_threadpool(_write, file, form)
            _write(file, form)
            return form.finish()
    except BaseException:  # a client that goes away cancels us
        path.unlink(missing_ok=True)
        raise


def form_body(**fields: Any) -> dict[str, Any]:
    """The ``openapi_extra`` of a route with such a form: a file and these fields, given as schemas."""
    properties = {"file": {"type": "string", "format": "binary", "minLength": 1}, **fields}
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    schema["additionalProperties"] = False
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


def shown_name(name: str) -> str:
    """A file's name without folders and without characters that are not to be seen.

    Raises:
        Rejected: Nothing is left of it.
    """
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    seen = "".join(c for c in last if not unicodedata.category(c).startswith("C")).strip()[:200]
    if not seen.strip("."):
        raise Rejected("invalid", "the file has no name: give it one")
    return seen


def _boundary(request: Request) -> bytes:
    kind, options = parse_options_header(request.headers.get("content-type"))
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not 1 <= len(boundary) <= 200:
        raise Rejected("invalid", "expected a multipart form with a file in its field `file`")
    return boundary


def _write(file: BinaryIO, form: _Form) -> None:
    file.write(form.pending)
    form.pending.clear()


@dataclass
class _Part:
    """A field of the form while it arrives."""

    headers: dict[bytes, bytes] = field(default_factory=dict)
    name: str = ""
    value: bytearray | None = None  # None: the file


class _Form:
    """The parser's callbacks: the file's bytes wait in ``pending`` until they are written."""

    def __init__(self, boundary: bytes, limit: int, fields: Collection[str]) -> None:
        self.pending = bytearray()
        self._limit, self._known, self._bytes = limit, fields, 0
        self._file: str | None = None
        self._fields: dict[str, str] = {}
        self._part = _Part()
        self._header, self._header_value = b"", b""
        self._ended = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._header_name_data,
                "on_header_value": self._header_value_data,
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_finished,
                "on_part_data": self._data,
                "on_part_end": self._end,
                "on_end": self._finished,
            },
        )

    def feed(self, chunk: bytes) -> None:
        """Parse what arrived."""
        try:
            self._parser.write(chunk)
        except FormParserError:
            raise Rejected("invalid", "the form is damaged: send it again") from None

    def finish(self) -> Upload:
        """What the whole form held."""
        if not self._ended:
            raise Rejected("invalid", "the upload ended early: send it again")
        if self._file is None:
            raise Rejected("invalid", "the form has no file in its field `file`")
        if not self._bytes:
            raise Rejected("invalid", "the file is empty")
        return Upload(shown_name(self._file), self._bytes, self._fields)

    @property
    def _expected(self) -> str:
        return ", ".join(("file", *self._known))

    def _begin(self) -> None:
        self._part = _Part()

    def _header_name_data(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value_data(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _header_end(self) -> None:
        self._part.headers[self._header.lower()] = self._header_value
        self._header, self._header_value = b"", b""

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._part.headers.get(b"content-disposition"))
        self._part.name = options.get(b"name", b"").decode("utf-8", "replace")
        if self._part.name != "file":
            if self._part.name not in self._known or self._part.name in self._fields:
                raise Rejected("invalid", f"the form has a field that is not expected: send {self._expected}")
            self._part.value = bytearray()
        elif self._file is not None:
            raise Rejected("invalid", "the form has two files: send one at a time")
        else:
            self._file = options.get(b"filename", b"").decode("utf-8", "replace")

    def _data(self, data: bytes, start: int, end: int) -> None:
        value = self._part.value
        if value is None:
            self._bytes += end - start
            if self._bytes > self._limit:
                raise Rejected("too_large", f"the file is larger than {self._limit:,} bytes, which is the most here")
            self.pending += data[start:end]
        elif len(value) + end - start > _FIELD_BYTES:
            raise Rejected("invalid", "a field of the form is too long")
        else:
            value += data[start:end]

    def _end(self) -> None:
        if self._part.value is not None:
            self._fields[self._part.name] = self._part.value.decode("utf-8", "replace")

    def _finished(self) -> None:
        self._ended = True
