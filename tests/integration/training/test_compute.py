"""What jobs use, through the HTTP API, the SDK and the command, on a real platform."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_dlsys.client.client import connect
from tests.support.doors import run_cli
from tests.support.platform import RunningPlatform, notebook

pytestmark = pytest.mark.integration

BURN = (
    "import time\n"
    "held = bytearray(200 * 2**20)\n"
    "end = time.process_time() + 6\n"
    "while time.process_time() < end: pass\n"
)
SLEEP = "import time\ntime.sleep(7)"


@pytest.fixture(scope="module")
def pair(platform: RunningPlatform) -> tuple[Any, Any, Any]:
    """A busy job and an idle one, side by side: both, ended, and the machine meanwhile."""
    idle = platform.submit(notebook(SLEEP), resources={"cpus": 1, "memory_bytes": 2**30})
    busy = platform.submit(notebook(BURN))
    platform.wait(
        lambda: len(platform.get(f"/jobs/{busy['id']}/usage")["points"]) >= 3,
        "the busy job to be seen",
    )
    [worker] = platform.api.get("/workers").json()
    return platform.wait_for(busy["id"]), platform.wait_for(idle["id"]), worker


def usage(platform: RunningPlatform, job: Any) -> Any:
    assert job["state"] == "succeeded", job["reason"]
    return platform.get(f"/jobs/{job['id']}/usage")


def test_a_busy_job_shows_its_cpu_time_and_memory(platform, pair):
    found = usage(platform, pair[0])
    assert 5 < found["cpu_seconds"] < 14
    assert 200e6 < found["peak_memory_bytes"] < 700e6
    times = [p["at"] for p in found["points"]]
    assert times == sorted(times)
    assert found["points"][0]["processes"] == 0
    assert found["points"][-1]["gpu_utilization"] is None


def test_a_job_beside_it_is_kept_apart(platform, pair):
    busy, idle = usage(platform, pair[0]), usage(platform, pair[1])
    assert idle["cpu_seconds"] < busy["cpu_seconds"] - 3  # of the six that it burns; both start
    assert idle["peak_memory_bytes"] < busy["peak_memory_bytes"] - 80e6  # of 200 MB
    assert min(p["cpus"] for p in idle["points"][1:]) < 0.2  # the last one may see its end


def test_the_machine_shows_its_slots_and_its_load(pair):
    worker = pair[2]
    assert worker["cpus_used"] == 2
    assert worker["memory_bytes_used"] == 2**30
    assert {pair[0]["id"], pair[1]["id"]} <= set(worker["jobs"])
    assert worker["cpu_load"] > 0.2
    assert worker["memory_bytes_load"] > 100e6


def test_sdk_and_command_show_it(platform, pair, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    with connect(home=platform.home) as client:
        found = client.jobs.usage(pair[0]["id"])
        assert [curve.name for curve in found.curves()] == ["CPUs", "memory"]
        assert "on average" in found._repr_html_()
        assert client.system.workers()[0].cpus == 2
    environment = {"DLSYS_HOME": str(platform.home), "COLUMNS": "120"}
    shown = run_cli(environment, "jobs", "usage", pair[0]["id"])
    assert shown.returncode == 0, shown.stderr
    for words in ("CPUs", "memory", "on average", "MB at most", "of CPU time in"):
        assert words in shown.stdout
    machine = run_cli(environment, "workers").stdout
    assert "0 of 2 held" in machine
    assert "in use" in machine


def test_a_job_that_is_not_there_has_no_use(platform):
    answer = platform.api.get("/projects/default/jobs/nothing/usage")
    assert answer.status_code == 404
    assert answer.json()["hint"]


def test_health_tells_of_the_sampler(platform):
    assert platform.part("usage") == "ok"
