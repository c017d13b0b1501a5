"""The same platform on PostgreSQL and S3: the whole lab through the HTTP API."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tests.support import processes
from tests.support.models import ready_made
from tests.support.platform import PROJECT, RunningPlatform, notebook

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.s3, pytest.mark.postgres]

READ = """
import jupyter_dlsys as dlsys, mlflow
data = dlsys.input("data")
table = data.split("train").to_arrow()
mlflow.log_metric("rows", table.num_rows)
print("LABELS", data.labels, sorted(table.column("text").to_pylist()))
"""


@pytest.fixture(scope="module")
def team(session_root: Path, postgres_server, seaweed_server):
    home = Path(tempfile.mkdtemp(prefix="t", dir=session_root))
    with postgres_server.database() as url, seaweed_server.bucket() as bucket:
        running = RunningPlatform(
            home,
            DLSYS_DATABASE_URL=url.replace("postgresql+psycopg://", "postgresql://"),
            **bucket.settings("lab"),
        ).start()
        yield running
        running.stop()
    left = processes.end_leftovers(home)
    assert not left, "the platform left processes behind:\n" + "\n".join(left)


@pytest.fixture(scope="module")
def dataset(team: RunningPlatform):
    team.api.post(f"{PROJECT}/datasets", json={"name": "mood", "kind": "text-classification"})
    upload = team.api.post(f"{PROJECT}/uploads", params={"filename": "a.csv"}).json()["id"]
    rows = "text,label\n" + "".join(f"t{i},{'happy' if i % 2 else 'sad'}\n" for i in range(10))
    team.api.put(f"{PROJECT}/uploads/{upload}", params={"offset": 0}, content=rows.encode())
    answer = team.api.post(
        f"{PROJECT}/datasets/mood/commits", json={"message": "first", "files": [{"upload": upload}]}
    )
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_health_names_both(team):
    parts = {p["name"]: p for p in team.api.get("/health").json()["parts"]}
    assert parts["database"]["message"] == "postgresql" and parts["store"]["state"] == "ok"
    assert not (team.home / "db.sqlite").exists() and not (team.home / "store").exists()


def test_a_job_reads_its_snapshot_through_the_platform(team, dataset):
    job = team.submit(
        notebook(READ),
        inputs={"data": {"dataset": "mood@v1", "split": {"train": 0.8, "test": 0.2}}},
    )
    done = team.wait_for(job["id"])
    assert done["state"] == "succeeded", done["reason"]
    assert done["metrics"] == {"rows": 8.0}
    text = str(team.get(f"/jobs/{job['id']}/events"))
    assert "LABELS ['happy', 'sad']" in text
    secret = team.environment["AWS_SECRET_ACCESS_KEY"]
    assert secret not in text and secret not in str(team.get(f"/jobs/{job['id']}/notebook"))


def test_platform_keys_do_not_reach_a_job(team):
    script = "import os\nprint('KEYS', [k for k in os.environ if k.startswith('AWS_')])\n"
    job = team.wait_for(team.submit(script, "keys.py")["id"])
    assert "KEYS []" in str(team.get(f"/jobs/{job['id']}/events"))


def test_a_model_goes_to_s3_and_answers_from_there(team):
    job = team.submit(ready_made(), "mood.py")
    done = team.wait_for(job["id"])
    assert done["state"] == "succeeded", done["reason"]
    answer = team.api.post(f"{PROJECT}/deployments", json={"model": "mood"})
    assert answer.status_code == 201, answer.text
    team.wait(
        lambda: d if (d := team.get("/deployments/mood"))["state"] == "ready" else None,
        "the endpoint",
        120,
    )
    people = team.api.post(f"{PROJECT}/deployments/mood/predict", json={"inputs": {"text": ["x"]}})
    assert people.status_code == 200, people.text
