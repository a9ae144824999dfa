from __future__ import annotations

import csv
import io
import logging
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from engine_server import FRAMES, HOST, PASSWORD, Served, served, task_of
from masklet.data_engine.headers import SECURITY_HEADERS


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as one:
        yield one


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path, accounts=True) as one:
        one.add_user("ann", "annotator")
        one.add_user("vera", "verifier")
        one.add_user("root", "admin")
        yield one


def test_whoever_sits_at_a_server_without_accounts_may_do_all(local: Served):
    me = local.client().get("/api/me").json()
    assert me["local"]
    assert (me["name"], me["role"]) == ("local", "admin")
    assert local.client().post("/api/projects", json={"name": "people"}).status_code == 201
    assert local.client().post("/api/sign-in", json={"name": "a", "password": "b"}).json()["kind"] == "refused"


def test_signing_in_and_out(team: Served):
    nobody = team.client("nobody")
    assert nobody.get("/api/me").json()["kind"] == "unauthenticated"
    wrong = nobody.post("/api/sign-in", json={"name": "ann", "password": "wrong"})
    assert (wrong.status_code, wrong.json()["kind"]) == (401, "unauthenticated")
    ann = team.client("ann")
    assert ann.get("/api/me").json()["permissions"] == ["see", "annotate"]
    cookie = ann.cookies["masklet_sign_in"]
    assert ann.post("/api/sign-out").status_code == 204
    assert ann.get("/api/me").status_code == 401
    ann.cookies["masklet_sign_in"] = cookie  # it is of no use any more
    assert ann.get("/api/me").status_code == 401
    lines = team.client("root").get("/api/audit").json()
    assert [(line["user"], line["what"], line["ok"]) for line in reversed(lines)] == [
        ("ann", "sign_in", False), ("ann", "sign_in", True), ("ann", "sign_out", True), ("root", "sign_in", True),
    ]  # fmt: skip


def test_somebody_changes_their_own_password(team: Served):
    ann = team.client("ann")
    other = TestClient(team.app, HOST)
    assert other.post("/api/sign-in", json={"name": "ann", "password": PASSWORD}).status_code == 200
    wrong = ann.post("/api/me/password", json={"old": "guessed", "new": "battery staple"})
    assert (wrong.status_code, wrong.json()["kind"]) == (409, "refused")
    short = ann.post("/api/me/password", json={"old": PASSWORD, "new": "short"})
    assert "8 to 1000" in short.json()["error"]
    assert other.get("/api/me").status_code == 200
    assert ann.post("/api/me/password", json={"old": PASSWORD, "new": "battery staple"}).status_code == 204
    assert (ann.get("/api/me").status_code, other.get("/api/me").status_code) == (200, 401)
    assert other.post("/api/sign-in", json={"name": "ann", "password": "battery staple"}).status_code == 200
    lines = team.client("root").get("/api/audit").json()
    changes = [(line["user"], line["ok"]) for line in lines if line["what"] == "change_password"]
    assert changes == [("ann", True), ("ann", False)]


def test_an_old_password_cannot_be_guessed_quickly(team: Served, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(team.serving.sign_ins_of_name, "_clock", lambda: 0.0)
    ann = team.client("ann")
    tries = [ann.post("/api/me/password", json={"old": f"wrong {i}", "new": "battery staple"}) for i in range(8)]
    assert tries[0].status_code == 409
    assert tries[-1].status_code == 429


def test_without_accounts_there_are_no_passwords(local: Served):
    answer = local.client().post("/api/me/password", json={"old": "a", "new": "battery staple"})
    assert (answer.status_code, answer.json()["kind"]) == (409, "refused")


def test_cookies_are_secure_over_https(team: Served):
    client = TestClient(team.app, "https://localhost")
    answer = client.post("/api/sign-in", json={"name": "ann", "password": PASSWORD})
    attributes = answer.headers["set-cookie"].lower()
    assert all(one in attributes for one in ("secure", "httponly", "samesite=strict"))


@pytest.mark.parametrize(
    ("peer", "address", "secure"),
    [
        ("10.9.0.7", "198.51.100.4", True),
        ("10.9.0.8", "10.9.0.8", False),  # no proxy of ours: anybody can send such headers
        ("10.7.3.1", "198.51.100.4", True),
        ("127.0.0.1", "198.51.100.4", True),
        ("::1", "198.51.100.4", True),
    ],
)
def test_what_a_proxy_says_is_taken_from_a_proxy_only(tmp_path: Path, peer: str, address: str, secure: bool):
    with served(tmp_path, accounts=True, proxies=("10.9.0.7", "10.7.0.0/16")) as one:
        one.add_user("root", "admin")
        client = TestClient(one.app, HOST, client=(peer, 4242))
        said = {
            "X-Forwarded-For": "203.0.113.9, 198.51.100.4",  # the client made the first one up
            "X-Forwarded-Proto": "https",
        }
        wrong = client.post("/api/sign-in", json={"name": "root", "password": "wrong"}, headers=said)
        assert wrong.status_code == 401
        right = client.post("/api/sign-in", json={"name": "root", "password": PASSWORD}, headers=said)
        assert ("secure" in right.headers["set-cookie"].lower()) == secure
        lines = one.client("root").get("/api/audit").json()
        assert [line["address"] for line in lines[1:]] == [address, address]


def test_one_who_guesses_behind_a_proxy_does_not_lock_the_others_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with served(tmp_path, accounts=True, proxies=("10.9.0.7",)) as one:
        monkeypatch.setattr(one.serving.sign_ins_of_name, "_clock", lambda: 0.0)
        client = TestClient(one.app, HOST, client=("10.9.0.7", 4242))

        def tried(address: str) -> int:
            said = {"X-Forwarded-For": address}
            return client.post("/api/sign-in", json={"name": "root", "password": "wrong"}, headers=said).status_code

        assert [tried("203.0.113.9") for _ in range(7)][-1] == 429
        assert tried("198.51.100.4") == 401


def test_passwords_cannot_be_guessed_quickly(team: Served, monkeypatch: pytest.MonkeyPatch):
    nobody = team.client("nobody")
    monkeypatch.setattr(team.serving.sign_ins_of_name, "_clock", lambda: 0.0)
    codes = [nobody.post("/api/sign-in", json={"name": "ann", "password": f"wrong {i}"}).status_code for i in range(8)]
    assert codes == [401] * 6 + [429] * 2
    late = nobody.post("/api/sign-in", json={"name": "ann", "password": PASSWORD})
    assert late.json()["kind"] == "rate"
    assert int(late.headers["retry-after"]) >= 1


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/api/sign-in"), ("PATCH", "/api/users/1"), ("POST", "/api/projects")]
)
@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=x"])
def test_nobody_fills_the_memory(team: Served, method: str, path: str, kind: str):
    chunked = (bytes(1_000_000) for _ in range(6))  # no length is said
    answer = team.client("nobody").request(method, path, content=chunked, headers={"content-type": kind})
    assert (answer.status_code, answer.json()["kind"]) == (413, "too_large")


def test_the_only_uploads_are_those_that_look_first_who_sends(team: Served):
    """Every route that takes a form is one of the two which body_limits.py lets pass."""
    paths = team.client("root").get("/api/openapi.json").json()["paths"]
    forms = {
        path for path, of in paths.items() for route in of.values()
        if "multipart/form-data" in route.get("requestBody", {}).get("content", {})
    }  # fmt: skip
    assert forms == {"/api/projects/{project_id}/videos", "/api/projects/{project_id}/imports"}
    for path in forms:
        answer = team.client("nobody").post(path.format(project_id=1), files={"file": ("a.mp4", bytes(6_000_000))})
        assert answer.status_code == 401


def test_requests_of_a_user_are_bounded(tmp_path: Path):
    with served(tmp_path, requests_per_second=1.0) as one:
        codes = [one.client().get("/api/projects").status_code for _ in range(6)]
        assert codes[0] == 200
        assert codes[-1] == 429


@pytest.mark.parametrize("headers", [{"X-Masklet-CSRF": "wrong"}, {"X-Masklet-CSRF": ""}])
def test_what_our_page_did_not_send_changes_nothing(local: Served, headers: dict[str, str]):
    answer = local.client().post("/api/projects", json={"name": "people"}, headers=headers)
    assert (answer.status_code, answer.json()["kind"]) == (403, "forbidden")
    assert local.client().get("/api/projects").json() == []


@pytest.mark.parametrize("headers", [{"origin": "http://other.example"}, {"host": "other.example"}])
def test_other_sites_are_turned_away(local: Served, headers: dict[str, str]):
    answer = local.client().post("/api/projects", json={"name": "people"}, headers=headers)
    assert (answer.status_code, answer.json()["kind"]) == (403, "forbidden")


@pytest.mark.parametrize("path", ["/api/me", "/api/nothing", "/", "/nothing", "/api/openapi.json", "/metrics"])
def test_every_answer_has_the_headers(local: Served, path: str):
    answer = local.client().get(path)
    for name, value in SECURITY_HEADERS.items():
        assert answer.headers[name] == value
    assert "unsafe" not in answer.headers["content-security-policy"]


def test_a_defect_tells_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    with served(tmp_path) as one:

        @one.app.get("/api/defect")
        def defect() -> None:
            raise RuntimeError(f"the secret of {tmp_path}")

        client = TestClient(one.app, HOST, raise_server_exceptions=False)
        answer = client.get("/api/defect")
    assert answer.status_code == 500
    assert answer.json() == {"error": "the server failed; its log says why", "kind": "failed"}
    assert answer.headers["content-security-policy"]


def test_the_page_is_served_and_nothing_beside_it(local: Served):
    page = local.client().get("/")
    assert page.status_code == 200
    assert "text/html" in page.headers["content-type"]
    for path in ("/../app.py", "/%2e%2e/app.py", "/..%2fapp.py", "/web", "/engine.sqlite", "/api/../secret"):
        assert local.client().get(path).status_code == 404, path
    assert local.client().post("/").status_code == 422


def test_health(local: Served):
    answer = local.client("nobody").get("/api/health")
    assert answer.status_code == 503  # no model worker is there
    assert answer.json()["database"]


def test_metrics(tmp_path: Path):
    with served(tmp_path, accounts=True, metrics_token="a token") as one:
        one.add_user("root", "admin")
        one.add_user("ann", "annotator")
        assert one.client("nobody").get("/metrics").status_code == 401
        assert one.client("ann").get("/metrics").status_code == 401
        assert one.client("root").get("/metrics").status_code == 200
        bearer = {"authorization": "Bearer a token"}
        text = one.client("nobody").get("/metrics", headers=bearer).text
        assert 'masklet_request_seconds_count{method="GET",route="/api/me",status="200"}' in text
        assert "a token" not in text


def test_frames(local: Served):
    video = local.video(local.project())
    client = local.client()
    answer = client.get(f"/api/videos/{video}/frames/1")
    assert answer.headers["content-type"] == "image/jpeg"
    assert "immutable" in answer.headers["cache-control"]
    again = client.get(f"/api/videos/{video}/frames/1", headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    packed = client.get(f"/api/videos/{video}/frames", params={"first": 1, "count": 64}).content
    files = []
    while packed:
        (length,) = struct.unpack_from("<I", packed)
        files.append(packed[4 : 4 + length])
        packed = packed[4 + length :]
    assert len(files) == FRAMES - 1
    assert files[0] == answer.content
    assert client.get(f"/api/videos/{video}/frames/{FRAMES}").status_code == 404
    assert client.get(f"/api/videos/{video}/frames", params={"count": 65}).status_code == 422
    assert client.delete(f"/api/videos/{video}").status_code == 204
    assert client.get(f"/api/videos/{video}/frames/1").status_code == 404


def test_the_frames_of_another_video_have_another_address(local: Served):
    project = local.project()
    first = local.video(project)
    local.client().delete(f"/api/videos/{first}")
    assert local.video(project) != first  # browsers keep frames by their address


def test_a_task_from_claim_to_verdict(local: Served):
    client, project = local.client(), local.project()
    video = local.video(project)
    local.pool.numbers = {1}
    task = task_of(client, project)
    assert task["lease"]
    assert task["video"]["frames"] == FRAMES
    assert client.post(f"/api/projects/{project}/claim", json={"stage": "track"}).status_code == 204
    lease = {"lease": task["lease"]}
    assert client.post(f"/api/tasks/{task['id']}/heartbeat", json=lease).status_code == 200
    done = client.post(f"/api/tasks/{task['id']}/submit", json={**lease, "seconds": 5})
    assert (done.status_code, done.json()["state"], done.json()["lease"]) == (200, "done", None)
    assert client.post(f"/api/tasks/{task['id']}/submit", json=lease).json()["state"] == "done"  # answered again
    (target,) = client.get(f"/api/videos/{video}/objects").json()
    assert (target["state"], target["masklet"]["frames"]) == ("tracked", FRAMES)
    masks = client.get(f"/api/videos/{video}/masks", params={"first": 1, "count": 2}).json()["masks"]
    assert [(one["object"], one["frame"], one["area"]) for one in masks] == [(1, 1, 11), (1, 2, 12)]
    scores = client.get(f"/api/objects/{target['id']}/scores").json()
    assert (scores["object"], scores["frames"], scores["prompted"]) == (1, [*range(FRAMES)], [0])
    assert scores["confidence"][1] == masks[0]["confidence"]
    verify = task_of(client, project, "verify")
    assert verify["object"]["number"] == 1
    said = {"lease": verify["lease"], "verdict": "unsatisfactory", "comment": "it leaks", "frame": 2, "seconds": 3}
    assert client.post(f"/api/tasks/{verify['id']}/verdict", json=said).status_code == 200
    (judged,) = client.get(f"/api/objects/{target['id']}/judgements").json()
    assert (judged["verdict"], judged["comment"], judged["user"]) == ("unsatisfactory", "it leaks", "local")
    comment = client.post(f"/api/objects/{target['id']}/comments", json={"comment": "better now"})
    assert comment.status_code == 201
    assert task_of(client, project)["round"] == 2
    rows = client.get(f"/api/projects/{project}/statistics").json()
    assert {row["stage"] for row in rows} == {"track", "verify"}
    assert client.get(f"/api/projects/{project}/statistics.csv").headers["content-type"].startswith("text/csv")
    (row,) = client.get("/api/table1", params={"projects": str(project)}).json()
    assert row["phase"] == 3
    file = client.get("/api/table1.csv", params={"projects": str(project), "reference": project})
    assert (file.status_code, file.headers["content-disposition"]) == (200, 'attachment; filename="table1.csv"')
    (line,) = csv.DictReader(io.StringIO(file.text))
    assert line.keys() == row.keys()
    assert (line["project"], line["phase"]) == ("people", "3")
    assert client.get("/api/table1.csv", params={"projects": "99"}).status_code == 404
    assert client.get("/api/table1.csv", params={"projects": "a"}).status_code == 422


def test_a_lease_that_somebody_else_took(team: Served):
    project = team.project(lease_seconds=1)
    team.video(project)
    team.add_user("bob", "annotator")
    task = task_of(team.client("ann"), project)
    assert team.client("bob").get(f"/api/tasks/{task['id']}").json()["lease"] is None  # it is for ann only
    taken = team.client("bob").post(f"/api/tasks/{task['id']}/claim")
    assert taken.json()["kind"] == "refused"
    team.client("ann").post(f"/api/tasks/{task['id']}/release", json={"lease": task["lease"]})
    assert team.client("bob").post(f"/api/tasks/{task['id']}/claim").status_code == 200
    lost = team.client("ann").post(f"/api/tasks/{task['id']}/submit", json={"lease": task["lease"]})
    assert (lost.status_code, lost.json()["kind"]) == (409, "lease_lost")


def test_a_selection_copies_its_session(local: Served):
    project = local.project(stages=["select", "track", "verify"], annotators=2)
    local.video(project)
    task = task_of(local.client(), project, "select")
    local.client().post(f"/api/tasks/{task['id']}/submit", json={"lease": task["lease"]})
    tasks = local.client().get(f"/api/projects/{project}/tasks", params={"stage": "track"}).json()
    assert len(tasks) == 2


def test_projects(local: Served, tmp_path: Path):
    client = local.client()
    made = client.post("/api/projects", json={"name": "people", "phase": 2, "settings": {"annotators": 2}}).json()
    assert (made["model"], made["settings"]["annotators"]) == ("nano", 2)
    assert client.post("/api/projects", json={"name": "people"}).json()["kind"] == "refused"
    for model in (str(tmp_path / "secret"), "../secret", "etc/passwd", "nothing"):
        answer = client.post("/api/projects", json={"name": "other", "model": model})
        assert (answer.status_code, answer.json()["kind"]) == (409, "refused")
        assert model not in answer.text
    changed = client.patch(f"/api/projects/{made['id']}", json={"name": "persons", "settings": {"own_review": True}})
    assert (changed.json()["name"], changed.json()["settings"]["own_review"]) == ("persons", True)
    assert changed.json()["settings"]["annotators"] == 2


def test_the_name_of_a_model_file_is_not_its_place(tmp_path: Path):
    with served(tmp_path, model=str(tmp_path / "mine.safetensors")) as one:
        made = one.client().post("/api/projects", json={"name": "people"})
        assert made.json()["model"] == "mine.safetensors"
        assert str(tmp_path) not in made.text
        again = one.client().post("/api/projects", json={"name": "others", "model": "mine.safetensors"})
        assert again.status_code == 201


def test_busy_workers(local: Served):
    project = local.project()
    local.video(project)
    task = task_of(local.client(), project)
    local.pool.busy = True
    answer = local.client().post(f"/api/tasks/{task['id']}/submit", json={"lease": task["lease"]})
    assert (answer.status_code, answer.json()["kind"], answer.headers["retry-after"]) == (503, "busy", "1")


def test_no_secret_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    with served(tmp_path, accounts=True, metrics_token="a token") as one:
        one.add_user("ann", "annotator")
        client = one.client("ann")
        client.post("/api/sign-in", json={"name": "ann", "password": "another secret"})
        client.post("/api/sign-in", json={"name": "ann", "password": ["malformed secret"]})
        secrets = [PASSWORD, "another secret", "malformed secret", "a token", client.cookies["masklet_sign_in"]]
        secrets += [client.headers["X-Masklet-CSRF"], one.serving.workspace.secret().hex()]
    for secret in secrets:
        assert secret not in caplog.text


def test_faults_do_not_repeat_what_was_sent(team: Served):
    answer = team.client("nobody").post("/api/sign-in", json={"name": "ann", "password": ["hunter2"]})
    assert answer.status_code == 422
    assert answer.json()["kind"] == "invalid"
    assert "hunter2" not in answer.text
