"""The OpenAPI document against the server: whether requests fit it or not, they get what it says, and no 5xx."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.specs.openapi.checks import ignored_auth

from engine_server import HOST, Served, served, task_of
from masklet.data_engine import workers
from masklet.data_engine.schema import now

_MODES = {"fits": GenerationMode.POSITIVE, "does not fit": GenerationMode.NEGATIVE}
_CLOSING = ("/api/sign-out", "/api/sign-in")  # the one ends the sign-in that all others use


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server where things of the ids 1 and 2 exist."""
    with served(tmp_path_factory.mktemp("openapi"), accounts=True, requests_per_second=1e6) as one:
        one.add_user("root", "admin")
        one.serving.write(workers.announce, "worker", "ws://127.0.0.1:1", now() + timedelta(days=1))
        one.add_user("ann", "annotator")
        client, project = one.client("root"), one.project()
        video = one.video(project)
        one.video(project, "run")
        one.pool.numbers = {1}
        task = task_of(client, project)
        client.post(f"/api/tasks/{task['id']}/submit", json={"lease": task["lease"]})
        client.post(f"/api/projects/{project}/exports", json={"format": "davis"})
        client.post(f"/api/videos/{video}/automatic")
        yield one


def operations(one: Served) -> Iterator[APIOperation]:
    schema = schemathesis.openapi.from_asgi("/api/openapi.json", one.app, headers={"host": "localhost:8008"})
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path not in _CLOSING:
            yield operation


def explore(one: Served, operation: APIOperation, examples: int, mode: GenerationMode, ids: int | None) -> None:
    """Send requests of one operation, made from the document; ``ids``: of what they are about, None: of anything."""
    known: dict[str, Any] = {}
    if ids is not None and "{" in operation.path:
        known["path_parameters"] = {parameter.name: ids for parameter in operation.path_parameters}
    client = one.client("root")
    known["cookies"] = dict(client.cookies)
    headers = {"host": HOST.removeprefix("http://"), "X-Masklet-CSRF": client.headers["X-Masklet-CSRF"]}

    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(mode, **known))
    def check(case: Case) -> None:
        # The check of authentication drops the header as well: tests of authorisation do better.
        case.call_and_validate(headers=headers, excluded_checks=[ignored_auth])

    with suppress(Unsatisfiable):  # there is nothing that does not fit
        check()


@pytest.mark.parametrize("mode", _MODES)
def test_no_request_breaks_the_server(team: Served, mode: str):
    for operation in operations(team):
        last = operation.method == "delete"  # what it is about is there for the others
        explore(team, operation, 3, _MODES[mode], 2 if last else 1)
        explore(team, operation, 2, _MODES[mode], None)


@pytest.mark.slow
@pytest.mark.parametrize("mode", _MODES)
def test_many_requests(team: Served, mode: str):
    for operation in operations(team):
        explore(team, operation, 100, _MODES[mode], 1 if operation.method != "delete" else 2)
        explore(team, operation, 100, _MODES[mode], None)
