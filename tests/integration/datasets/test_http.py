"""The dataset routes of a running platform, as any HTTP client sees them."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pyarrow as pa
import pytest

from jupyter_dlsys.client.readers import SnapshotReader
from jupyter_dlsys.client.snapshots import materialize
from tests.support.platform import PROJECT, RunningPlatform

pytestmark = pytest.mark.integration
CSV = b"text,label\nhello,happy\noh no,sad\nwhat,angry\n"


@pytest.fixture(scope="module")
def running(session_root: Path) -> Iterator[RunningPlatform]:
    """A platform that need not have its MLflow ready."""
    platform = RunningPlatform(Path(tempfile.mkdtemp(prefix="d", dir=session_root)))
    platform.start(wait_for_mlflow=False)
    yield platform
    platform.stop()


@pytest.fixture(scope="module")
def api(running: RunningPlatform) -> httpx.Client:
    body = {"name": "tweets", "kind": "text-classification"}
    assert running.api.post(f"{PROJECT}/datasets", json=body).status_code == 201
    return running.api


def upload(api: httpx.Client, data: bytes, filename: str = "a.csv") -> str:
    made = api.post(f"{PROJECT}/uploads", params={"filename": filename}).json()
    half = len(data) // 2
    path = f"{PROJECT}/uploads/{made['id']}"
    assert api.put(path, params={"offset": 0}, content=data[:half]).json()["offset"] == half
    wrong = api.put(path, params={"offset": 0}, content=data)
    assert (wrong.status_code, wrong.json()["code"]) == (409, "wrong-offset")
    sent = api.put(path, params={"offset": half}, content=data[half:])
    assert sent.json()["offset"] == len(data)
    return str(made["id"])


def test_the_way_of_data_over_http(
    running: RunningPlatform, api: httpx.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {"message": "first", "files": [{"upload": upload(api, CSV)}]}
    key = {"Idempotency-Key": "once"}
    commits = f"{PROJECT}/datasets/tweets/commits"
    made = api.post(commits, json=body, headers=key)
    assert made.status_code == 201, made.text
    assert api.post(commits, json=body, headers=key).json() == made.json()
    assert api.get(f"{commits}/latest").json()["labels"] == ["angry", "happy", "sad"]
    rows = api.get(f"{PROJECT}/datasets/tweets/rows", params={"where": "len(text) > 4"}).json()
    assert [r["text"] for r in rows["rows"]] == ["hello", "oh no"]
    exported = api.get(f"{PROJECT}/datasets/tweets/export").content
    assert pa.ipc.open_stream(exported).read_all().num_rows == 3
    split = {"split": {"train": 0.67, "test": 0.33}}
    snapshot = api.post(f"{PROJECT}/datasets/tweets/snapshots", json=split).json()
    assert api.get(f"{PROJECT}/snapshots/{snapshot['hash']}").json() == snapshot
    sha256 = snapshot["splits"][0]["chunks"][0]["sha256"]
    answer = api.get(f"{PROJECT}/chunks/{sha256}")
    assert hashlib.sha256(answer.content).hexdigest() == sha256
    assert int(answer.headers["content-length"]) == len(answer.content)
    monkeypatch.setenv("DLSYS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("DLSYS_URL", running.url)
    monkeypatch.setenv("DLSYS_TOKEN", running.secret)
    materialize({**snapshot, "local_root": None}, tmp_path / "in")
    assert len(SnapshotReader.from_folder(tmp_path / "in").to_pandas()) == 3


def test_problems_name_row_and_column(api: httpx.Client) -> None:
    body = {"files": [{"upload": upload(api, b"text,label\nfine,happy\n,sad\n")}]}
    answer = api.post(f"{PROJECT}/datasets/tweets/commits", json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == "schema-mismatch"
    assert (problem["errors"][0]["row"], problem["errors"][0]["column"]) == (2, "text")


def test_a_hash_is_no_key(running: RunningPlatform, api: httpx.Client) -> None:
    found = api.get(f"{PROJECT}/chunks/{'0' * 64}")
    assert (found.status_code, found.json()["code"]) == (404, "no-such-chunk")
    bare = httpx.get(f"{running.url}/api/v1{PROJECT}/chunks/{'0' * 64}")
    assert bare.status_code == 401
