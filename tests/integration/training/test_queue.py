"""The queue of a real platform with two CPU slots: order, reasons, dependencies, forecast."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jupyter_dlsys.client.client import connect
from tests.support.platform import PROJECT, RunningPlatform

pytestmark = pytest.mark.integration
SLEEP = "import time\ntime.sleep(600)\n"


@pytest.fixture
def holding(platform: RunningPlatform):
    """A job that has both CPUs, until it is cancelled."""
    job = platform.submit(SLEEP, "hold.py", resources={"cpus": 2})
    platform.wait_for(job["id"], "running")
    yield job["id"]
    cancel(platform, job["id"])
    platform.wait_for(job["id"])


def cancel(platform: RunningPlatform, *jobs: str) -> None:
    for job in jobs:
        platform.api.post(f"{PROJECT}/jobs/{job}/cancel")


def quick(platform: RunningPlatform, **body) -> str:
    return platform.submit("print(1)", "quick.py", **body)["id"]


def shown(platform: RunningPlatform, job: str):
    """The job once its place in the queue is known."""
    return platform.wait(
        lambda: j if (j := platform.job(job))["queue_position"] else None, "a place"
    )


def doors_show_the_same(platform: RunningPlatform, last: str) -> None:
    """The command line and the SDK."""

    def dlsys(*words: str) -> str:
        command = [str(Path(sys.executable).with_name("dlsys")), *words]
        where = {**os.environ, "DLSYS_HOME": str(platform.home), "COLUMNS": "200"}
        done = subprocess.run(command, env=where, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert json.loads(dlsys("jobs", "queue", "--json"))[2]["job"] == last
    assert "2 ahead of you" in dlsys("jobs", "queue")
    told = dlsys("jobs", "show", last)
    assert "Waiting for 2 free CPUs (2 ahead of you)" in told and "forecast" in told
    with connect(home=platform.home) as client:
        assert [entry.job for entry in client.jobs.queue()][2] == last


def test_the_queue_shows_places_and_reasons_and_starts_in_that_order(platform, holding):
    first, wide, urgent = (
        quick(platform),
        quick(platform, resources={"cpus": 2}),
        quick(platform, priority=9),
    )
    shown(platform, urgent)
    entries = platform.get("/queue")
    assert [e["job"] for e in entries] == [urgent, first, wide]
    assert [e["position"] for e in entries] == [1, 2, 3]
    assert [e["reason"] for e in entries] == [
        "Waiting for a free CPU",
        "Waiting for a free CPU (1 ahead of you)",
        "Waiting for 2 free CPUs (2 ahead of you)",
    ]
    assert all(e["owner"] and e["waiting_seconds"] >= 0 for e in entries)
    assert [e["job"] for e in platform.get("/queue", limit=1)] == [urgent]
    listed = {j["id"]: j for j in platform.get("/jobs")["items"]}
    assert listed[wide]["reason"] == entries[2]["reason"] and listed[wide]["queue_position"] == 3
    doors_show_the_same(platform, wide)
    cancel(platform, holding)
    ended = [platform.wait_for(job) for job in (urgent, first, wide)]
    assert [j["state"] for j in ended] == ["succeeded"] * 3
    assert ended[2]["started_at"] >= max(ended[0]["started_at"], ended[1]["started_at"])
    # the picture of the queue is half a second old at most, more on a busy machine
    platform.wait(lambda: platform.get("/queue") == [], "the queue to be empty", 10)


def test_the_forecast_comes_from_earlier_runs(platform, request):
    platform.wait_for(quick(platform))
    time.sleep(1)  # what is known of few jobs is looked up again after a second
    request.getfixturevalue("holding")
    waiting = quick(platform)
    found = shown(platform, waiting)["forecast"]
    assert found["based_on"] >= 1
    assert 0 < found["runs_for"]["low"] <= found["runs_for"]["likely"] <= found["runs_for"]["high"]
    assert "runs for" in found["words"]
    cancel(platform, waiting)


def test_a_job_waits_for_others_and_is_skipped_when_one_fails(platform):
    first = platform.submit("import time; time.sleep(3)", "first.py")["id"]
    second = quick(platform, after=[first])
    assert shown(platform, second)["reason"] == f"Waiting for first ({first}) to succeed"
    done = platform.wait_for(second)
    assert done["state"] == "succeeded"
    assert done["started_at"] > platform.job(first)["finished_at"]
    bad = platform.submit("1 / 0", "bad.py")["id"]
    chain = [quick(platform, after=[bad])]
    chain.append(quick(platform, after=[chain[0], first]))
    ended = [platform.wait_for(job) for job in chain]
    assert [j["state"] for j in ended] == ["skipped", "skipped"]
    assert ended[0]["reason"] == f"Skipped: bad ({bad}) failed"
    assert ended[1]["reason"] == f"Skipped: quick ({chain[0]}) was skipped"


def test_what_cannot_be_is_refused_at_submission(platform):
    def refused(**body):
        source = {"path": "a.py", "content": "1"}
        answer = platform.api.post(f"{PROJECT}/jobs", json={"source": source, **body})
        assert answer.status_code == 422, answer.text
        return answer.json()

    unknown = refused(after=["01ARZ3NDEKTSV4RRFFQ69G5FAV"])
    assert (
        unknown["code"] == "no-such-upstream" and "01ARZ3NDEKTSV4RRFFQ69G5FAV" in unknown["detail"]
    )
    assert "--cpus 2 would" in refused(resources={"cpus": 8})["detail"]
    assert "--gpu-share" in refused(resources={"gpu_share": 0.5})["detail"]
    assert refused(variables={"DLSYS_URL": "x"})["code"] == "bad-variable"


def test_the_queue_tells_that_it_changed(platform, holding):
    before = platform.get("/jobs")["items"][0]["id"]
    assert before == holding
    waiting = quick(platform)

    wanted = {"topics": "queue", "since": 0}
    with platform.api.stream("GET", "/events", params=wanted, timeout=20) as answer:
        for line in answer.iter_lines():
            if line.startswith("data:"):
                told = json.loads(line.removeprefix("data:"))
                if told["payload"] == {"waiting": 1, "running": 1}:
                    break
    assert (told["topic"], told["subject"]) == ("queue.changed", "queue")
    cancel(platform, waiting)
