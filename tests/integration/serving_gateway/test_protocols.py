"""What clients of the three protocols get, from real models."""

from __future__ import annotations

import gzip
import json
import struct
from typing import Any

import numpy as np
import pytest

from .harness import AUTH, Gateway, output, texts
from .models import LABELS

pytestmark = pytest.mark.integration
IMAGE = [[[float(row * 8 + column) for column in range(8)] for row in range(8)]]


def test_text_in_label_and_probabilities_out(serving: Gateway) -> None:
    answer = serving.post("/v2/models/angry/infer", {**texts("hi", "é" * 99, ""), "id": "mine"})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["model_name"], body["model_version"], body["id"]) == ("angry", "1", "mine")
    assert answer.headers["x-dlsys-version"] == "1"
    assert output(answer, "label") == ["angry"] * 3
    probabilities = np.array(output(answer, "probabilities")).reshape(3, len(LABELS))
    assert np.allclose(probabilities.sum(1), 1)
    assert body["outputs"][1]["shape"] == [3, 3]


def test_logits_become_probabilities(serving: Gateway) -> None:
    content = {"instances": [{"image": IMAGE[0]}, {"image": np.zeros((8, 8)).tolist()}]}
    rows = serving.post("/v1/models/digits:predict", content).json()["predictions"]
    assert rows[0]["label"] == "d"
    assert rows[1]["probabilities"] == [0.25] * 4


def test_more_rows_than_a_batch(serving: Gateway) -> None:
    content = {"inputs": {"x": [[i, 0] for i in range(100)], "k": [1] * 100}}
    answer = serving.post("/deployments/adder/invocations", content)
    assert answer.json()["predictions"] == [i + 1 for i in range(100)]


def test_a_graph_of_one_row_still_serves_many(serving: Gateway) -> None:
    answer = serving.post("/v2/models/frozen/infer", _numbers([[1, 2, 3]] * 5))
    assert output(answer, "output") == [2, 4, 6] * 5
    assert "no batching" in serving.status("frozen")["notes"][0]


def test_two_inputs_of_two_types(serving: Gateway) -> None:
    content = {"dataframe_split": {"columns": ["k", "x"], "data": [[10, [1, 2]], [20, [3, 4]]]}}
    answer = serving.post("/deployments/adder/invocations", content)
    assert answer.json()["predictions"] == [13, 27]


@pytest.mark.parametrize(
    "content",
    [
        {"inputs": {"text": ["a", "b"]}},
        {"inputs": ["a", "b"]},
        {"instances": ["a", "b"]},
        {"instances": [{"text": "a"}, {"text": "b"}]},
        {"dataframe_records": [{"text": "a"}, {"text": "b"}]},
        {"dataframe_split": {"columns": ["text"], "data": [["a"], ["b"]]}},
    ],
)
def test_the_forms_of_mlflow(serving: Gateway, content: Any) -> None:
    answer = serving.post("/invocations", content, **{"x-dlsys-deployment": "angry"})
    assert [row["label"] for row in answer.json()["predictions"]] == ["angry", "angry"]
    assert answer.headers["x-dlsys-version"] == "1"


def test_binary_tensors_in_and_out(serving: Gateway) -> None:
    raw = np.array([[1, 2, 3], [4, 5, 6]], "<f4").tobytes()
    head = {
        "inputs": [
            {
                "name": "input",
                "datatype": "FP32",
                "shape": [2, 3],
                "parameters": {"binary_data_size": len(raw)},
            }
        ],
        "outputs": [{"name": "output", "parameters": {"binary_data": True}}],
    }
    encoded = json.dumps(head).encode()
    with serving.client(**{"inference-header-content-length": str(len(encoded))}) as client:
        answer = client.post("/v2/models/frozen/infer", content=encoded + raw)
    size = int(answer.headers["inference-header-content-length"])
    assert np.frombuffer(answer.content[size:], "<f4").tolist() == [2, 4, 6, 8, 10, 12]


def test_binary_strings_and_gzip(serving: Gateway) -> None:
    raw = b"".join(struct.pack("<I", len(t)) + t for t in (b"abc", "é".encode()))
    tensor = {
        "name": "text",
        "datatype": "BYTES",
        "shape": [2],
        "parameters": {"binary_data_size": len(raw)},
    }
    encoded = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    headers = {"inference-header-content-length": str(len(encoded)), "content-encoding": "gzip"}
    with serving.client(**headers) as client:
        answer = client.post("/v2/models/angry/infer", content=gzip.compress(encoded + raw))
    size = int(answer.headers["inference-header-content-length"])
    assert answer.content[size : size + 9] == struct.pack("<I", 5) + b"angry"


def test_metadata_index_and_health(serving: Gateway) -> None:
    with serving.client() as client:
        described = client.get("/v2/models/digits/versions/1").json()
        assert described["inputs"] == [{"name": "image", "datatype": "FP32", "shape": [-1, 8, 8]}]
        assert [o["name"] for o in described["outputs"]] == ["label", "probabilities"]
        listed = client.post("/v2/repository/index").json()
        assert {m["name"]: m["state"] for m in listed}["angry"] == "READY"
        assert client.get("/v2/health/ready").status_code == 200
        assert client.get("/v2/models/angry/ready").status_code == 200
        assert client.get("/").json() == {"status": "alive"}
        assert client.get("/v1/models/angry").json() == {"name": "angry", "ready": True}
        assert client.get("/v2").json()["name"] == "jupyter-dlsys"
        assert client.get("/version").text == "3.17.2" or client.get("/version").text


def test_request_id_is_taken_when_sane(serving: Gateway) -> None:
    mine = serving.post("/v2/models/angry/infer", texts("a"), **{"x-request-id": "abc-1"})
    assert mine.headers["x-request-id"] == mine.json()["id"] == "abc-1"
    odd = serving.post("/v2/models/angry/infer", texts("a"), **{"x-request-id": "a b<script>"})
    assert odd.headers["x-request-id"] not in ("", "a b<script>")
    assert odd.headers["x-request-id"] == odd.json()["id"]


def test_metrics_and_status_count(serving: Gateway) -> None:
    before = serving.status("digits")["requests"]
    serving.post("/v1/models/digits:predict", {"instances": IMAGE})
    status = serving.status("digits")
    assert status["requests"] == before + 1
    assert status["p50_ms"] > 0
    assert status["requests_per_second"] > 0
    with serving.client() as client:
        text = client.get("/metrics").text
    assert 'dlsys_requests_total{deployment="digits",project="lab",status="200"}' in text


def test_only_probes_are_open(serving: Gateway) -> None:
    with serving.client() as client:
        del client.headers["authorization"]
        for path in ("/ping", "/health", "/v2/health/live"):
            assert client.get(path).status_code == 200
        for path in ("/v2", "/metrics", "/v2/health/ready", "/v2/models/angry", "/version", "/"):
            assert client.get(path).status_code == 401
        wrong = client.get("/v2", headers={"authorization": AUTH["authorization"] + "x"})
        assert wrong.status_code == 401
        assert "not known" in wrong.json()["error"]


def _numbers(rows: list[list[float]]) -> dict[str, Any]:
    flat = [value for row in rows for value in row]
    tensor = {"name": "input", "datatype": "FP32", "shape": [len(rows), 3], "data": flat}
    return {"inputs": [tensor]}
