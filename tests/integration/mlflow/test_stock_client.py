"""The unmodified MLflow client through our proxy, as a job runs it."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import httpx

from .conftest import Host

JOB = """
import os, tempfile, hashlib, mlflow, torch
mlflow.log_param("lr", 0.1)
mlflow.log_metric("loss", 1.5, step=1)
mlflow.log_metrics({"acc": 0.5, "odd": float("nan")}, step=2)
run = mlflow.active_run().info
file = os.path.join(tempfile.mkdtemp(), "a b%.bin")
open(file, "wb").write(os.urandom(300_000))
mlflow.log_artifact(file, "files")
back = mlflow.artifacts.download_artifacts(run_id=run.run_id, artifact_path="files/a b%.bin")
assert open(file, "rb").read() == open(back, "rb").read()
net = torch.nn.Sequential(torch.nn.Linear(4, 2)).eval()
info = mlflow.pytorch.log_model(
    net, name="net", input_example=torch.zeros(2, 4).numpy(), registered_model_name="intent",
    pip_requirements=["torch"],
)
assert len(mlflow.search_runs(experiment_names=["intents"])) >= 1
mlflow.end_run()
with mlflow.start_run() as second:
    mlflow.log_metric("second", 3.0)
mlflow.set_tracking_uri(os.environ["MLFLOW_TRACKING_URI"])
print("RESULT", info.model_id, info.registered_model_version, second.info.run_id)
"""


def test_a_job_logs_registers_and_is_followed(host: Host, tmp_path: Path) -> None:
    run_id = host.new_run("job-story")
    out = host.program(
        JOB,
        f"job:{run_id}",
        MLFLOW_WORKSPACE="ws-a",
        MLFLOW_RUN_ID=run_id,
        MLFLOW_EXPERIMENT_NAME="intents",
    )
    line = next(row for row in out.splitlines() if row.startswith("RESULT"))
    _, model_id, version, second = line.split()

    run = host.run(run_id)
    assert run["info"]["status"] == "FINISHED"
    assert {m["key"] for m in run["data"]["metrics"]} >= {"loss", "acc", "odd"}
    tags = {tag["key"]: tag["value"] for tag in host.run(second)["data"]["tags"]}
    assert tags["mlflow.parentRunId"] == run_id, "a further run of a job belongs to the job's run"

    heard = [json.loads(row) for row in (host.folder / "facts.jsonl").read_text().splitlines()]
    mine = [fact for fact in heard if fact.get("run_id") == run_id]
    assert {"run_id": run_id, "key": "loss", "step": 1, "value": 1.5}.items() <= next(
        fact for fact in mine if fact.get("key") == "loss"
    ).items()
    registered = next(fact for fact in mine if fact["fact"] == "ModelVersionCreated")
    assert (registered["name"], registered["version"]) == ("intent", version)
    assert registered["model_id"] == model_id
    assert any(fact["fact"] == "RunChanged" and fact["kind"] == "ended" for fact in mine)

    files = _download(host, "intent", version, tmp_path / "intent" / version)
    assert "MLmodel" in files
    assert "data/model.pt2" in files
    assert (tmp_path / "intent" / version / "data" / "model.pt2").stat().st_size > 1000
    assert [p.name for p in (tmp_path / "intent").iterdir()] == [version], "no half folder is left"


def _download(host: Host, name: str, version: str, target: Path) -> list[str]:
    asked = {"project": "ws-a", "name": name, "version": version, "target": str(target)}
    answer = httpx.post(f"{host.url}/download", params=asked, timeout=60)
    assert answer.status_code == 200, answer.text
    files: list[str] = answer.json()["files"]
    return files


def test_a_person_works_alone_without_settings(host: Host) -> None:
    """Embedded: the OS user in the project "default" sets nothing but the address and the token."""
    program = """
import mlflow
from mlflow import MlflowClient
with mlflow.start_run() as run:
    mlflow.log_metric("m", 1)
mlflow.set_experiment("mine")
with mlflow.start_run(): mlflow.log_text("hello", "a.txt")
client = MlflowClient()
client.create_registered_model("solo")
version = client.create_model_version("solo", run.info.artifact_uri, run.info.run_id)
client.set_registered_model_alias("solo", "champion", version.version)
assert client.get_model_version_by_alias("solo", "champion").version == version.version
client.delete_registered_model_alias("solo", "champion")
client.delete_run(run.info.run_id)
client.delete_experiment(mlflow.get_experiment_by_name("mine").experiment_id)
client.delete_registered_model("solo")
print("RESULT fine")
"""
    assert "RESULT fine" in host.program(program, "root")
    facts = [json.loads(row) for row in (host.folder / "facts.jsonl").read_text().splitlines()]
    aliases = [fact["version"] for fact in facts if fact["fact"] == "AliasChanged"]
    assert aliases[-2:] == ["1", None] or aliases[-2:] == [1, None]


def test_a_large_file_passes_both_ways_without_being_kept_in_memory(host: Host) -> None:
    run = host.run(host.new_run("large"))
    path = "api/2.0/mlflow-artifacts/artifacts/" + run["info"]["artifact_uri"].removeprefix(
        "mlflow-artifacts:/"
    )
    block = os.urandom(2**20)
    before = _memory(host.process.pid)

    def blocks() -> Any:
        for _ in range(200):
            yield block

    sent = host.call("alice", "PUT", f"{path}/large.bin", content=blocks())
    assert sent.status_code == 200, sent.text
    received = hashlib.sha256()
    with httpx.stream(
        "GET", f"{host.url}/mlflow/{path}/large.bin", headers={"authorization": "Bearer alice"}
    ) as answer:
        assert answer.status_code == 200
        for chunk in answer.iter_bytes():
            received.update(chunk)
    assert received.digest() == hashlib.sha256(block * 200).digest()
    assert _memory(host.process.pid) - before < 100, "200 MB were kept in memory"


def _memory(pid: int) -> int:
    """Highest resident memory so far, MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(row for row in status.splitlines() if row.startswith("VmHWM"))
    return int(line.split()[1]) // 1024
