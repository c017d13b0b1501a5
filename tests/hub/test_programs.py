"""Programs' tokens behind a real hub: of people with different roles, at the API and at MLflow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from tests.support.hub import ENTER, RunningHub

pytestmark = [pytest.mark.integration, pytest.mark.slow]
TOKENS = "/projects/vision/tokens"
RIGHTS = {
    "ann": ("manage",),
    "dan": ("write",),
    "vic": ("read",),
    "pat": ("admin",),
}
SEARCH = "/services/dlsys/mlflow/api/2.0/mlflow/experiments/search"


@pytest.fixture(scope="module")
def people(hub: RunningHub) -> Iterator[dict[str, httpx.Client]]:
    scopes = {user: [f"custom:dlsys:{s}" for s in names] for user, names in RIGHTS.items()}
    with ExitStack() as stack:
        clients = {user: hub.dlsys(hub.token(user, ENTER, *scopes[user])) for user in scopes}
        yield {user: stack.enter_context(client) for user, client in clients.items()}


def issue(client: httpx.Client, path: str = TOKENS, **body: Any) -> dict[str, Any]:
    answer = client.post(path, json={"name": "importer", **body})
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    made: dict[str, Any] = answer.json()
    return made


def test_a_viewers_program_reads_and_no_more(hub: RunningHub, people: Any) -> None:
    made = issue(people["vic"], scopes=["read"])
    with hub.dlsys(made["token"]) as program:
        who = program.get("/whoami").json()
        assert (who["name"], who["kind"], who["projects"]) == ("vic", "service", ["vision"])
        assert program.get("/projects/vision/datasets/digits").status_code == 200
        assert program.get("/projects/language/datasets").status_code == 404
        body = {"name": "x", "kind": "generic"}
        assert program.post("/projects/vision/datasets", json=body).status_code == 403
        assert program.get(TOKENS).json()["code"] == "only-people"
        assert program.post(TOKENS, json={"name": "more", "scopes": ["read"]}).status_code == 403
    [shown] = [t for t in people["vic"].get(TOKENS).json() if t["id"] == made["id"]]
    assert shown["last_used_at"] and shown["state"] == "active" and "token" not in shown
    refused = people["vic"].post(TOKENS, json={"name": "x", "scopes": ["write"]})
    assert refused.status_code == 403 and "ann" in refused.json()["hint"]


def test_what_a_program_makes_is_its_owners_and_the_log_says_who_did_it(
    hub: RunningHub, people: Any
) -> None:
    made = issue(people["dan"], scopes=["write"])
    with hub.dlsys(made["token"]) as program:
        body = {"name": "of-a-program", "kind": "generic"}
        answer = program.post("/projects/vision/datasets", json=body)
        assert answer.status_code == 201, answer.text
    query = {"limit": 1, "operation": "datasets.create"}
    [row] = people["pat"].get("/audit", params=query).json()["items"]
    assert (row["actor"], row["kind"]) == ("program importer", "service")
    assert (row["behalf_of"], row["detail"]["token"]) == ("dan", made["id"])


def test_others_do_not_see_it_and_a_maintainer_revokes_it(hub: RunningHub, people: Any) -> None:
    made = issue(people["dan"], scopes=["read"])
    assert made["id"] not in people["vic"].get(TOKENS).text
    foreign = people["vic"].delete(f"{TOKENS}/{made['id']}")
    absent = people["vic"].delete(f"{TOKENS}/{'0' * 26}")
    assert (foreign.status_code, foreign.json()["code"]) == (404, absent.json()["code"])
    assert made["id"] in people["ann"].get(TOKENS).text
    assert people["ann"].delete(f"{TOKENS}/{made['id']}").status_code == 204
    with hub.dlsys(made["token"]) as program:
        assert program.get("/whoami").status_code == 401


def test_an_owner_who_leaves_the_project_takes_the_right_along(
    hub: RunningHub, people: Any
) -> None:
    pat, dan = people["pat"], people["dan"]
    assert pat.post("/projects", json={"name": "short-lived"}).status_code == 201
    member = "/projects/short-lived/members/user/dan"
    assert pat.put(member, json={"role": "data-engineer"}).status_code == 200
    tokens = "/projects/short-lived/tokens"
    made = issue(dan, tokens, scopes=["write"])
    with hub.dlsys(made["token"]) as program:
        assert program.get("/projects/short-lived/datasets").status_code == 200
        assert pat.delete(member).status_code == 204
        assert program.get("/projects/short-lived/datasets").status_code == 401
    [shown] = pat.get(tokens).json()
    assert (shown["owner"], shown["state"]) == ("dan", "powerless")


def test_mlflow_takes_them_with_the_same_rights(hub: RunningHub, people: Any) -> None:
    reader, writer = issue(people["vic"], scopes=["read"]), issue(people["ann"], scopes=["write"])

    def ask(token: str, call: str, body: Any, project: str = "vision") -> httpx.Response:
        url = f"{hub.url}{SEARCH.replace('experiments/search', call)}"
        headers = {"Authorization": f"Bearer {token}", "X-MLFLOW-WORKSPACE": project}
        return httpx.post(url, json=body, headers=headers, trust_env=False, timeout=90)

    everything = {"max_results": 10}
    assert ask(reader["token"], "experiments/search", everything).status_code == 200
    assert ask(reader["token"], "experiments/create", {"name": "e"}).status_code == 403
    assert ask(writer["token"], "experiments/create", {"name": "secret-e"}).status_code == 200
    for token in (reader["token"], writer["token"]):
        for project in ("language", "u-ann", "nothing"):
            answer = ask(token, "experiments/search", everything, project)
            assert answer.status_code == 403 and "secret-e" not in answer.text
    assert people["ann"].delete(f"{TOKENS}/{writer['id']}").status_code == 204
    assert ask(writer["token"], "experiments/search", everything).status_code == 401
