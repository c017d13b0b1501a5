"""Jobs in `make hub`: they run in the server of who submitted them, which stays up meanwhile."""

from __future__ import annotations

import time
from typing import Any

import httpx
import psutil
import pytest

from tests.support.hub import RunningHub

pytestmark = [pytest.mark.integration, pytest.mark.slow]
ENTER, SUBMIT = "access:services!service=dlsys", "custom:dlsys:submit"
JOBS = "/projects/vision/jobs"
SOURCE = (
    "import os, time\nprint('private', [k for k in os.environ if k.startswith('JUPYTERHUB')])\n"
    "print('up', flush=True)\ntime.sleep(float(os.environ.get('SLEEP', 0)))"
)


@pytest.fixture(scope="module")
def anns(hub: RunningHub) -> str:
    """Token of ann's server, which runs."""
    return hub.spawn("ann")["ann"]["JUPYTERHUB_API_TOKEN"]


def submit(api: httpx.Client, **variables: str) -> str:
    body = {"source": {"path": "a.py", "content": SOURCE}, "variables": variables}
    answer = api.post(JOBS, json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def until(api: httpx.Client, job: str, *states: str) -> Any:
    end = time.monotonic() + 120
    while (found := api.get(f"{JOBS}/{job}").json())["state"] not in states:
        assert time.monotonic() < end, found
        time.sleep(0.2)
    return found


def processes_of(hub: RunningHub, user: str, program: str) -> list[psutil.Process]:
    """Processes below the server of a user."""
    found = []
    for process in psutil.Process(hub.process.pid).children(recursive=True):
        try:
            mine = str(hub.state / "homes" / user) in process.environ().get("HOME", "")
            if mine and program in " ".join(process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_a_persons_job_runs_in_their_server(hub: RunningHub, anns: str) -> None:
    with hub.dlsys(anns) as api:
        job = submit(api, SLEEP="6")
        until(api, job, "running", "failed")
        end = time.monotonic() + 5  # a process has its name a moment after it is there
        while not processes_of(hub, "ann", "runtime.runner"):
            assert time.monotonic() < end, "there is no runner below ann's server"
            time.sleep(0.1)
        assert not processes_of(hub, "vic", "runtime.runner")
        done = until(api, job, "succeeded", "failed", "lost")
        assert done["state"] == "succeeded", done["reason"]
        said = api.get(f"{JOBS}/{job}/log").text
        assert "private []" in said
        [worker] = api.get("/workers").json()
        assert worker["isolation"]["launcher"] == "agent"


def test_a_job_waits_for_a_server_that_does_not_run(hub: RunningHub) -> None:
    token = hub.token("pat", ENTER, SUBMIT)
    with hub.dlsys(token) as api:
        project = api.get("/whoami").json()["project"]
        body = {"source": {"path": "a.py", "content": "print(1)"}}
        job = api.post(f"/projects/{project}/jobs", json=body).json()
        path = f"/projects/{project}/jobs/{job['id']}"
        end = time.monotonic() + 20
        while "server of pat" not in (reason := api.get(path).json()["reason"]):
            assert time.monotonic() < end, reason
            time.sleep(0.2)
        assert api.post(f"{path}/cancel").json()["state"] == "cancelled"


def test_who_may_not_submit_is_no_agent(hub: RunningHub) -> None:
    with hub.dlsys(hub.token("vic", ENTER, "custom:dlsys:read")) as api:
        poll = api.post(f"/agents/{'0' * 32}/poll", json={"wait_seconds": 0})
        assert poll.status_code == 403, poll.text
