"""Who may read and write what: strangers, jobs, path tricks, switched-off parts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .conftest import Host

SECRET = "the-secret-of-alice"


@pytest.fixture(scope="module")
def alice(host: Host) -> dict[str, str]:
    """Things of alice in ws-a that carry a word nobody else may see."""
    run_id = host.new_run("private")
    body = {
        "run_id": run_id,
        "metrics": [{"key": SECRET, "value": 1, "timestamp": 1, "step": 0}],
        "tags": [{"key": "note", "value": SECRET}],
    }
    assert host.api("alice", "POST", "runs/log-batch", json=body).status_code == 200
    info = host.run(run_id)["info"]
    place = info["artifact_uri"].removeprefix("mlflow-artifacts:/")
    put = host.call(
        "alice", "PUT", f"api/2.0/mlflow-artifacts/artifacts/{place}/s.txt", content=SECRET.encode()
    )
    assert put.status_code == 200
    model = {"experiment_id": info["experiment_id"], "name": "m", "source_run_id": run_id}
    made = host.api("alice", "POST", "logged-models", json=model)
    assert made.status_code == 200, made.text
    model_id = made.json()["model"]["info"]["model_id"]
    done = host.api(
        "alice", "PATCH", f"logged-models/{model_id}", json={"model_id": model_id, "status": 2}
    )
    assert done.status_code == 200, done.text
    body = {"name": "secret-model", "tags": [{"key": "k", "value": SECRET}]}
    assert host.api("alice", "POST", "registered-models/create", json=body).status_code == 200
    version = {"name": "secret-model", "source": f"models:/{model_id}", "model_id": model_id}
    created = host.api("alice", "POST", "model-versions/create", json=version)
    assert created.status_code == 200, created.text
    return {"run": run_id, "exp": info["experiment_id"], "place": place, "model": model_id}


READS: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "mlflow/experiments/get?experiment_id={exp}", {}),
    ("GET", "mlflow/experiments/get-by-name?experiment_name=intents", {}),
    ("POST", "mlflow/experiments/search", {"max_results": 100}),
    ("POST", "mlflow/experiments/search-datasets", {"experiment_ids": ["{exp}"]}),
    ("GET", "mlflow/runs/get?run_id={run}", {}),
    ("POST", "mlflow/runs/search", {"experiment_ids": ["{exp}"]}),
    ("GET", f"mlflow/metrics/get-history?run_id={{run}}&metric_key={SECRET}", {}),
    ("GET", f"mlflow/metrics/get-history-bulk?run_id={{run}}&metric_key={SECRET}", {}),
    (
        "GET",
        f"mlflow/metrics/get-history-bulk-interval?run_ids={{run}}&metric_key={SECRET}"
        "&max_results=9",
        {},
    ),
    ("GET", "mlflow/artifacts/list?run_id={run}", {}),
    ("GET", "mlflow-artifacts/artifacts?path={place}", {}),
    ("GET", "mlflow-artifacts/artifacts/{place}/s.txt", {}),
    ("GET", "mlflow-artifacts/presigned/{place}/s.txt", {}),
    ("GET", "mlflow/logged-models/{model}", {}),
    ("POST", "mlflow/logged-models/search", {"experiment_ids": ["{exp}"]}),
    ("GET", "mlflow/logged-models/{model}/artifacts/directories", {}),
    ("GET", "mlflow/registered-models/get?name=secret-model", {}),
    ("GET", "mlflow/registered-models/search", {}),
    ("POST", "mlflow/registered-models/get-latest-versions", {"name": "secret-model"}),
    ("GET", "mlflow/model-versions/get?name=secret-model&version=1", {}),
    ("GET", "mlflow/model-versions/search", {}),
    ("GET", "mlflow/model-versions/get-download-uri?name=secret-model&version=1", {}),
]
WRITES: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "mlflow/runs/log-metric", {"run_id": "{run}", "key": "x", "value": 1, "timestamp": 1}),
    ("POST", "mlflow/runs/log-parameter", {"run_id": "{run}", "key": "x", "value": "1"}),
    ("POST", "mlflow/runs/log-batch", {"run_id": "{run}", "tags": [{"key": "a", "value": "b"}]}),
    ("POST", "mlflow/runs/set-tag", {"run_id": "{run}", "key": "x", "value": "1"}),
    ("POST", "mlflow/runs/set-tag", {"run_uuid": "{run}", "key": "x", "value": "1"}),
    ("POST", "mlflow/runs/update", {"run_id": "{run}", "status": "FAILED"}),
    ("POST", "mlflow/runs/delete", {"run_id": "{run}"}),
    ("POST", "mlflow/runs/create", {"experiment_id": "{exp}"}),
    ("POST", "mlflow/experiments/update", {"experiment_id": "{exp}", "new_name": "mine"}),
    ("POST", "mlflow/experiments/delete", {"experiment_id": "{exp}"}),
    ("PUT", "mlflow-artifacts/artifacts/{place}/evil.txt", {}),
    ("DELETE", "mlflow-artifacts/artifacts/{place}/s.txt", {}),
    ("POST", "mlflow/logged-models", {"experiment_id": "{exp}", "source_run_id": "{run}"}),
    ("DELETE", "mlflow/logged-models/{model}", {}),
    ("POST", "mlflow/registered-models/set-tag", {"name": "secret-model", "key": "a", "value": ""}),
    (
        "POST",
        "mlflow/registered-models/alias",
        {"name": "secret-model", "alias": "champion", "version": "1"},
    ),
    ("DELETE", "mlflow/registered-models/delete", {"name": "secret-model"}),
    (
        "POST",
        "mlflow/model-versions/create",
        {"name": "mine", "source": "mlflow-artifacts:/{place}", "run_id": "{run}"},
    ),
]


def fill(value: Any, names: dict[str, str]) -> Any:
    text = json.dumps(value)
    for name, found in names.items():
        text = text.replace("{" + name + "}", found)
    return json.loads(text)


@pytest.mark.parametrize("prefix", ["api/2.0", "ajax-api/2.0"])
@pytest.mark.parametrize(("who", "workspace"), [("bob", ""), ("bob", "ws-a"), (None, "ws-a")])
def test_a_stranger_reads_and_writes_nothing(
    host: Host, alice: dict[str, str], who: str | None, workspace: str, prefix: str
) -> None:
    headers = {"X-MLFLOW-WORKSPACE": workspace} if workspace else {}
    leaks = []
    for method, path, body in fill(READS, alice) + fill(WRITES, alice):
        more = {} if method == "GET" else {"json": body}
        answer = host.call(who, method, f"{prefix}/{path}", headers=headers, **more)
        allowed = answer.status_code < 400 and (method, path, body) in fill(WRITES, alice)
        if SECRET in answer.text.replace(f"metric_key={SECRET}", "") or allowed:
            leaks.append((method, path, answer.status_code, answer.text[:100]))
        if who is None:
            assert answer.status_code == 401, path
        elif workspace:
            assert answer.status_code == 403, path
    assert not leaks


def test_the_probes_do_see_it_as_alice(host: Host, alice: dict[str, str]) -> None:
    """Else the test above would prove nothing."""
    seen = 0
    for method, path, body in fill(READS, alice):
        more = {} if method == "GET" else {"json": body}
        answer = host.call("alice", method, f"ajax-api/2.0/{path}", **more)
        seen += answer.status_code == 200
    assert seen >= len(READS) - 2  # presigned addresses need S3, datasets were not logged


def test_a_viewer_reads_but_does_not_write(host: Host, alice: dict[str, str]) -> None:
    assert host.api("carol", "GET", f"runs/get?run_id={alice['run']}").status_code == 200
    for method, path, body in fill(WRITES, alice):
        answer = host.call("carol", method, f"api/2.0/{path}", json=body)
        assert answer.status_code in (400, 403, 404), (path, answer.status_code)
    assert host.run(alice["run"])["info"]["status"] == "RUNNING"


def test_who_may_only_read_now_writes_not_even_to_what_he_made(host: Host) -> None:
    """MLflow gives the maker of an experiment rights that outlive the role."""
    made = host.api("dave", "POST", "experiments/create", json={"name": "of dave"})
    exp = made.json()["experiment_id"]
    tag = {"experiment_id": exp, "key": "a", "value": "b"}
    calls = (
        ("experiments/set-experiment-tag", tag),
        ("runs/create", {"experiment_id": exp}),
        ("experiments/delete", {"experiment_id": exp}),
    )
    for call, body in calls:
        assert host.api("dave-reads", "POST", call, json=body).status_code == 403, call
        assert host.api("dave-reads", "GET", f"experiments/get?experiment_id={exp}").is_success
    assert host.api("dave", "POST", calls[0][0], json=tag).status_code == 200


def test_setting_an_alias_needs_the_right_to_deploy(host: Host, alice: dict[str, str]) -> None:
    body = {"name": "secret-model", "alias": "candidate", "version": "1"}
    refused = host.api("dave", "POST", "registered-models/alias", json=body)
    assert refused.status_code == 403
    assert "models.promote" in refused.json()["message"]
    assert host.api("alice", "POST", "registered-models/alias", json=body).status_code == 200


def test_a_job_writes_only_to_its_own_run(host: Host, alice: dict[str, str]) -> None:
    own = host.new_run("jobs-own")
    job = f"job:{own}"
    tag = {"key": "a", "value": "b"}
    child = {"experiment_id": alice["exp"], "tags": []}
    made = host.api(job, "POST", "runs/create", json=child)
    assert made.status_code == 200, made.text
    inner = made.json()["run"]["info"]["run_id"]
    for run in (own, inner):
        assert host.api(job, "POST", "runs/set-tag", json={"run_id": run, **tag}).status_code == 200
    assert host.api(job, "GET", f"runs/get?run_id={alice['run']}").status_code == 200
    for method, path, body in fill(WRITES, alice):
        if path.endswith("runs/create"):
            body = {**body, "tags": [{"key": "mlflow.parentRunId", "value": alice["run"]}]}
        answer = host.call(job, method, f"api/2.0/{path}", json=body)
        assert answer.status_code == 403, (path, body, answer.text)
    twice = json.dumps(json.dumps({"run_id": alice["run"], **tag}))
    both = {"run_id": own, "runUuid": alice["run"], **tag}
    headers = {"content-type": "application/json"}
    for content in (twice, json.dumps(both), json.dumps({"runId": alice["run"], **tag})):
        answer = host.api(job, "POST", "runs/set-tag", content=content, headers=headers)
        assert answer.status_code == 403, content
    plain = host.api(job, "POST", "runs/set-tag", json={"run_id": alice["run"], **tag}).json()
    assert "not this job's" in plain["detail"]
    assert plain["hint"]


@pytest.mark.parametrize(
    "path",
    [
        "api/2.0/mlflow-artifacts/artifacts/..%2f..%2fetc/passwd",
        "api/2.0/mlflow-artifacts/artifacts/%2e%2e/x",
        "api/2.0/mlflow-artifacts/artifacts/%252e%252e/x",
        "api/2.0/mlflow-artifacts/artifacts?path=../../x",
        "api/2.0/mlflow-artifacts/artifacts?path=%252e%252e/x",
        "api/2.0/mlflow//runs/search",
        "get-artifact?path=..%2f..%2fetc/passwd&run_uuid=x",
    ],
)
def test_path_tricks_are_refused(host: Host, path: str) -> None:
    assert host.call("alice", "GET", path).status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        {"name": "evil", "artifact_location": "/tmp/evil"},
        {"name": "evil", "artifactLocation": "s3://other/evil"},
        json.dumps({"name": "evil", "artifact_location": "mlflow-artifacts:/1"}),
    ],
)
@pytest.mark.parametrize("who", ["alice", "root"])
def test_nobody_chooses_where_files_go(host: Host, who: str, body: Any) -> None:
    answer = host.api(who, "POST", "experiments/create", json=body)
    assert answer.status_code == 403
    assert "artifact_location" in answer.json()["message"]


@pytest.mark.parametrize(
    "path",
    [
        "api/3.0/mlflow/scorers/list", "api/3.0/mlflow/gateway/endpoints/list",
        "gateway/x/invocations",
        "ajax-api/3.0/mlflow/assistant/config", "api/2.0/mlflow/webhooks",
        "api/3.0/mlflow/issues/1",
        "api/3.0/mlflow/review-queues/list", "api/3.0/mlflow/label-schemas/list", "signup",
        "api/3.0/mlflow/traces/x", "v1/traces", "ajax-api/3.0/mlflow/jobs/1",
        "api/2.0/mlflow/users/list",
        "api/3.0/mlflow/mcp-servers", "api/3.0/mlflow/roles/list",
        "api/3.0/mlflow/prompt-optimization/jobs/1",
    ],
)  # fmt: skip
def test_switched_off_parts(host: Host, path: str) -> None:
    assert host.call("root", "GET", path).status_code == 403


def test_identity_headers_of_clients_are_dropped(host: Host, alice: dict[str, str]) -> None:
    for name in ("x-dlsys-user", "x_dlsys_user", "X-Dlsys_User"):
        headers = {name: "dlsys:platform", "x-mlflow-workspace": "ws-b"}
        answer = host.api("bob", "GET", "users/current", headers=headers)
        assert answer.json()["user"]["username"] == "bob"
        assert not answer.json()["user"]["is_admin"]
    both = {"X-MLFLOW-WORKSPACE": "ws-b", "X_MLFLOW_WORKSPACE": "ws-a"}
    assert host.api("bob", "GET", "users/current", headers=both).status_code in (400, 403)


def test_the_pages_load_under_a_prefix_and_know_the_project(host: Host) -> None:
    page = host.call("alice", "GET", "")
    assert page.status_code == 200
    assert '"mlflow.activeWorkspace": "ws-a"' in page.text
    assets = [part.split('"')[0] for part in page.text.split('src="')[1:]]
    assets += [part.split('"')[0] for part in page.text.split('href="')[1:]]
    assert len(assets) >= 3
    for asset in assets:
        assert not asset.startswith(("/", "http")), "a relative address works under any prefix"
        assert host.call("alice", "GET", asset).status_code == 200
    bare = host.call("alice", "GET", "").url.copy_with(path="/mlflow")
    assert "location" in _redirect(str(bare))


def _redirect(url: str) -> Any:
    import httpx

    answer = httpx.get(url, headers={"authorization": "Bearer alice"})
    assert answer.headers["location"] == "mlflow/"
    return answer.headers
