"""What Prometheus reads of a server: requests, actions, propagated frames, jobs, and what waits."""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """Counters of one server process; names begin with ``masklet_``."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Histogram(
            "masklet_request_seconds", "Time of REST requests.", ("method", "route", "status"),
            registry=self.registry, buckets=_SECONDS,
        )  # fmt: skip
        self.actions = Histogram(
            "masklet_action_seconds", "Time of actions in sessions, as the server sees it.", ("kind", "outcome"),
            registry=self.registry, buckets=_SECONDS,
        )  # fmt: skip
        self.frames = Counter("masklet_frames_sent", "Propagated frames sent to pages.", registry=self.registry)
        self.live = Gauge("masklet_live_connections", "Open live connections.", registry=self.registry)
        self.jobs = Counter("masklet_jobs", "Jobs that ended.", ("kind", "outcome"), registry=self.registry)
        self.sign_ins = Counter("masklet_sign_ins", "Attempts to sign in.", ("outcome",), registry=self.registry)
        self.workers = Gauge("masklet_workers", "Model workers that are alive.", registry=self.registry)
        self.waiting = Gauge("masklet_actions_waiting", "Actions that wait in workers.", registry=self.registry)
        self.sessions = Gauge("masklet_sessions_open", "Sessions that workers have open.", registry=self.registry)

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self.registry)


class TimedRequests:
    """Middleware: times requests by the route's template, never by the address asked for."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, began = 500, time.perf_counter()

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            method = scope["method"] if route != "other" else "other"
            self._metrics.requests.labels(method, route, str(status)).observe(time.perf_counter() - began)
