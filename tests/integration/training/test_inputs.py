"""Data in a job: bound by name, there as plain files, known to the lineage."""

from __future__ import annotations

import json

import pytest

from tests.support.platform import PROJECT, RunningPlatform, notebook

pytestmark = pytest.mark.integration

ROWS = "text,label\n" + "".join(f"t{i},{'happy' if i % 3 else 'sad'}\n" for i in range(30))
PLAIN = """
import json, os, pathlib, sys
import pyarrow.parquet as parquet
folder = pathlib.Path(os.environ["DLSYS_INPUT_MY_DATA"])
about = json.loads((folder / "snapshot.json").read_text())
rows = {f.name: parquet.read_table(f).num_rows for f in sorted(folder.glob("*.parquet"))}
print("FOUND", json.dumps(rows), about["labels"], "jupyter_dlsys" in sys.modules)
"""
READER = """
import jupyter_dlsys as dlsys
data = dlsys.input("data")
print("READ", len(data), data.labels, data.to_pandas()["label"].value_counts().to_dict())
"""


@pytest.fixture(scope="module")
def mood(platform: RunningPlatform) -> str:
    platform.api.post(f"{PROJECT}/datasets", json={"name": "mood", "kind": "text-classification"})
    upload = platform.api.post(f"{PROJECT}/uploads", params={"filename": "a.csv"}).json()["id"]
    platform.api.put(f"{PROJECT}/uploads/{upload}", params={"offset": 0}, content=ROWS.encode())
    answer = platform.api.post(
        f"{PROJECT}/datasets/mood/commits",
        json={"message": "first", "files": [{"upload": upload}], "tags": {"source": "web"}},
    )
    assert answer.status_code == 201, answer.text
    return "mood"


def text_of(platform: RunningPlatform, job: dict) -> str:
    events = platform.get(f"/jobs/{job['id']}/events")
    return json.dumps([e["payload"] for e in events if e["topic"] in ("job.output", "job.log")])


def test_without_our_package_the_snapshot_is_a_folder_of_parquet_files(platform, mood):
    inputs = {"my_data": {"dataset": "mood@v1", "split": {"train": 0.8, "test": 0.2}}}
    job = platform.wait_for(platform.submit(PLAIN, "plain.py", inputs=inputs)["id"])
    assert job["state"] == "succeeded", job["reason"]
    found = text_of(platform, job).replace('\\"', '"').replace('\\\\"', '"')
    assert '"test-00000.parquet": 6' in found and '"train-00000.parquet": 24' in found
    assert "['happy', 'sad'] False" in found


def test_with_it_the_reader_has_labels_and_only_the_rows_asked_for(platform, mood):
    inputs = {"data": {"dataset": "mood", "where": "label == 'sad'", "tags": {"source": "web"}}}
    job = platform.wait_for(platform.submit(notebook(READER), inputs=inputs)["id"])
    assert job["state"] == "succeeded", job["reason"]
    assert "READ 10 ['happy', 'sad'] {'sad': 10}" in text_of(platform, job)
    assert job["inputs"]["data"]["version"] == 1
    graph = platform.get("/lineage", ref=f"job/{job['id']}", direction="up")
    names = {node["type"]: node["name"] for node in graph["nodes"]}
    assert names["dataset_version"] == "mood@v1"
    assert names["snapshot"] == job["inputs"]["data"]["snapshot"]


def test_what_a_job_was_trained_on_stays_when_the_dataset_goes_on(platform, mood):
    asked = {"split": {"train": 0.5, "test": 0.5}, "seed": 3}
    first = platform.api.post(f"{PROJECT}/datasets/mood/snapshots", json={"ref": "v1", **asked})
    platform.api.post(
        f"{PROJECT}/datasets/mood/commits",
        json={"message": "less", "operation": "delete", "where": "label == 'happy'"},
    )
    again = platform.api.post(f"{PROJECT}/datasets/mood/snapshots", json={"ref": "v1", **asked})
    newest = platform.api.post(f"{PROJECT}/datasets/mood/snapshots", json=asked)
    assert first.json()["hash"] == again.json()["hash"] != newest.json()["hash"]
    assert newest.json()["rows"] == 10


def test_a_dataset_that_is_not_there_is_named_before_anything_runs(platform, mood):
    answer = platform.api.post(
        f"{PROJECT}/jobs",
        json={
            "source": {"path": "a.py", "content": "1"},
            "inputs": {"data": {"dataset": "mood@v99"}},
        },
    )
    assert answer.status_code == 404 and "mood" in answer.json()["detail"]
