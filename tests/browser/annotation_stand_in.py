"""A server that speaks the data engine's protocol and has no model: frames are drawn, masks are discs that move.

It is what the page's own tests run against, so that they need neither weights nor a database. What the page sent is
kept in :class:`StandIn` for them to look at.
"""

from __future__ import annotations

import asyncio
import copy
import struct
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import uvicorn
from fastapi import FastAPI, Request, Response, WebSocket, WebSocketDisconnect
from fastapi.staticfiles import StaticFiles
from starlette.responses import JSONResponse

from masklet.masks import rle

WEB = Path(__file__).parents[2] / "src" / "masklet" / "data_engine" / "web"
POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
WIDTH, HEIGHT, FRAMES, FPS = 480, 270, 240, 24.0
RADIUS = 30
CREATED = "2025-01-02T10:00:00Z"
UNDONE = (
    "prompt", "mask", "clear", "object_remove", "lock", "unlock", "absent", "present", "trim", "swap", "merge", "split",
    "propagate",
)  # fmt: skip

HISTORY = {"mask": "prompt", "object_remove": "remove"}
"""What the history of a session calls actions that have another name there."""


def centre(t: int) -> tuple[float, float]:
    """Where the thing that is worth annotating is; in a long video it comes again and again."""
    t %= FRAMES
    return 90 + 1.2 * t, 135 + 60 * float(np.sin(t / 25))


def picture(t: int) -> bytes:
    """A frame: a landscape, a ball, and the frame's number."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    image = np.stack([150 - y / 3, 120 + 30 * np.sin((x + t) / 40) - y / 6, 90 + y / 4], axis=-1)
    image[y > 190 + 12 * np.sin((x + 2 * t) / 60)] = (70, 110, 80)
    image = np.ascontiguousarray(image.clip(0, 255).astype(np.uint8))
    at = tuple(round(v) for v in centre(t))
    cv2.circle(image, at, RADIUS, (60, 90, 225), -1, cv2.LINE_AA)
    cv2.circle(image, (at[0] - 9, at[1] - 9), 8, (150, 170, 250), -1, cv2.LINE_AA)
    cv2.rectangle(image, (330 - t // 2, 170), (400 - t // 2, 220), (190, 160, 60), -1)
    for bit in range(14):  # the number for tests: a row of squares, white for 1
        cv2.rectangle(image, (8 + 12 * bit, 248), (18 + 12 * bit, 262), (255,) * 3 if t >> bit & 1 else (0,) * 3, -1)
    cv2.putText(image, str(t), (8, 22), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 255, 255), 1, cv2.LINE_AA)
    return cv2.imencode(".jpg", image)[1].tobytes()


@lru_cache(maxsize=2000)
def disc_counts(x: float, y: float, radius: float = RADIUS) -> str:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return rle.encode((columns + 0.5 - x) ** 2 + (rows + 0.5 - y) ** 2 <= radius**2)["counts"]


EMPTY = rle.encode(np.zeros((HEIGHT, WIDTH), bool))["counts"]


def confidence(t: int) -> float:
    """Sure at first, doubtful around two frames."""
    return round(float(0.97 - 0.5 * np.exp(-(((t - 90) / 9) ** 2)) - 0.3 * np.exp(-(((t - 170) / 5) ** 2))), 3)


def stretches(frames: set[int]) -> list[list[int]]:
    """First and last frame of each run of neighbours."""
    firsts = sorted(t for t in frames if t - 1 not in frames)
    return [[a, b] for a, b in zip(firsts, sorted(t for t in frames if t + 1 not in frames), strict=True)]


@dataclass
class Target:
    """An object of the session: masks by frame, and what the user gave."""

    number: int
    name: str
    colour: str
    masks: dict[int, str] = field(default_factory=dict)
    points: dict[int, list[tuple[list[float], int]]] = field(default_factory=dict)
    boxes: dict[int, list[float]] = field(default_factory=dict)
    painted: set[int] = field(default_factory=set)
    locks: list[list[int]] = field(default_factory=list)
    absent: list[list[int]] = field(default_factory=list)
    said_absent: set[int] = field(default_factory=set)
    active: list[int] | None = None

    @property
    def prompted(self) -> list[int]:
        return sorted({*self.points, *self.boxes, *self.painted})

    @property
    def version(self) -> int:
        return 1 + hash((frozenset(self.masks.items()), *self.prompted)) % 2**48

    def mask(self, t: int) -> dict[str, Any]:
        given = self.points.get(t, [])
        mask = {
            "object": self.number,
            "frame": t,
            "counts": self.masks[t],
            "iou": confidence(t),
            "presence": 5.0,
            "stability": 0.95,
            "confidence": 1.0 if t in self.prompted else confidence(t),
            "prompted": t in self.prompted,
            "area": 1,
            "box": None,
        }
        if t in self.prompted:
            mask |= {
                "points": [point for point, _ in given],
                "labels": [label for _, label in given],
                "box_prompt": self.boxes.get(t),
            }
        return mask


@dataclass
class StandIn:
    """The server's memory, and knobs for the tests."""

    accounts: bool = False
    token: str | None = None
    frames: int = FRAMES  # of the video
    automatic: bool = True  # a model has proposed an object
    states: dict[int, str] = field(default_factory=dict)  # of objects that are not as objects begin
    role: str = "admin"
    signed_in: bool = False
    targets: dict[int, Target] = field(default_factory=dict)
    undo: list[tuple[dict[str, Any], dict[int, Target]]] = field(default_factory=list)
    redo: list[tuple[dict[str, Any], dict[int, Target]]] = field(default_factory=list)
    next_number: int = 1
    running: dict[str, Any] | None = None
    step: float = 0.01  # seconds a tracked frame takes
    answered: dict[str, dict[str, Any]] = field(default_factory=dict)  # action name -> reply
    done: list[dict[str, Any]] = field(default_factory=list)  # actions that were done, in order
    received: list[dict[str, Any]] = field(default_factory=list)  # messages, those sent again too
    drop_after: str | None = None  # the connection is cut between doing this kind of action and answering it
    refuse: str | None = None  # this kind of action is refused once
    away: bool = False  # live connections are turned away
    away_after: bool = False  # likewise from the one on that ``drop_after`` ends
    busy: int = 0  # so many actions are answered "busy"
    lease: str = "lease-1"
    task_states: dict[int, str] = field(default_factory=lambda: {1: "open", 2: "open", 3: "open", 4: "open"})
    verdicts: list[dict[str, Any]] = field(default_factory=list)
    comments: list[dict[str, Any]] = field(default_factory=list)
    jobs: list[dict[str, Any]] = field(default_factory=list)
    videos: list[dict[str, Any]] = field(default_factory=list)
    sockets: set[WebSocket] = field(default_factory=set)
    loop: asyncio.AbstractEventLoop | None = None

    @property
    def proposed(self) -> dict[str, Any]:
        """The object that a model has found."""
        return {**AUTOMATIC, "state": self.states.get(AUTOMATIC["number"], AUTOMATIC["state"])}

    def state(self) -> dict[str, Any]:
        objects = [
            {
                **({"origin": "manual"} if one.number != AUTOMATIC["number"] else AUTOMATIC),
                "number": one.number,
                "name": one.name,
                "colour": one.colour,
                "state": self.states.get(one.number, "selected"),
                "version": one.version,
                "prompted": one.prompted,
                "tracked": [],
                "locks": one.locks,
                "active": one.active,
                "absent": one.absent + stretches(one.said_absent),
                "said_absent": stretches(one.said_absent),
                "edits": sorted(one.painted),
            }
            for one in self.targets.values()
        ]
        nothing = {
            "prompted": [],
            "tracked": [],
            "locks": [],
            "active": None,
            "absent": [],
            "said_absent": [],
            "edits": [],
        }
        untouched = self.automatic and AUTOMATIC["number"] not in self.targets
        objects += [{**self.proposed, **nothing}] if untouched else []
        return {
            "objects": objects,
            "undo": self.undo[-1][0] if self.undo else None,
            "redo": self.redo[-1][0] if self.redo else None,
            "running": self.running,
        }

    def cut(self) -> None:
        """Cut every live connection, from another thread."""
        assert self.loop is not None
        for socket in list(self.sockets):
            asyncio.run_coroutine_threadsafe(socket.close(1012), self.loop).result(5)


def video(number: int = 1, frames: int = FRAMES) -> dict[str, Any]:
    return {
        "id": number,
        "name": f"clip_{number:02d}.mp4",
        "width": WIDTH,
        "height": HEIGHT,
        "frames": frames,
        "fps": FPS,
        "state": "ready",
        "error": None,
    }


AUTOMATIC = {"id": 9, "number": 9, "name": "Object 9", "colour": "#e3b341", "state": "proposed", "origin": "automatic"}
JUDGED = {"id": 7, "number": 1, "name": "Ball", "colour": "#2f81f7", "state": "tracked", "origin": "manual"}
STAGES = {1: "select", 2: "track", 3: "verify", 4: "verify"}


def refused(status: int, kind: str, sentence: str) -> JSONResponse:
    return JSONResponse({"error": sentence, "kind": kind}, status)


def stand_in_app(memory: StandIn) -> FastAPI:
    """REST and static files; the live connection is in :func:`_live`."""
    app = FastAPI()

    @app.middleware("http")
    async def guard(request: Request, call_next: Any) -> Response:
        path = request.url.path
        if path.startswith("/api/") and path != "/api/sign-in" and memory.accounts and not memory.signed_in:
            return refused(401, "unauthenticated", "sign in first")
        if path.startswith("/api/") and path != "/api/start" and memory.token and not memory.signed_in:
            return refused(401, "token", "this server wants its start token")
        unsafe = request.method != "GET" and path not in ("/api/sign-in", "/api/start")
        if unsafe and request.headers.get("X-Masklet-CSRF") != "token":
            return refused(403, "forbidden", "no token")
        answer = await call_next(request)
        answer.headers["Content-Security-Policy"] = POLICY
        answer.headers["X-Content-Type-Options"] = "nosniff"
        return answer

    def me() -> dict[str, Any]:
        of_role = {"annotator": ["see", "annotate"], "verifier": ["see", "verify"]}
        permissions = of_role.get(memory.role, ["see", "annotate", "verify", "manage"])
        return {
            "name": "ada" if memory.accounts else "local",
            "role": memory.role,
            "csrf": "token",
            "local": not memory.accounts,
            "permissions": permissions,
            "language": "en",
        }

    @app.get("/api/me")
    def _me() -> dict[str, Any]:
        return me()

    @app.post("/api/sign-in")
    async def _sign_in(request: Request) -> Any:
        body = await request.json()
        if body["password"] != "correct horse":
            return JSONResponse({"error": "name and password do not go together", "kind": "unauthenticated"}, 401)
        memory.signed_in = True
        return me()

    @app.post("/api/start", response_model=None)
    async def _start(request: Request) -> Response:
        if memory.token is None:
            return refused(409, "refused", "this server wants no start token")
        if (await request.json())["token"] != memory.token:
            return refused(401, "token", "this is not the start token")
        memory.signed_in = True
        return Response(status_code=204)

    @app.post("/api/me/password", status_code=204)
    async def _password(request: Request) -> Response:
        body = await request.json()
        if body != {"old": "correct horse", "new": "battery staple"}:
            return refused(409, "refused", "the old password is not right")
        return Response(status_code=204)

    @app.post("/api/sign-out", status_code=204)
    def _sign_out() -> None:
        memory.signed_in = False

    def project(number: int) -> dict[str, Any]:
        return {
            "id": number,
            "name": ("Street scenes", "Street scenes, by hand")[number - 1],
            "phase": (3, 1)[number - 1],
            "model": "nano",
            "every": 4,
            "settings": {
                "stages": ["select", "track", "verify"],
                "annotators": 2,
                "lease_seconds": 60,
                "own_review": False,
            },
            "videos": {"ready": 12, "arriving": 1},
            "objects": {"satisfactory": 17, "tracked": 6, "selected": 9},
            "tasks": {
                "select": {"open": 3, "done": 9},
                "track": {"open": 4, "leased": 1, "done": 7},
                "verify": {"open": 6, "leased": 2, "done": 19},
            },
        }

    @app.get("/api/projects")
    def _projects() -> list[dict[str, Any]]:
        return [project(1), project(2)]

    @app.post("/api/projects", status_code=201)
    async def _add_project(request: Request) -> dict[str, Any]:
        return {**project(1), **await request.json(), "id": 1}

    @app.get("/api/projects/{number}")
    def _project(number: int) -> Any:
        return project(number) if number <= 2 else refused(404, "not_found", "there is no such project")

    @app.get("/api/projects/{number}/videos")
    def _videos() -> list[dict[str, Any]]:
        arriving = {"width": None, "height": None, "frames": None, "fps": None, "state": "arriving", "error": None}
        broken = {**arriving, "state": "failed", "error": "the file ends before its first frame"}
        return [
            video(1),
            video(2),
            {"id": 3, "name": "long_take.mp4", **arriving},
            {"id": 4, "name": "notes.zip", **broken},
            *memory.videos,
        ]

    @app.post("/api/projects/{number}/videos", status_code=202)
    async def _upload(request: Request) -> Any:
        async with request.form() as form:
            name = form["file"].filename  # type: ignore[union-attr]
        if name.endswith(".exe"):
            return refused(422, "invalid", f"{name} is neither a video nor images")
        memory.videos.append({**video(10 + len(memory.videos)), "name": name})
        return memory.videos[-1]

    @app.delete("/api/videos/{number}", status_code=204)
    def _drop(number: int) -> None:
        memory.videos = [one for one in memory.videos if one["id"] != number]

    @app.get("/api/videos/{number}/frames")
    def _frames(first: int, count: int) -> Response:
        files = [picture(t) for t in range(first, min(first + count, memory.frames))]
        body = b"".join(struct.pack("<I", len(file)) + file for file in files)
        return Response(body, media_type="application/octet-stream")

    def task(number: int) -> dict[str, Any]:
        stage, state = STAGES[number], memory.task_states[number]
        mine = state == "leased"
        return {
            "id": number,
            "project": 1,
            "video": video(1, memory.frames),
            "object": JUDGED if stage == "verify" else None,
            "stage": stage,
            "state": state,
            "round": 2 if number == 2 else 1,
            "priority": 0.41 + number / 10,
            "lease": memory.lease if mine else None,
            "lease_expires": "2099-01-01T00:00:00Z" if mine else None,
            "assignee": "ada" if mine else None,
            "seconds": 31.0 * number,
        }

    @app.get("/api/projects/{number}/tasks")
    def _tasks(stage: str | None = None, state: str | None = None) -> list[dict[str, Any]]:
        rows = [task(one) for one in STAGES]
        return [one for one in rows if stage in (None, one["stage"]) and state in (None, one["state"])]

    @app.post("/api/projects/{number}/claim")
    async def _claim(request: Request) -> Any:
        stage = (await request.json())["stage"]
        found = [one for one in STAGES if STAGES[one] == stage and memory.task_states[one] == "open"]
        if not found:
            return Response(status_code=204)
        memory.task_states[found[0]] = "leased"
        return task(found[0])

    @app.get("/api/tasks/{number}")
    def _task(number: int) -> dict[str, Any]:
        return task(number)

    @app.post("/api/tasks/{number}/claim")
    def _claim_task(number: int) -> dict[str, Any]:
        memory.task_states[number] = "leased"
        return task(number)

    @app.post("/api/tasks/{number}/heartbeat")
    def _heartbeat(number: int) -> Any:
        return {"lease_expires": "2099-01-01T00:00:00Z"}

    @app.post("/api/tasks/{number}/release", status_code=204)
    def _release(number: int) -> None:
        memory.task_states[number] = "open"

    @app.post("/api/tasks/{number}/submit")
    def _submit(number: int) -> dict[str, Any]:
        memory.task_states[number] = "done"
        return task(number)

    @app.post("/api/tasks/{number}/verdict")
    async def _verdict(number: int, request: Request) -> dict[str, Any]:
        memory.verdicts.append({"task": number, **await request.json()})
        memory.task_states[number] = "done"
        return task(number)

    @app.get("/api/videos/{number}/objects")
    def _objects() -> list[dict[str, Any]]:
        rows = [{"id": 100 + one.number, "number": one.number, "name": one.name} for one in memory.targets.values()]
        return [*rows, memory.proposed] if AUTOMATIC["number"] not in memory.targets else rows

    @app.get("/api/videos/{number}/masks")
    def _masks(first: int, count: int) -> dict[str, Any]:
        ball, car = Target(1, "Ball", "#2f81f7"), Target(9, "Object 9", "#e3b341")
        ball.painted = {0, 88}
        for t in range(first, min(first + count, FRAMES)):
            if t % 4 == 0:
                ball.masks[t] = disc_counts(*centre(t))
                car.masks[t] = disc_counts(365 - t / 2, 195, 26)
        return {"masks": [one.mask(t) for one in (ball, car) for t in one.masks]}

    @app.get("/api/objects/{number}/scores")
    def _scores() -> dict[str, Any]:
        frames, prompted = range(0, FRAMES, 4), [0, 88]
        return {
            "object": 1,
            "frames": [*frames],
            "confidence": [1.0 if t in prompted else confidence(t) for t in frames],
            "prompted": prompted,
        }

    @app.get("/api/objects/{number}/judgements")
    def _judgements(number: int) -> list[dict[str, Any]]:
        if number == 102:  # the second round of another one
            said = (("unsatisfactory", "Too large.", 4), (None, "The tail is lost.", 170), ("unsatisfactory", "", None))
            names = ("verdict", "comment", "frame")
            return [{**dict(zip(names, one, strict=True)), "user": "grace", "created": CREATED} for one in said]
        first = {"verdict": "unsatisfactory", "user": "grace", "comment": "Loses the rim behind the hill.", "frame": 88}
        return [{**first, "created": CREATED}, *memory.comments]

    @app.post("/api/objects/{number}/comments", status_code=201)
    async def _comment(request: Request) -> dict[str, Any]:
        memory.comments.append({"verdict": None, "user": "ada", "created": CREATED, **await request.json()})
        return memory.comments[-1]

    @app.get("/api/projects/{number}/statistics")
    def _statistics() -> list[dict[str, Any]]:
        return STATISTICS

    @app.get("/api/projects/{number}/agreement")
    def _agreement(after: int) -> dict[str, Any]:
        one = {"video": f"scene {after}", "object": 1, "copies": 2, "mean": 0.823 if after else 0.912}
        return {"objects": [one], "next": None if after else 20}

    @app.patch("/api/projects/{number}")
    async def _change_project(number: int, request: Request) -> dict[str, Any]:
        return {**project(number), **await request.json()}

    @app.get("/api/table1")
    def _table1(projects: str, reference: int) -> list[dict[str, Any]]:
        sizes = ("all", "small", "medium", "large")
        rows = [
            ("Street scenes, by hand", 1, 37.8, 100.0, 4.8, (None,) * 4),
            ("Street scenes", 3, 4.5, 19.04, 2.68, (89.1, 72.8, 81.8, 100.0)),
        ]
        names = ("project", "phase", "seconds_a_frame", "edited_frames_percent", "clicks_per_edited_frame")
        wanted = rows if "," in projects else rows[1:]
        return [
            dict(zip(names, row[:5], strict=True))
            | {f"alignment_{size}": share for size, share in zip(sizes, row[5], strict=True)}
            for row in wanted
        ]

    @app.get("/api/projects/{number}/jobs")
    def _jobs() -> list[dict[str, Any]]:
        for job in memory.jobs:
            job["progress"] = min(1.0, job["progress"] + 0.34)
            if job["progress"] == 1.0 and job["state"] == "running":
                job |= {"state": "done", "file": job["kind"] == "export", "expires": CREATED}
        return memory.jobs

    def job(kind: str, **more: Any) -> dict[str, Any]:
        memory.jobs.append({"id": len(memory.jobs) + 1, "kind": kind, "state": "running", "progress": 0.0} | more)
        memory.jobs[-1] |= {"error": None, "created": CREATED, "file": False, "kept": False, "expires": None}
        return memory.jobs[-1]

    @app.post("/api/projects/{number}/exports", status_code=202)
    async def _export(request: Request) -> dict[str, Any]:
        return job("export", format=(await request.json())["format"])

    @app.post("/api/jobs/{number}/keep")
    async def _keep(number: int, request: Request) -> dict[str, Any]:
        kept = (await request.json())["keep"]
        memory.jobs[number - 1] |= {"kept": kept, "expires": None if kept else CREATED}
        return memory.jobs[number - 1]

    @app.post("/api/videos/{number}/automatic", status_code=202)
    def _automatic(number: int) -> dict[str, Any]:
        return job("automatic", video=number, format=None)

    @app.get("/api/users")
    def _users() -> list[dict[str, Any]]:
        rows = (("ada", "admin"), ("grace", "verifier"), ("alan", "annotator"))
        return [
            {"id": at, "name": name, "role": role, "active": at != 2, "created": CREATED}
            for at, (name, role) in enumerate(rows)
        ]

    @app.get("/api/audit")
    def _audit() -> list[dict[str, Any]]:
        lines = (("ada", "sign_in", "", True), (None, "sign_in", "root", False), ("ada", "add_user", "grace", True))
        return [
            {"id": at, "user": user, "address": "127.0.0.1", "what": what, "target": of, "ok": ok, "created": CREATED}
            for at, (user, what, of, ok) in enumerate(lines)
        ]

    @app.websocket("/api/tasks/{number}/live")
    async def _socket(socket: WebSocket, number: int) -> None:
        if memory.away:
            await socket.close()
            return
        await socket.accept()
        memory.loop = asyncio.get_running_loop()
        memory.sockets.add(socket)
        with suppress(WebSocketDisconnect, RuntimeError):
            await _live(memory, socket)
        memory.sockets.discard(socket)

    app.mount("/", StaticFiles(directory=WEB, html=True))
    return app


def effort(stage: str, annotator: str | None, day: str | None, tasks: int, *rates: float | None) -> dict[str, Any]:
    """A row of the statistics; rates as below."""
    names = ("tasks_an_hour", "seconds_a_frame", "edited_share", "clicks_per_edited_frame", "acceptance_rate")
    row = {"stage": stage, "annotator": annotator, "day": day, "tasks": tasks, "seconds": 120.0 * tasks}
    return row | {"masklets": 3 * tasks} | dict(zip(names, rates or (None,) * 5, strict=True))


STATISTICS = [
    effort("select", None, None, 14, 40.0, None, None, None, None),
    effort("track", None, None, 53, 11.0, 4.6, 0.19, 2.7, 0.84),
    effort("verify", None, None, 50, 88.0, None, None, None, None),
    effort("select", "ada", None, 14, 40.0, None, None, None, None),
    effort("track", "ada", None, 31, 12.5, 4.2, 0.17, 2.4, 0.9),
    effort("track", "alan", None, 22, 9.1, 5.3, 0.23, 3.1, 0.77),
    effort("verify", "grace", None, 50, 88.0, None, None, None, None),
    *(effort("track", None, f"2025-01-{day:02d}", 2 + (day * 7) % 5) for day in range(1, 13)),
]


def scores_of(memory: StandIn, number: int) -> dict[str, Any]:
    """How sure each frame of an object is."""
    if number not in memory.targets:
        return {"ok": False, "error": f"there is no object {number}", "kind": "not_found"}
    one = memory.targets[number]
    sure = [(1.0 if t in one.prompted else confidence(t)) if t in one.masks else None for t in range(memory.frames)]
    return {"ok": True, "object": number, "version": one.version, "first": 0, "confidence": sure}


async def _live(memory: StandIn, socket: WebSocket) -> None:
    hello = await socket.receive_json()
    if hello["csrf"] != "token" or hello["lease"] != memory.lease:
        await socket.send_json({"event": "lease_lost"})
        return
    await socket.send_json({"event": "state", **memory.state()})
    while True:
        message = await socket.receive_json()
        memory.received.append(message)
        kind = message["kind"]
        if kind == "heartbeat":
            await socket.send_json({"reply": message["id"], "ok": True})
        elif kind == "masks":
            span = range(message["first"], message["first"] + message["count"])
            masks = [one.mask(t) for one in memory.targets.values() for t in span if t in one.masks]
            await socket.send_json({"reply": message["id"], "ok": True, "masks": masks})
        elif kind == "scores":
            await socket.send_json({"reply": message["id"], **scores_of(memory, message["object"])})
        elif kind == "suggest":
            numbers = list(memory.targets)[:1]
            found = [(90, ["low predicted IoU", "unstable mask"]), (170, ["presence in doubt"]), (40, [])]
            prompted = {t for one in memory.targets.values() for t in one.prompted}
            suggestions = [
                {"frame": t, "objects": numbers, "score": confidence(t), "reasons": reasons}
                for t, reasons in found
                if t not in prompted
            ]
            answer = suggestions[: message["k"]] if memory.targets else []
            await socket.send_json({"reply": message["id"], "ok": True, "suggestions": answer})
        else:
            await _act(memory, socket, message)


async def _act(memory: StandIn, socket: WebSocket, message: dict[str, Any]) -> None:
    """Do an action once; sent again, it is answered again."""
    kind, name = message["kind"], message["name"]
    if memory.busy > 0:
        memory.busy -= 1
        reply: dict[str, Any] = {"ok": False, "error": "busy, try again", "kind": "busy"}
    elif kind == memory.refuse:
        memory.refuse = None
        reply = {"ok": False, "error": "frames 0 to 10 of the object are locked", "kind": "refused"}
    elif name in memory.answered:
        reply = memory.answered[name]
    else:
        reply = memory.answered[name] = {"ok": True, "ms": 1.0, **_done(memory, message)}
        memory.done.append(message)
        if kind == "propagate":
            asyncio.get_running_loop().create_task(_track(memory, message))
        if kind == memory.drop_after:
            memory.drop_after = None
            memory.away = memory.away_after
            await socket.close(1012)
            return
    await socket.send_json({"reply": message["id"], **reply})
    await _tell(memory, {"event": "state", **memory.state()})


def _done(memory: StandIn, message: dict[str, Any]) -> dict[str, Any]:
    kind, number, t = message["kind"], message.get("object"), message.get("frame")
    if kind in UNDONE:
        objects = [one for one in (number, message.get("other")) if one is not None]
        event = {"kind": HISTORY.get(kind, kind), "objects": objects, "frame": t, "last": message.get("last")}
        memory.undo.append((event, copy.deepcopy(memory.targets)))
        memory.redo.clear()
    if kind in ("undo", "redo"):
        source, other = (memory.undo, memory.redo) if kind == "undo" else (memory.redo, memory.undo)
        what, targets = source.pop()
        other.append((what, copy.deepcopy(memory.targets)))
        memory.targets = targets
    elif kind == "object_add":
        number = number or memory.next_number
        memory.next_number = number + 1
        memory.targets[number] = Target(number, message.get("label") or f"Object {number}", message["colour"])
        return {"object": number}
    elif kind == "object_remove":
        del memory.targets[number]
    elif kind == "stop":
        if memory.running:
            memory.running["stop_now"] = True
    elif kind == "swap":
        one, other = memory.targets[number], memory.targets[message["other"]]
        one.masks, other.masks = other.masks, one.masks
    elif kind == "merge":
        memory.targets[number].masks |= memory.targets.pop(message["other"]).masks
    elif kind == "split":
        one, new = memory.targets[number], memory.next_number
        memory.next_number += 1
        memory.targets[new] = Target(new, f"Object {new}", "#3fb950", {k: v for k, v in one.masks.items() if k >= t})
        one.masks = {k: v for k, v in one.masks.items() if k < t}
        return {"other": new}
    elif number is not None:
        if number not in memory.targets:  # somebody takes the model's up
            memory.targets[number] = Target(number, AUTOMATIC["name"], AUTOMATIC["colour"])
        return _changed(memory.targets[number], message)
    return {}


def _changed(target: Target, message: dict[str, Any]) -> dict[str, Any]:
    kind, t = message["kind"], message.get("frame")
    if kind in ("prompt", "mask"):
        target.said_absent.discard(t)
    if kind == "object_change":
        target.name = message.get("label") or target.name
        target.colour = message.get("colour") or target.colour
    elif kind == "prompt":
        given = target.points.setdefault(t, [])
        given += zip(message["points"], message["labels"], strict=True)
        if box := message.get("box"):
            target.boxes[t] = box
        if box := target.boxes.get(t):
            target.masks[t] = disc_counts((box[0] + box[2]) / 2, (box[1] + box[3]) / 2, (box[3] - box[1]) / 2)
        else:
            inside = [point for point, label in given if label] or [list(centre(t))]
            target.masks[t] = disc_counts(*np.mean(inside, axis=0), RADIUS - 4 * sum(not label for _, label in given))
        return {"mask": target.mask(t)}
    elif kind == "mask":
        target.masks[t] = message["counts"]
        target.painted.add(t)
        return {"mask": target.mask(t)}
    elif kind == "clear":
        for table in (target.points, target.boxes, target.masks):
            table.pop(t, None)
        target.painted.discard(t)
    elif kind in ("lock", "unlock"):
        span = [message.get("first") or 0, FRAMES - 1 if message.get("last") is None else message["last"]]
        target.locks = [span] if kind == "lock" else []
    elif kind in ("absent", "present"):
        for frame in range(t, (t if message.get("last") is None else message["last"]) + 1):
            for table in (target.points, target.boxes, target.masks):
                table.pop(frame, None)
            if kind == "absent":
                target.said_absent.add(frame)
                target.masks[frame] = EMPTY
            else:
                target.said_absent.discard(frame)
        return {"mask": target.mask(t)} if kind == "absent" else {}
    elif kind == "trim":
        target.active = [message["first"], message["last"]]
        target.masks = {t: v for t, v in target.masks.items() if message["first"] <= t <= message["last"]}
    return {}


async def _track(memory: StandIn, message: dict[str, Any]) -> None:
    start = message.get("start") or 0
    stop = message.get("stop")
    forward = range(start, (memory.frames - 1 if stop is None else stop) + 1)
    backward = range(start, -1, -1)
    frames = {"forward": [*forward], "backward": [*backward], "both": [*forward, *backward]}[message["direction"]]
    memory.running = {"direction": message["direction"], "start": start, "stop": stop, "frame": start}
    await _tell(memory, {"event": "state", **memory.state()})
    count = 0
    for t in frames:
        if memory.running.get("stop_now"):
            break
        for at, target in enumerate(memory.targets.values()):
            if t not in target.prompted and t not in target.said_absent:
                x, y = centre(t)
                target.masks[t] = disc_counts(x, y) if at == 0 else disc_counts(365 - t / 2, 195, 24)
        count += 1
        memory.running["frame"] = t
        masks = [target.mask(t) for target in memory.targets.values() if t in target.masks]
        await _tell(memory, {"event": "frame", "frame": t, "masks": masks, "left": len(frames) - count})
        await asyncio.sleep(memory.step)
    for target in memory.targets.values():
        target.absent = [[200, 212]] if 200 in target.masks and target.number == 1 else []
    memory.running = None
    await _tell(memory, {"event": "finished", "name": message["name"], "frames": count, "error": None})
    await _tell(memory, {"event": "state", **memory.state()})


async def _tell(memory: StandIn, event: dict[str, Any]) -> None:
    for socket in list(memory.sockets):
        with suppress(RuntimeError, WebSocketDisconnect):
            await socket.send_json(event)


@dataclass
class Serving:
    """A stand-in on a port of its own, in a thread."""

    memory: StandIn
    url: str
    server: uvicorn.Server
    thread: threading.Thread

    def close(self) -> None:
        self.server.should_exit = True
        self.thread.join(10)


def serve(memory: StandIn) -> Serving:
    config = uvicorn.Config(
        stand_in_app(memory), host="127.0.0.1", port=0, log_level="error", lifespan="off", ws="websockets-sansio"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    return Serving(memory, f"http://127.0.0.1:{port}/", server, thread)
