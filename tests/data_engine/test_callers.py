"""Every route with every role: a route that is not listed here fails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from engine_server import Served, served

ALL = {"annotator", "verifier", "admin"}
VERIFIERS = {"verifier", "admin"}
ADMINS = {"admin"}
OPEN = {"GET /api/openapi.json", "GET /api/health", "POST /api/sign-in", "POST /api/start"}
"""These ask for no sign-in."""
LIVE = "/api/tasks/{task_id}/live"
"""Who may act and look there is tested in test_live.py."""
ROUTES = {
    "GET /metrics": ADMINS,
    "POST /api/sign-out": ALL,
    "GET /api/me": ALL,
    "POST /api/me/password": ALL,
    "GET /api/users": ADMINS,
    "POST /api/users": ADMINS,
    "PATCH /api/users/{user_id}": ADMINS,
    "GET /api/audit": ADMINS,
    "GET /api/projects": ALL,
    "POST /api/projects": ADMINS,
    "GET /api/projects/{project_id}": ALL,
    "PATCH /api/projects/{project_id}": ADMINS,
    "GET /api/projects/{project_id}/videos": ALL,
    "POST /api/projects/{project_id}/videos": ADMINS,
    "GET /api/videos/{video_id}": ALL,
    "DELETE /api/videos/{video_id}": ADMINS,
    "GET /api/videos/{video_id}/frames/{frame}": ALL,
    "GET /api/videos/{video_id}/frames": ALL,
    "GET /api/projects/{project_id}/tasks": ALL,
    "POST /api/projects/{project_id}/claim": ALL,
    "POST /api/tasks/{task_id}/claim": ALL,
    "GET /api/tasks/{task_id}": ALL,
    "POST /api/tasks/{task_id}/heartbeat": ALL,
    "POST /api/tasks/{task_id}/release": ALL,
    "POST /api/tasks/{task_id}/submit": ALL,
    "POST /api/tasks/{task_id}/verdict": VERIFIERS,
    "GET /api/videos/{video_id}/objects": ALL,
    "GET /api/videos/{video_id}/masks": ALL,
    "GET /api/videos/{video_id}/agreement": ALL,
    "GET /api/objects/{object_id}/scores": ALL,
    "GET /api/objects/{object_id}/judgements": ALL,
    "POST /api/objects/{object_id}/comments": ALL,
    "GET /api/projects/{project_id}/agreement": ALL,
    "GET /api/projects/{project_id}/statistics": ALL,
    "GET /api/projects/{project_id}/statistics.csv": ALL,
    "GET /api/table1": ALL,
    "GET /api/table1.csv": ALL,
    "POST /api/videos/{video_id}/automatic": ADMINS,
    "POST /api/projects/{project_id}/exports": ADMINS,
    "POST /api/projects/{project_id}/imports": ADMINS,
    "GET /api/projects/{project_id}/jobs": ALL,
    "GET /api/jobs/{job_id}": ALL,
    "POST /api/jobs/{job_id}/cancel": ADMINS,
    "POST /api/jobs/{job_id}/keep": ADMINS,
    "GET /api/jobs/{job_id}/file": ADMINS,
}
"""Roles that a route does not turn away. Which stages a role may do is tested below: the store decides."""


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("team"), accounts=True, requests_per_second=10_000.0) as one:
        for role in ("annotator", "verifier", "admin"):
            one.add_user(role, role)
        one.video(one.project())
        yield one


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server without accounts."""
    with served(tmp_path_factory.mktemp("local"), start_token="secret", requests_per_second=10_000.0) as one:
        yield one


def routes_of(routes: Any, above: str = "") -> Iterator[tuple[str, str]]:
    """Method and path of every route; ``WS`` is the method of live connections."""
    for route in routes:
        inner = getattr(route, "original_router", route)
        if getattr(inner, "routes", None):
            yield from routes_of(inner.routes, above + getattr(route, "path", ""))
        else:
            for method in sorted(getattr(route, "methods", None) or {"WS"}):
                yield method, above + route.path


def test_every_route_is_listed(team: Served):
    found = {f"{method} {path}" for method, path in routes_of(team.app.routes) if method != "HEAD"}
    assert found == OPEN | ROUTES.keys() | {f"WS {LIVE}"}


@pytest.mark.parametrize("route", sorted(ROUTES))
def test_roles(team: Served, route: str):
    for role in sorted(ALL):
        answer = asked(team.client(role), route)
        allowed = role in ROUTES[route]
        assert (answer.status_code not in (401, 403)) == allowed, (role, answer.text)
        if not allowed:
            assert answer.json()["kind"] in ("forbidden", "unauthenticated")
        if route == "POST /api/sign-out":
            del team.clients[role]


@pytest.mark.parametrize("route", sorted(ROUTES))
def test_nobody(team: Served, route: str):
    answer = asked(team.client("nobody"), route)
    assert (answer.status_code, answer.json()["kind"]) == (401, "unauthenticated")


@pytest.mark.parametrize("route", sorted(ROUTES))
def test_without_accounts_the_start_token_is_wanted(local: Served, route: str):
    nobody = local.client("nobody")
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic secret"}):
        answer = asked(nobody, route, headers)
        assert (answer.status_code, answer.json()["kind"]) == (
            401,
            "unauthenticated" if "metrics" in route else "token",
        )
    assert asked(nobody, route, {"Authorization": "Bearer secret"}).status_code not in (401, 403)


@pytest.mark.parametrize("route", sorted(route for route in ROUTES if not route.startswith("GET")))
def test_another_site(team: Served, route: str):
    client = team.client("admin")
    for headers in ({"X-Masklet-CSRF": ""}, {"X-Masklet-CSRF": "0" * 64}, {"origin": "http://other.example"}):
        answer = asked(client, route, headers)
        assert (answer.status_code, answer.json()["kind"]) == (403, "forbidden")


def asked(client: TestClient, route: str, headers: dict[str, str] | None = None) -> Any:
    """The answer where ids are of what is not there and bodies are empty: no more is needed to be turned away."""
    method, path = route.split()
    for name in ("project_id", "video_id", "task_id", "object_id", "job_id", "user_id", "frame"):
        path = path.replace(f"{{{name}}}", "987654")
    body = None if method == "GET" else {}
    return client.request(method, path, json=body, headers=headers)


@pytest.mark.parametrize(
    ("role", "stage", "allowed"),
    [
        ("annotator", "select", True),
        ("annotator", "track", True),
        ("annotator", "verify", False),
        ("verifier", "select", False),
        ("verifier", "track", False),
        ("verifier", "verify", True),
        ("admin", "track", True),
        ("admin", "verify", True),
    ],
)
def test_stages(team: Served, role: str, stage: str, allowed: bool):
    project = team.project(f"{role} {stage}")
    answer = team.client(role).post(f"/api/projects/{project}/claim", json={"stage": stage})
    assert answer.status_code == (204 if allowed else 403)


def test_closed_accounts_are_signed_out(team: Served):
    team.add_user("gone", "annotator")
    gone = team.client("gone")
    user = next(one for one in team.client("admin").get("/api/users").json() if one["name"] == "gone")
    assert gone.get("/api/me").status_code == 200
    assert team.client("admin").patch(f"/api/users/{user['id']}", json={"active": False}).status_code == 200
    assert gone.get("/api/me").status_code == 401


def test_the_last_admin_stays(team: Served):
    (admin,) = [one for one in team.client("admin").get("/api/users").json() if one["role"] == "admin"]
    answer = team.client("admin").patch(f"/api/users/{admin['id']}", json={"role": "annotator"})
    assert (answer.status_code, answer.json()["kind"]) == (409, "refused")


def test_others_do_not_see_how_fast_somebody_works(team: Served):
    project = team.project("pace")
    team.video(project)
    team.pool.numbers = {1}
    team.add_user("quick", "annotator")
    task = team.client("quick").post(f"/api/projects/{project}/claim", json={"stage": "track"}).json()
    team.client("quick").post(f"/api/tasks/{task['id']}/submit", json={"lease": task["lease"]})
    seen = {
        name: {row["annotator"] for row in team.client(name).get(f"/api/projects/{project}/statistics").json()}
        for name in ("annotator", "quick", "admin")
    }
    assert seen == {"annotator": {None}, "quick": {None, "quick"}, "admin": {None, "quick"}}
