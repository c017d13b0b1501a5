"""Reading MLflow's calls: names, tricks, facts."""

from __future__ import annotations

import json
import math

import pytest

from dlsys_server.metadata.mlflow import calls, headers, page, taps
from dlsys_server.metadata.mlflow.environment import databases
from dlsys_server.metadata.mlflow.errors import MlflowError


@pytest.mark.parametrize(
    ("path", "call"),
    [
        ("/api/2.0/mlflow/runs/log-batch", "runs/log-batch"),
        ("/ajax-api/3.0/mlflow/workspaces/ws-a", "workspaces/ws-a"),
        ("/api/2.0mlflow/experiments/search-datasets", "experiments/search-datasets"),
        ("/api/2.0/mlflow/runs/create/", "runs/create"),
        ("/api/2.0/mlflow-artifacts/artifacts/1/x", None),
        ("/", None),
    ],
)
def test_call_names(path: str, call: str | None) -> None:
    assert calls.call_of(path) == call


@pytest.mark.parametrize(
    ("path", "query"),
    [
        (b"/a/../b", b""), (b"/a/%2e%2e/b", b""), (b"/a%2fb", b""), (b"/a//b", b""), (b"/a\\b",
        b""),
        (b"/a/%252e%252e/b", b""), (b"/a/%25252fb", b""), (b"/a%00", b""), (b"/a", b"path=../x"),
        (b"/a", b"path=%2e%2e%2fx"), (b"/a", b"path=%252e%252e/x"), (b"/a", b"x=1&path=a/..%5cb"),
    ],
)  # fmt: skip
def test_traversal_is_refused(path: bytes, query: bytes) -> None:
    with pytest.raises(MlflowError) as refused:
        calls.refuse_traversal(path, query)
    assert refused.value.status == 400


@pytest.mark.parametrize("path", [b"/1/run/artifacts/a%20b%25.bin", b"/a/.hidden/b..c/%C3%A9"])
def test_honest_paths_pass(path: bytes) -> None:
    calls.refuse_traversal(path, b"filter=name%3D%27a%27&path=x/y.z")


def test_json_encoded_twice_reads_the_same() -> None:
    assert calls.read_json(json.dumps(json.dumps({"a": 1})).encode()) == {"a": 1}
    with pytest.raises(MlflowError):
        calls.read_json(b"[1]")
    assert calls.fields({"run_id": "a", "runUuid": "b"}, "run_id", "run_uuid") == ["a", "b"]


def test_metrics_of_a_batch() -> None:
    request = {
        "run_id": "r",
        "metrics": [
            {"key": "loss", "value": 0.5, "timestamp": "17", "step": "3"},
            {"key": "odd", "value": "NaN", "timestamp": 18},
        ],
        "params": [{"key": "lr", "value": "0.1"}],
        "tags": [{"key": "t", "value": "v"}],
    }
    facts = taps.facts_of("POST", "runs/log-batch", request, {})
    assert facts[0] == taps.MetricPoint("r", "loss", 3, 17, 0.5)
    assert isinstance(facts[1], taps.MetricPoint)
    assert math.isnan(facts[1].value)
    assert facts[2:] == [taps.ParamLogged("r", "lr", "0.1"), taps.TagSet("r", "t", "v")]


def test_a_run_ends_only_when_its_status_says_so() -> None:
    info = {"run_id": "r", "status": "FINISHED", "run_name": "n", "experiment_id": "1"}
    ended = taps.facts_of(
        "POST", "runs/update", {"run_id": "r", "status": "FINISHED"}, {"run_info": info}
    )
    renamed = taps.facts_of(
        "POST", "runs/update", {"run_id": "r", "run_name": "n"}, {"run_info": info}
    )
    assert [fact.kind for fact in ended + renamed if isinstance(fact, taps.RunChanged)] == [
        "ended",
        "updated",
    ]


def test_a_version_names_its_model_even_when_mlflow_does_not() -> None:
    response = {"model_version": {"name": "m", "version": "2", "source": "models:/m-abc"}}
    assert taps.facts_of("POST", "model-versions/create", {}, response) == [
        taps.ModelVersionCreated("m", "2", "models:/m-abc", None, "m-abc")
    ]
    assert taps.tells("DELETE", "registered-models/alias")
    assert not taps.tells("GET", "registered-models/alias")


def test_header_hygiene() -> None:
    sent = [
        (b"X_Dlsys-User", b"root"), (b"x-dlsys-proxy", b"s"), (b"Cookie", b"c"), (b"Host", b"evil"),
        (b"Authorization", b"Bearer t"), (b"X_MLFLOW_WORKSPACE", b"w"), (b"Accept", b"*/*"),
    ]  # fmt: skip
    assert headers.to_child(sent) == [(b"Accept", b"*/*")]
    answered = [(b"Set-Cookie", b"s"), (b"Access-Control-Allow-Origin", b"*"), (b"ETag", b"e")]
    assert headers.to_client(answered) == [(b"etag", b"e")]


def test_the_project_cannot_break_out_of_the_page() -> None:
    html = page.with_preferences(b"<html><head></head></html>", "</script><b>")
    assert html.count(b"</script>") == 1


def test_postgresql_gets_a_schema_of_its_own(tmp_path) -> None:
    found = databases(tmp_path, "postgresql+psycopg://u:p@h/db?sslmode=require")
    assert found.tracking == (
        "postgresql+psycopg://u:p@h/db?sslmode=require&options=-csearch_path%3Dmlflow"
    )
    assert databases(tmp_path, "").tracking == f"sqlite:///{tmp_path}/mlflow.db"
