"""The audit log of a running platform: what is recorded, before the answer; damage is found."""

from __future__ import annotations

import csv
import sqlite3
from pathlib import Path
from typing import Any

import httpx
import pytest

from dlsys_server.access import tokens
from dlsys_server.core.database import Database
from tests.support.doors import answer, run_cli
from tests.support.platform import RunningPlatform

pytestmark = pytest.mark.integration
DATASETS = "/projects/default/datasets"


def newest(platform: RunningPlatform, **wanted: Any) -> Any:
    """The last row."""
    items = platform.api.get("/audit", params={"limit": 1, **wanted}).json()["items"]
    return items[0] if items else None


def last_seq(platform: RunningPlatform) -> int:
    return int((newest(platform) or {"seq": 0})["seq"])


def job_token(platform: RunningPlatform) -> dict[str, str]:
    """Headers of somebody who may do little."""
    database = Database(f"sqlite:///{platform.home / 'db.sqlite'}")
    with database.write() as session:
        _, secret = tokens.issue(
            session, "job", name="j", owner="ann", project="default", subject="job/J1",
            properties={"run_id": "r"},
        )  # fmt: skip
    database.close()
    return {"Authorization": f"Bearer {secret}"}


def environment_of(platform: RunningPlatform) -> dict[str, str]:
    return {"DLSYS_HOME": str(platform.home), "COLUMNS": "160", "HOME": str(platform.home)}


def test_a_change_is_recorded_with_who_what_and_where(platform: RunningPlatform) -> None:
    made = platform.api.post(
        DATASETS, json={"name": "a", "kind": "generic"}, headers={"X-Request-ID": "my-id"}
    )
    assert made.status_code == 201
    row = newest(platform)
    who = platform.api.get("/whoami").json()["name"]
    assert (row["actor"], row["kind"], row["operation"]) == (who, "user", "datasets.create")
    assert (row["target"], row["project"]) == (DATASETS, "default")
    assert (row["outcome"], row["status"], row["request_id"]) == ("allowed", 201, "my-id")
    assert row["source"] == "local"
    over_tcp = {"Authorization": f"Bearer {platform.secret}"}
    assert httpx.delete(f"{platform.url}/api/v1{DATASETS}/a", headers=over_tcp).status_code == 204
    row = newest(platform)
    assert (row["operation"], row["source"]) == ("datasets.remove", "127.0.0.1")
    assert row["target"] == f"{DATASETS}/a"


def test_reads_and_questions_leave_no_row_but_an_export_does(platform: RunningPlatform) -> None:
    platform.api.post(DATASETS, json={"name": "b", "kind": "generic"})
    before = last_seq(platform)
    platform.api.get(DATASETS)
    cron = {"cron": "0 7 * * *", "timezone": "UTC"}
    assert platform.api.post("/projects/default/schedules/explain", json=cron).status_code == 200
    platform.api.get("/whoami")
    assert last_seq(platform) == before
    platform.api.get(f"{DATASETS}/b/export")
    row = newest(platform)
    assert (row["seq"], row["operation"]) == (before + 1, "datasets.export")


def test_what_fails_and_what_is_refused(platform: RunningPlatform) -> None:
    before = last_seq(platform)
    platform.api.delete(f"{DATASETS}/nobody-knows")
    row = newest(platform)
    assert (row["outcome"], row["status"], row["code"]) == ("failed", 404, "no-such-dataset")
    headers = job_token(platform)
    assert platform.api.get(DATASETS, headers=headers).status_code == 403
    row = newest(platform)
    assert (row["outcome"], row["kind"], row["actor"]) == ("refused", "job", "ann")
    assert (row["code"], row["detail"]) == ("missing-scope", {"job": "J1"})
    assert platform.api.get("/projects/theirs/datasets").status_code == 404
    row = newest(platform)
    assert (row["outcome"], row["project"], row["code"]) == ("refused", "theirs", "no-such-project")
    nobody = {"Authorization": "Bearer wrong"}
    assert platform.api.post(DATASETS, json={}, headers=nobody).status_code == 401
    assert platform.api.get("/audit", headers=headers).status_code == 403
    assert last_seq(platform) == before + 4, "the 401 is no row, the refused look at the log is"


def test_mlflow_writes_and_refusals(platform: RunningPlatform) -> None:
    with httpx.Client(
        transport=httpx.HTTPTransport(uds=str(platform.home / "platform.sock")),
        base_url="http://dlsys/mlflow/api/2.0/mlflow",
        headers={"Authorization": f"Bearer {platform.secret}"},
        timeout=60,
    ) as mlflow:
        before = last_seq(platform)
        assert mlflow.post("experiments/search", json={"max_results": 5}).status_code == 200
        assert last_seq(platform) == before, "a search is a read, whatever its method"
        made = mlflow.post("experiments/create", json={"name": "seen"})
        assert made.status_code == 200, made.text
        row = newest(platform, operation="mlflow.")
        assert row["operation"] == "mlflow.experiments/create"
        assert row["target"] == "/mlflow/api/2.0/mlflow/experiments/create"
        assert (row["outcome"], row["project"], row["detail"]) == ("allowed", "default", {})
        refused = mlflow.post("users/create", json={"username": "x", "password": "y" * 12})
        assert refused.status_code == 403
        row = newest(platform, operation="mlflow.")
        assert (row["operation"], row["outcome"]) == ("mlflow.users/create", "refused")
        theirs = {"X-MLFLOW-WORKSPACE": "theirs"}
        assert mlflow.post("experiments/search", json={}, headers=theirs).status_code == 403
        assert newest(platform)["outcome"] == "refused"


def test_the_command_lists_exports_and_verifies(platform: RunningPlatform, tmp_path: Path) -> None:
    platform.api.post(DATASETS, json={"name": "listed", "kind": "generic"})
    environment = environment_of(platform)
    shown = run_cli(environment, "audit", "list", "--what", "datasets.create").stdout
    assert "datasets.create" in shown and DATASETS in shown and "allowed" in shown
    found = answer(run_cli(environment, "audit", "list", "--text", "/datasets", "--since", "1h",
                           "--outcome", "allowed", "-n", "1", "--json"))  # fmt: skip
    assert isinstance(found, list) and found[0]["outcome"] == "allowed"
    assert run_cli(environment, "audit", "list", "--since", "soon").returncode == 2
    file = tmp_path / "log.csv"
    assert run_cli(environment, "audit", "export", "--to", str(file)).returncode == 0
    with file.open() as lines:
        rows = list(csv.DictReader(lines))
    assert [int(row["seq"]) for row in rows] == list(range(1, len(rows) + 1))
    assert newest(platform)["operation"] == "audit.export"
    done = run_cli(environment, "audit", "verify")
    assert done.returncode == 0 and "none changed, none missing" in done.stdout


def test_a_row_changed_by_sql_is_found(platform: RunningPlatform) -> None:
    platform.api.post(DATASETS, json={"name": "c", "kind": "generic"})
    seq = last_seq(platform)
    with sqlite3.connect(platform.home / "db.sqlite") as database:
        database.execute("UPDATE audit SET actor = 'somebody else' WHERE seq = ?", (seq,))
    done = run_cli(environment_of(platform), "audit", "verify")
    assert done.returncode == 1
    assert f"Row {seq} was changed" in done.stdout
    report = platform.api.get("/audit/verify").json()
    assert not report["ok"] and report["rows"] == seq


@pytest.mark.kill
def test_what_was_acknowledged_is_there_after_kill_9(dlsys_home: Path) -> None:
    platform = RunningPlatform(dlsys_home).start(wait_for_mlflow=False)
    for number in range(3):
        made = platform.api.post(DATASETS, json={"name": f"d{number}", "kind": "generic"})
        assert made.status_code == 201
    platform.kill()
    with sqlite3.connect(dlsys_home / "db.sqlite") as database:
        rows = database.execute("SELECT operation, status FROM audit ORDER BY seq").fetchall()
    assert rows == [("datasets.create", 201)] * 3
    platform.start(wait_for_mlflow=False)
    report = platform.api.get("/audit/verify").json()
    assert (report["ok"], report["last"]) == (True, 3)
    platform.stop()


def test_who_sits_at_anothers_server_is_named_and_gets_no_right_of_it(
    platform: RunningPlatform,
) -> None:
    owner = platform.api.get("/whoami").json()["name"]
    visiting = {"X-Dlsys-Acting": "J%C3%BCrgen"}
    made = platform.api.post(
        DATASETS, json={"name": "visited", "kind": "generic"}, headers=visiting
    )
    assert made.status_code == 201
    row = newest(platform, actor=owner)
    assert (row["actor"], row["behalf_of"], row["operation"]) == (
        "Jürgen",
        owner,
        "datasets.create",
    )
    assert newest(platform, actor="Jürgen")["seq"] == row["seq"]
    platform.api.delete(f"{DATASETS}/visited", headers={"X-Dlsys-Acting": owner})
    row = newest(platform)
    assert (row["actor"], row["behalf_of"]) == (owner, None)
