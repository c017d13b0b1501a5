"""Every route of the MLflow that runs here, asked by everybody who has no business there.

The routes come from MLflow's own tables (routes.py); one of a new version is asked, too. Strangers
get nothing of the project in any byte, learn not even what exists, and no write does anything.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from .conftest import ROOT, Host

CANARY = f"canary-{secrets.token_hex(6)}"
NUMBER = 0.1 + secrets.randbelow(10**12) / 10**13
"""In all that alice keeps; never part of a question."""
EXPERIMENT, MODEL = f"plain-{secrets.token_hex(3)}", f"model-{secrets.token_hex(3)}"
SECRETS = (CANARY.encode(), str(NUMBER)[:12].encode())
ROUTES = Path(__file__).with_name("routes.py")
WORKSPACE = "X-MLFLOW-WORKSPACE"
STRANGERS: list[tuple[str | None, dict[str, str]]] = [
    (None, {}),
    ("eve", {}),
    ("eve", {WORKSPACE: "ws-a"}),
    ("bob", {}),
    ("bob", {WORKSPACE: "ws-a"}),
    ("program-a", {}),
    ("program-b", {}),
    ("program-b", {WORKSPACE: "ws-a"}),
]
Names = dict[str, str]
Rows = set[tuple[str, str]]


@dataclass(frozen=True)
class Route:
    method: str
    path: str
    body: dict[str, Any]

    def ask(self, client: httpx.Client, names: Names) -> httpx.Response:
        path, body = put(self.path, names), json.loads(put(json.dumps(self.body), names))
        if self.method in ("GET", "HEAD"):
            query = {key: each for key, each in body.items() if not isinstance(each, dict)}
            return client.request(self.method, f"/mlflow{path}", params=query)
        if "mlflow-artifacts/artifacts/" in path and self.method == "PUT":
            return client.put(f"/mlflow{path}", content=b"overwritten")
        query = {"run_uuid": names["run"], "path": "x.txt"} if "upload-artifact" in path else {}
        return client.request(self.method, f"/mlflow{path}", json=body, params=query)


def put(text: str, names: Names) -> str:
    for name, found in names.items():
        text = text.replace("{" + name + "}", found)
    return text


@pytest.fixture(scope="module")
def routes(host: Host) -> list[Route]:
    command = [sys.executable, "-W", "ignore", str(ROUTES), str(host.folder / "mlflow")]
    environment = {"PYTHONPATH": f"{ROOT}:{ROOT / 'server'}", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    found = [Route(**json.loads(line)) for line in done.stdout.splitlines()]
    assert len(found) > 400
    return found


@pytest.fixture(scope="module")
def names(host: Host) -> Names:
    """What alice keeps in ws-a: run, files, models, versions, each with the canary in it."""

    def api(method: str, call: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = host.api("alice", method, call, json=body)
        assert answer.status_code == 200, (call, answer.text)
        found: dict[str, Any] = answer.json()
        return found

    exp = api("POST", "experiments/create", {"name": EXPERIMENT})["experiment_id"]
    tag = {"experiment_id": exp, "key": "note", "value": CANARY}
    api("POST", "experiments/set-experiment-tag", tag)
    pair = {"key": "note", "value": CANARY}
    new = {"experiment_id": exp, "run_name": CANARY, "tags": [pair]}
    run = api("POST", "runs/create", new)["run"]["info"]
    points = {"value": NUMBER, "timestamp": 1, "step": 1}
    metrics = [{"key": "plain", **points}, {"key": CANARY, **points}]
    batch = {"run_id": run["run_id"], "metrics": metrics, "params": [pair]}
    api("POST", "runs/log-batch", batch)
    data = {"name": CANARY, "digest": "d", "source_type": "s", "source": CANARY, "schema": CANARY}
    inputs = {"run_id": run["run_id"], "datasets": [{"dataset": data}]}
    api("POST", "runs/log-inputs", inputs)
    place = run["artifact_uri"].removeprefix("mlflow-artifacts:/")
    model = {"experiment_id": exp, "name": CANARY, "source_run_id": run["run_id"], "tags": [pair]}
    model_id = api("POST", "logged-models", {**model, "params": [pair]})["model"]["info"][
        "model_id"
    ]
    api("PATCH", f"logged-models/{model_id}", {"model_id": model_id, "status": 2})
    for folder in (place, f"{exp}/models/{model_id}/artifacts"):
        for file in ("plain.txt", f"{CANARY}.txt"):
            path = f"api/2.0/mlflow-artifacts/artifacts/{folder}/{file}"
            assert host.call("alice", "PUT", path, content=CANARY.encode()).status_code == 200
    name = {"name": MODEL, "description": CANARY, "tags": [pair]}
    api("POST", "registered-models/create", name)
    source = {"source": f"models:/{model_id}", "model_id": model_id, "run_id": run["run_id"]}
    api("POST", "model-versions/create", {**name, **source})
    api(
        "POST",
        "registered-models/alias",
        {"name": MODEL, "alias": "champion", "version": "1"},
    )
    return {
        "run": run["run_id"], "exp": exp, "exp_name": EXPERIMENT, "model": model_id,
        "name": MODEL, "metric": "plain", "file": "plain.txt", "place": place,
        "project": "ws-a",
    }  # fmt: skip


@pytest.fixture(scope="module")
def imagined(names: Names) -> Names:
    """The same, of things that were never there."""
    run, model = secrets.token_hex(16), f"m-{secrets.token_hex(16)}"
    exp = str(10**9 + secrets.randbelow(10**8))
    place = names["place"].replace(names["run"], run).replace(names["exp"], exp)
    place = place.replace("ws-a", "ws-0")
    return {
        **names, "run": run, "exp": exp, "exp_name": "never-exp", "model": model, "place": place,
        "name": "never-model", "project": "ws-0",
    }  # fmt: skip


def client_of(host: Host, who: str | None, headers: dict[str, str]) -> httpx.Client:
    token = {"authorization": f"Bearer {who}"} if who else {}
    return httpx.Client(base_url=host.url, headers={**token, **headers}, verify=False, timeout=60)


def everybody_asks(
    host: Host, who: str | None, headers: dict[str, str], routes: list[Route], names: Names
) -> Iterator[tuple[Route, httpx.Response]]:
    with client_of(host, who, headers) as client, ThreadPoolExecutor(6) as pool:
        yield from zip(
            routes, pool.map(lambda route: route.ask(client, names), routes), strict=True
        )


def kept(host: Host) -> Rows:
    """All that MLflow keeps: rows of its database, files with their digests."""
    rows: Rows = set()
    database = sqlite3.connect(f"file:{host.folder / 'mlflow' / 'mlflow.db'}?mode=ro", uri=True)
    tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    for (table,) in tables:
        rows |= {(table, repr(row)) for row in database.execute(f'SELECT * FROM "{table}"')}
    database.close()
    folder = host.folder / "artifacts"
    for file in folder.rglob("*"):
        if file.is_file():
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            rows.add((str(file.relative_to(folder)), digest))
    return rows


def harm(before: Rows, after: Rows, *mine: str) -> Rows:
    """What is gone or other than before, and what is new and speaks of alice's things."""
    gone = {row for row in before - after if "'ws-b'" not in row[1]}  # there they may clear up
    new = {row for row in after - before if any(thing in str(row) for thing in mine)}
    return gone | new


def plain(answer: httpx.Response, names: Names) -> str:
    """The answer without what was asked for, and without what is different each time."""
    text = answer.text
    for key in ("place", "run", "exp", "exp_name", "model", "name", "project"):
        text = re.sub(rf"\b{re.escape(names[key])}\b", f"<{key}>", text)
    return text


def test_the_questions_are_good_ones(host: Host, routes: list[Route], names: Names) -> None:
    """Alice herself is told what nobody else may hear: else the rest would prove nothing."""
    reads = (r for r in routes if r.method == "GET" or r.path == "/graphql" or "search" in r.path)
    asked = [r for r in reads if not r.path.startswith("/api/")]
    told = set()
    for route, answer in everybody_asks(host, "alice", {}, asked, names):
        if any(secret in answer.content for secret in SECRETS):
            told.add(f"{route.path} {str(route.body.get('query'))[:40]}")
    assert len(told) >= 25, sorted(told)


@pytest.mark.parametrize(("who", "headers"), STRANGERS)
def test_strangers_get_no_byte_and_change_nothing(
    host: Host, routes: list[Route], names: Names, who: str | None, headers: dict[str, str]
) -> None:
    before, wrong = kept(host), []
    outside = not who or who in ("eve", "program-a") or bool(headers)
    for route, answer in everybody_asks(host, who, headers, routes, names):
        raw = answer.content + repr(answer.headers.raw).encode()
        refused = answer.status_code in ((401,) if who is None else (400, 403))
        told = any(secret in raw for secret in SECRETS)
        if told or (outside and not refused) or answer.status_code >= 500:
            wrong.append((route.method, route.path, answer.status_code, answer.text[:200]))
    assert not wrong, wrong
    assert not harm(before, kept(host), names["run"], names["model"], "ws-a")


def test_a_member_of_another_project_cannot_tell_what_exists(
    host: Host, routes: list[Route], names: Names, imagined: Names
) -> None:
    """Whether a thing is there or not, the answer is the same."""
    kinds = ("2.0/mlflow/registered-models", "2.0/mlflow/experiments", "3.0/mlflow/datasets")
    own = {f"/ajax-api/{kind}/create" for kind in kinds}
    asked = [r for r in routes if r.path not in own and not r.path.startswith("/api/")]
    there = everybody_asks(host, "frank", {}, asked, names)
    nowhere = everybody_asks(host, "frank", {}, asked, imagined)
    different = []
    for (route, one), (_, other) in zip(there, nowhere, strict=True):
        same = one.status_code == other.status_code
        if not same or (one.status_code >= 400 and plain(one, names) != plain(other, imagined)):
            different.append((route.method, route.path, one.text[:300], other.text[:300]))
    assert not different, different


@pytest.mark.parametrize("who", ["carol", "job"])
def test_viewers_and_other_jobs_change_nothing(
    host: Host, routes: list[Route], names: Names, who: str
) -> None:
    token = who if who != "job" else f"job:{host.new_run('of another job')}"
    asked = [r for r in routes if r.method != "GET" and not r.path.startswith("/ajax-api/")]
    before = kept(host)
    broken = [
        (route.method, route.path, answer.status_code, answer.text[:200])
        for route, answer in everybody_asks(host, token, {}, asked, names)
        if answer.status_code >= 500
    ]
    own = ["ws-a"] if who == "carol" else []  # a job makes runs below its own
    assert not harm(before, kept(host), names["run"], names["model"], *own)
    assert not broken, broken


@pytest.mark.parametrize(
    ("call", "filters"),
    [
        ("runs/search", ("params.note = '{}'", "tags.note LIKE '{}%'", "metrics.plain > {}")),
        ("logged-models/search", ("params.note = '{}'", "name = '{}'")),
    ],
)
def test_filters_say_nothing_about_others(
    host: Host, names: Names, call: str, filters: tuple[str, ...]
) -> None:
    """One that fits alice's things and one that fits nothing are answered alike."""
    for text in filters:
        right, wrong = (0, 9) if "metrics" in text else (CANARY, "nothing")
        answers = []
        for value in (right, wrong):
            body = {"experiment_ids": [names["exp"]], "filter": text.format(value)}
            answers.append(host.api("bob", "POST", call, json=body))
            mine = host.api("alice", "POST", call, json=body)
            assert (CANARY in mine.text) == (value == right), mine.text
        first, second = answers
        assert (first.status_code, first.text) == (second.status_code, second.text)


ELSEWHERE = [
    "file:///etc", "/etc", "s3://other/x", "s3://bucket/mlflow/workspaces/ws-b/x", "../../etc",
    "http://127.0.0.1/x", "models:/x/1", "mlflow-artifacts://127.0.0.1:9/x", "mlflow-artifacts:/1",
    "mlflow-artifacts:/workspaces/ws-a/../ws-b/x", "dbfs:/x", "runs:/x", "", "models:/",
]  # fmt: skip


@pytest.mark.parametrize("source", ELSEWHERE)
def test_nobody_makes_a_model_of_files_from_elsewhere(
    host: Host, names: Names, source: str
) -> None:
    """Not alice either: a version is of runs and models of her project."""
    for more in ({}, {"run_id": names["run"]}):
        body = {"name": names["name"], "source": source, **more}
        answer = host.api("alice", "POST", "model-versions/create", json=body)
        assert answer.status_code in (400, 403, 404), (source, answer.text)


@pytest.mark.parametrize(
    "source",
    [
        "mlflow-artifacts:/{place}", "runs:/{run}", "runs:/{run}/", "models:/{model}",
        "models:/{name}/1", "models:/{name}@champion",
    ],
)  # fmt: skip
def test_a_model_of_files_of_another_project_shows_nothing(
    host: Host, names: Names, source: str
) -> None:
    """Whether the version is made or refused: its maker does not get at the files."""
    host.api("bob", "POST", "registered-models/create", json={"name": "loot"})
    body = {"name": "loot", "source": put(source, names)}
    made = host.api("bob", "POST", "model-versions/create", json=body)
    if made.status_code != 200:
        return
    version = made.json()["model_version"]["version"]
    query = f"name=loot&version={version}"
    got = host.call("bob", "GET", f"model-versions/get-artifact?{query}&path=plain.txt")
    told = host.api("bob", "GET", f"model-versions/get-download-uri?{query}")
    assert CANARY not in got.text and "ws-a" not in told.text, (got.text, told.text)
