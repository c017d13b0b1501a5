"""Bad requests are told what is wrong, and where; the model never sees them."""

from __future__ import annotations

import time
from typing import Any

import pytest

from .harness import TOKEN, Gateway, texts, token

pytestmark = pytest.mark.integration


def _tensor(**changes: Any) -> dict[str, Any]:
    tensor = {"name": "image", "datatype": "FP32", "shape": [1, 8, 8], "data": [0.0] * 64}
    return {"inputs": [{**tensor, **changes}]}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (_tensor(name="img"), ["'img'", "unknown", "'image'"]),
        (_tensor(datatype="INT64"), ["'image'", "FP32", "INT64"]),
        (_tensor(shape=[1, 8, 9]), ["'image'", "float32 [n, 8, 8]", "[1, 8, 9]"]),
        (_tensor(data=[0.0] * 63), ["'image'", "64 elements", "63"]),
        (_tensor(data=[0.0] * 63 + ["x"]), ["'image'", "float32", "'x'", "63"]),
        (_tensor(data=[0.0] * 63 + [None]), ["'image'", "null"]),
        (_tensor(data=[True] * 64), ["'image'", "boolean"]),
        (_tensor(shape=[0, 8, 8], data=[]), ["'image'", "at least one row"]),
        ({"inputs": []}, ["inputs"]),
        ({}, ["inputs"]),
        ({**_tensor(), "outputs": [{"name": "score"}]}, ["'score'", "'probabilities'"]),
    ],
)
def test_v2_says_which_field(serving: Gateway, content: Any, words: list[str]) -> None:
    answer = serving.post("/v2/models/digits/infer", content)
    assert answer.status_code == 400
    assert set(answer.json()) == {"error"}
    assert all(word in answer.json()["error"] for word in words), answer.text


@pytest.mark.parametrize(
    ("name", "content", "field", "words"),
    [
        ("angry", {"instances": ["a", 5]}, "text", ["string", "integer 5", "row 1"]),
        ("angry", {"instances": [{"txt": "a"}]}, "text", ["missing", "'txt'"]),
        ("angry", {"instances": [{"text": "a", "b": 1}]}, "b", ["unknown"]),
        ("angry", {"instances": []}, "instances", ["empty"]),
        ("angry", {"inputs": "a"}, "inputs", ["array"]),
        ("adder", {"inputs": {"x": [[1, 2]], "k": [1.5]}}, "k", ["int64", "number 1.5"]),
        ("adder", {"inputs": {"x": [[1, 2]], "k": [1, 2]}}, "k", ["2 rows"]),
        ("adder", {"inputs": {"x": [[1, 2]], "k": [2**63]}}, "k", ["range"]),
        ("adder", {"inputs": {"x": [[1, 2, 3]], "k": [1]}}, "x", ["[n, 2]", "[1, 3]"]),
        ("adder", {"inputs": {"x": [[1, 2], [3]], "k": [1, 2]}}, "x", ["ragged"]),
        ("adder", {"inputs": {"x": [[1, 2]]}}, "k", ["missing", "int64 [n]"]),
        ("digits", {"instances": [[[0] * 8] * 7]}, "image", ["[n, 8, 8]", "[1, 7, 8]"]),
    ],
)
def test_invocations_say_which_field(
    serving: Gateway, name: str, content: Any, field: str, words: list[str]
) -> None:
    answer = serving.post(f"/deployments/{name}/invocations", content)
    assert answer.status_code == 400
    assert answer.json()["field"] == field
    assert all(word in answer.json()["detail"] for word in words), answer.text


def test_malformed_json_large_bodies_and_wrong_methods(serving: Gateway) -> None:
    path = "/v2/models/angry/infer"
    with serving.client() as client:
        assert client.post(path, content=b'{"inputs": NaN}').status_code == 400
        assert client.post(path, content=b"[1]").status_code == 400
        assert client.post(path, content=b"x" * (17 << 20)).status_code == 413
        assert client.get(path).status_code == 405
        assert client.post("/v2/models/nothing/infer", json=texts("a")).status_code == 404
        assert client.post("/v2/models/angry/versions/9/infer", json=texts("a")).status_code == 404
        assert client.get("/elsewhere").status_code == 404


def test_a_bad_request_does_not_disturb_the_model(serving: Gateway) -> None:
    before = serving.status("angry")
    serving.post("/invocations", {"instances": [1]}, **{"x-dlsys-deployment": "angry"})
    after = serving.status("angry")
    assert after["pid"] == before["pid"]
    assert after["errors"] == before["errors"]


def test_invocations_ask_which_deployment(serving: Gateway) -> None:
    answer = serving.post("/invocations", {"instances": ["a"]})
    assert answer.status_code == 400
    assert answer.json()["field"] == "x-dlsys-deployment"
    assert "angry" in answer.json()["detail"]


def test_what_a_token_opens(serving: Gateway) -> None:
    serving.tokens = {
        TOKEN: token(),
        "one": token(["angry"]),
        "other": token("*", project="elsewhere"),
        "old": token(expires_at=time.time() - 1),
    }
    serving.apply()

    def call(secret: str, name: str = "angry") -> int:
        auth = {"authorization": f"Bearer {secret}"}
        return serving.post(f"/v2/models/{name}/infer", texts("a"), **auth).status_code

    assert call("one") == 200
    assert call("one", "digits") == 403
    assert call("one", "nothing") == 403
    assert call("other") == call("other", "nothing") == 404
    assert call("old") == 401
    assert call("unknown") == 401
    only = serving.post("/invocations", {"instances": ["a"]}, authorization="Bearer one")
    assert only.json()["predictions"][0]["label"] == "angry"
    with serving.client(authorization="Bearer one") as client:
        assert [m["name"] for m in client.post("/v2/repository/index").json()] == ["angry"]
    serving.tokens = {TOKEN: token()}
    serving.apply()
    assert call("one") == 401
