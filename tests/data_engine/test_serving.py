"""The whole engine without a browser: uploads, jobs, and work with a real model worker and a tiny model."""

from __future__ import annotations

import asyncio
import io
import json
import time
import uuid
import zipfile
from collections.abc import Iterator
from concurrent.futures import Future
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from starlette.testclient import TestClient

from engine_server import HOST, Page, Served, StubPool, served, task_of
from masklet.checkpoints.load import load, save
from masklet.data_engine.app import create_app
from masklet.data_engine.model_worker import ModelWorker
from masklet.data_engine.server_settings import ServerSettings
from masklet.data_engine.worker_token import worker_token
from masklet.model.sam2 import Sam2

CLICK = {"kind": "prompt", "frame": 0, "object": 1, "points": [[30, 20]], "labels": [1]}
PATIENCE = 60.0


class Workers:
    """Model workers in the process and on the event loop of a server."""

    def __init__(self, one: Served) -> None:
        self.server, self.stops, self.ended = one, [], []

    def start(self) -> None:
        serving, stop = self.server.serving, asyncio.Event()
        token = worker_token(serving.workspace.secret())
        worker = ModelWorker(serving.workspace, serving.database, uuid.uuid4().hex[:16], token, load)
        ready: Future[str] = Future()
        self.ended.append(self.server.portal.start_task_soon(partial(worker.serve, stop, ready=ready.set_result)))
        ready.result(PATIENCE)
        self.stops.append(stop)

    def stop(self) -> None:
        """The oldest one."""
        self.server.call(self.stops.pop(0).set)
        self.ended.pop(0).result(PATIENCE)


@pytest.fixture
def real(tmp_path: Path, tiny: Sam2) -> Iterator[Served]:
    """A server with a real pool, and jobs that are worked on."""
    model = str(save(tiny, tmp_path / "tiny.safetensors"))
    app = create_app(ServerSettings(tmp_path / "workspace", workers=0, jobs=1, model=model))
    with TestClient(app, HOST) as running:
        assert running.portal is not None
        yield Served(app, StubPool(), app.state.serving, {}, running.portal)


def picture(frame: np.ndarray) -> bytes:
    return cv2.imencode(".png", frame[..., ::-1])[1].tobytes()


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def until(client: TestClient, path: str, states: set[str]) -> dict[str, Any]:
    """What is at a path, once its state is one of these."""
    deadline = time.monotonic() + PATIENCE
    while (answer := client.get(path).json())["state"] not in states:
        assert time.monotonic() < deadline, answer
        time.sleep(0.05)
    return answer


def test_from_upload_to_export(real: Served, frames: list[np.ndarray]):
    client = real.client()
    settings = {"stages": ["track", "verify"], "own_review": True}
    project = client.post("/api/projects", json={"name": "discs", "settings": settings}).json()["id"]
    clip = zipped({f"{t:05d}.png": picture(frame) for t, frame in enumerate(frames)})
    arriving = client.post(f"/api/projects/{project}/videos", files={"file": ("disc.zip", clip)})
    assert arriving.status_code == 202
    video = until(client, f"/api/videos/{arriving.json()['id']}", {"ready", "failed"})
    assert (video["state"], video["frames"], video["width"]) == ("ready", len(frames), frames[0].shape[1])
    workers = Workers(real)
    workers.start()
    assert client.get("/api/health").status_code == 200
    task, name = task_of(client, project), str(uuid.uuid4())
    with Page(client, task["id"], task["lease"]) as page:
        assert page.event("state")["objects"] == []
        assert page.act(kind="object_add", label="disc")["object"] == 1
        clicked = page.act(**CLICK, name=name)
        assert clicked["mask"]["counts"]
        assert page.act(kind="propagate", direction="forward")["ok"]
        assert page.event("finished")["error"] is None
        before = page.ask(kind="masks", first=0, count=64)["masks"]
        assert len(before) == len(frames)
    workers.start()  # another one, which takes over when the first one ends
    workers.stop()
    with Page(client, task["id"], task["lease"]) as page:
        state = page.event("state")
        assert [(one["number"], one["name"], one["prompted"]) for one in state["objects"]] == [(1, "disc", [0])]
        assert page.ask(kind="masks", first=0, count=64)["masks"] == before  # nothing is lost
        assert page.act(**CLICK, name=name)["mask"]["counts"] == clicked["mask"]["counts"]  # and nothing done twice
        assert page.ask(kind="suggest", k=1)["ok"]
        assert page.act(kind="undo")["undone"]["kind"] == "propagate"  # which the first worker did
        assert len(page.ask(kind="masks", first=0, count=64)["masks"]) == 1
        assert page.act(kind="redo")["undone"]["kind"] == "propagate"
        assert page.ask(kind="masks", first=0, count=64)["masks"] == before
    done = client.post(f"/api/tasks/{task['id']}/submit", json={"lease": task["lease"]})
    assert done.json()["state"] == "done"
    verify = task_of(client, project, "verify")
    said = {"lease": verify["lease"], "verdict": "satisfactory"}
    assert client.post(f"/api/tasks/{verify['id']}/verdict", json=said).status_code == 200
    job = client.post(f"/api/projects/{project}/exports", json={"format": "davis"}).json()
    job = until(client, f"/api/jobs/{job['id']}", {"done", "failed"})
    assert (job["state"], job["file"], job["error"]) == ("done", True, None)
    assert "key" not in job["result"]
    assert datetime.fromisoformat(job["expires"]) - datetime.fromisoformat(job["done"]) == timedelta(days=7)
    kept = client.post(f"/api/jobs/{job['id']}/keep", json={"keep": True}).json()
    assert (kept["kept"], kept["expires"]) == (True, None)
    archive = client.get(f"/api/jobs/{job['id']}/file").content
    assert any(name.endswith(".png") for name in zipfile.ZipFile(io.BytesIO(archive)).namelist())
    brought = client.post(
        f"/api/projects/{project}/imports", files={"file": ("davis.zip", archive)}, data={"format": "davis"}
    )
    job = until(client, f"/api/jobs/{brought.json()['id']}", {"done", "failed"})
    assert (job["state"], job["result"]["objects"]) == ("done", 1), job
    nothing_is_given_away(real, project, video["id"])
    assert client.delete(f"/api/videos/{video['id']}").status_code == 204
    assert not any((real.serving.workspace.root / "sessions").iterdir())
    assert not any((real.serving.workspace.root / "uploads").iterdir())
    workers.stop()


def nothing_is_given_away(one: Served, project: int, video: int) -> None:
    """No answer holds a place, a key or a secret of the server."""
    root = one.serving.workspace.root
    keys = [path.stem for folder in ("videos", "sessions", "exports") for path in (root / folder).iterdir()]
    secrets = [str(root), root.name, one.serving.workspace.secret().hex(), *keys]
    of_project = ("", "/videos", "/tasks", "/jobs", "/agreement", "/statistics", "/statistics.csv")
    of_video = ("", "/objects", "/masks", "/agreement")
    paths = [f"/api/projects/{project}{what}" for what in of_project]
    paths += [f"/api/videos/{video}{what}" for what in of_video]
    paths += ["/api/me", "/api/projects", "/api/users", "/api/audit", "/api/health", "/api/openapi.json", "/metrics"]
    for path in paths:
        answer = one.client().get(path)
        assert answer.status_code == 200
        told = answer.text + str(answer.headers)
        assert not [secret for secret in secrets if secret in told], path


def hostile(tmp_path: Path) -> dict[str, bytes]:
    """Files by the names that their senders give them."""
    image = picture(np.zeros((48, 72, 3), np.uint8))
    movie = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(movie), cv2.VideoWriter_fourcc(*"MJPG"), 10, (72, 48))  # pyright: ignore[reportAttributeAccessIssue]
    for _ in range(5):
        writer.write(np.zeros((48, 72, 3), np.uint8))
    writer.release()
    return {
        "truncated.avi": movie.read_bytes()[:400],
        "text.mp4": b"this is no movie\n" * 100,
        "bomb.zip": zipped({f"{i}.png": bytes(50_000_000) for i in range(2)}, zipfile.ZIP_DEFLATED),
        "truncated.zip": zipped({"a.png": image})[:-30],
        "../../climbing.zip": zipped({"../../climbed.png": image, "/climbed.png": image}),
        "nul\0.zip": zipped({"a\0b.txt": b"text"}),
        "empty.zip": zipped({}),
    }


def test_hostile_files_fail_with_a_sentence_and_leave_nothing(tmp_path: Path):
    with served(tmp_path, jobs=2) as one:
        client, project = one.client(), one.project()
        for name, content in hostile(tmp_path).items():
            answer = client.post(f"/api/projects/{project}/videos", files={"file": (name, content)})
            assert answer.status_code == 202, (name, answer.text)
            video = until(client, f"/api/videos/{answer.json()['id']}", {"ready", "failed"})
            assert video["state"] == "failed", name
            assert "/" not in video["name"]
            assert video["error"]
            form = {"files": {"file": (name, content)}, "data": {"format": "coco"}}
            answer = client.post(f"/api/projects/{project}/imports", **form)
            job = until(client, f"/api/jobs/{answer.json()['id']}", {"done", "failed"})
            assert (job["state"], bool(job["error"])) == ("failed", True), name
            assert "the server failed" not in job["error"], name
        said = json.dumps([client.get(f"/api/projects/{project}/{what}").json() for what in ("jobs", "videos")])
        assert str(tmp_path) not in said
        assert "Traceback" not in said
        assert client.get(f"/api/projects/{project}/tasks").json() == []
        root = one.serving.workspace.root
        assert not list(root.parent.rglob("climbed*"))
        assert not list((root / "videos").iterdir())
        assert not list((root / "uploads").iterdir())
        assert not list((root / "jobs").iterdir())


def test_an_upload_that_breaks_off_leaves_nothing(tmp_path: Path):
    with served(tmp_path, upload_bytes=1000) as one:
        client, project = one.client(), one.project()
        path = f"/api/projects/{project}/videos"
        assert client.post(path, files={"file": ("a.mp4", bytes(1001))}).json()["kind"] == "too_large"
        form = {"content-type": "multipart/form-data; boundary=x"}
        begun = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\nabc'
        assert client.post(path, content=begun, headers=form).json()["kind"] == "invalid"
        assert client.post("/api/projects/99/videos", files={"file": ("a.mp4", b"x")}).status_code == 404
        twice = [client.post(path, files={"file": ("a.mp4", b"x")}).status_code for _ in range(2)]
        assert twice == [202, 409]  # the second one's name is taken
        assert len(list((one.serving.workspace.root / "uploads").iterdir())) == 1
        assert client.get(path).json()[0]["state"] == "arriving"
