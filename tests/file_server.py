"""A loopback file server with the habits of real ones: ranges, tags, broken connections, wrong sizes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Behaviour:
    """What the server does; tests change it while it runs."""

    content: bytes = b""
    ranges: bool = True
    tag: str | None = '"one"'
    break_after: list[int] = field(default_factory=list)  # bytes of the body before each next connection breaks
    announce: int | None = None  # a wrong Content-Length
    status: list[int] = field(default_factory=list)  # answers before the first good one
    content_type: str = "application/octet-stream"
    chunked: bool = False
    requests: list[dict[str, str]] = field(default_factory=list)


@contextmanager
def serve(behaviour: Behaviour) -> Iterator[str]:
    """Run the server; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            behaviour.requests.append(dict(self.headers.items()))
            if behaviour.status:
                self.send_error(behaviour.status.pop(0))
                return
            body, start = behaviour.content, 0
            asked = self.headers.get("Range")
            if_range = self.headers.get("If-Range")
            if asked and behaviour.ranges and if_range in (None, behaviour.tag):
                start = int(asked.removeprefix("bytes=").removesuffix("-"))
                if start >= len(body):
                    self.send_error(416)
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            else:
                self.send_response(200)
            rest = body[start:]
            if not behaviour.chunked:
                self.send_header("Content-Length", str(len(rest) if behaviour.announce is None else behaviour.announce))
            if behaviour.tag:
                self.send_header("ETag", behaviour.tag)
            self.send_header("Content-Type", behaviour.content_type)
            self.end_headers()
            with suppress(ConnectionError):  # the other side may leave early
                self.wfile.write(rest[: behaviour.break_after.pop(0)] if behaviour.break_after else rest)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False  # wait for them at the end
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/weights.pt"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
