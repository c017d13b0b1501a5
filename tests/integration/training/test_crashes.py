"""What survives kill -9."""

from __future__ import annotations

import json
import os
import signal
import tempfile
from pathlib import Path

import pytest

from tests.support import processes
from tests.support.platform import PROJECT, RunningPlatform, notebook

pytestmark = [pytest.mark.integration, pytest.mark.kill]

COUNTING = """
import os, time, mlflow
with open(marker, "a") as out:
    out.write("ran\\n")
for step in range(30):
    mlflow.log_metric("step", step, step=step)
    time.sleep(0.3)
"""


@pytest.fixture(scope="module")
def fragile(session_root: Path):
    home = Path(tempfile.mkdtemp(prefix="k", dir=session_root))
    running = RunningPlatform(home).start()
    yield running
    running.stop()
    left = processes.end_leftovers(home)
    assert not left, "the platform left processes behind:\n" + "\n".join(left)


def test_a_job_outlives_the_platform_and_is_finished_by_the_next(fragile, tmp_path):
    marker = tmp_path / "marker"
    job = fragile.submit(
        notebook(COUNTING, parameters="marker = ''"), parameters={"marker": str(marker)}
    )
    fragile.wait(lambda: fragile.job(job["id"])["metrics"].get("step", 0) > 2, "some steps")
    url = fragile.url
    fragile.kill()
    fragile.start()
    assert fragile.url == url, "the job could not find the platform again"
    done = fragile.wait_for(job["id"])
    assert done["state"] == "succeeded", done["reason"]
    assert done["attempt"] == 1 and marker.read_text() == "ran\n"
    events = fragile.get(f"/jobs/{job['id']}/events", limit=5000)
    steps = [e["payload"]["step"] for e in events if e["topic"] == "job.metric"]
    assert steps == sorted(set(steps)) and steps[-1] == 29
    cells = [e["payload"] for e in events if e["topic"] == "job.cell"]
    assert [(c["index"], c["phase"]) for c in cells] == [
        (i, phase) for i in range(3) for phase in ("start", "end")
    ]


def test_a_killed_supervisor_makes_the_job_lost_and_leaves_no_process(fragile):
    cell = "import time\nprint('up', flush=True)\ntime.sleep(600)"
    job = fragile.submit(notebook(cell), retries=0)
    fragile.wait(
        lambda: "up" in json.dumps(fragile.get(f"/jobs/{job['id']}/events")), "the cell to run"
    )
    pid = int((fragile.home / "attempts" / job["id"] / "1" / "pid").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)
    done = fragile.wait_for(job["id"], seconds=40)
    assert (done["state"], done["exit_reason"]) == ("lost", "lost")
    assert done["reason"]


def test_shutdown_refuses_while_a_job_runs_unless_told(fragile):
    job = fragile.submit(notebook("import time\ntime.sleep(600)"))
    fragile.wait_for(job["id"], "running")
    answer = fragile.api.post("/shutdown")
    assert answer.status_code == 409 and answer.json()["code"] == "jobs-running"
    assert fragile.job(job["id"])["state"] == "running"
    fragile.api.post(f"{PROJECT}/jobs/{job['id']}/cancel")
    fragile.wait_for(job["id"])
    assert fragile.api.post("/shutdown").status_code == 202
    fragile.process.wait(30)
    fragile.start(wait_for_mlflow=False)


def test_only_one_platform_on_a_data_folder(fragile):
    second = RunningPlatform(fragile.home)
    import subprocess
    import sys

    code = subprocess.run(
        [sys.executable, "-m", "dlsys_server", "--home", str(second.home)],
        capture_output=True,
        timeout=60,
    )
    assert code.returncode == 17
    assert b"another platform runs" in code.stderr
    assert fragile.api.get("/whoami").status_code == 200
