"""A platform with a single database connection: a request that asked for a second one would wait
for itself, and many of them at once for each other, whatever the number of connections is."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support import processes
from tests.support.platform import PROJECT, RunningPlatform, notebook

pytestmark = pytest.mark.integration
ENDLESS = "/events"


@pytest.fixture(scope="module")
def narrow(session_root: Path) -> Iterator[RunningPlatform]:
    home = Path(tempfile.mkdtemp(prefix="o", dir=session_root))
    running = RunningPlatform(home, DLSYS_CPUS="1", DLSYS_DATABASE_CONNECTIONS="1").start()
    yield running
    running.stop()
    left = processes.end_leftovers(home)
    assert not left, "the platform left processes behind:\n" + "\n".join(left)


def looks(platform: RunningPlatform, job: str) -> list[str]:
    """Every answer that can be read with a project and a job, or with neither."""
    paths = platform.api.get("/openapi.json").json()["paths"]
    found = []
    for path, verbs in paths.items():
        short = path.removeprefix("/api/v1").replace("{project}", "default").replace("{id}", job)
        if "get" in verbs and "{" not in short and short != ENDLESS:
            found.append(short)
    return found


def test_every_answer_needs_one_connection_only(narrow: RunningPlatform) -> None:
    limits = {"gpu_hours": 100, "jobs": 9, "storage_bytes": 10**12}
    assert narrow.api.put("/quotas/user/*", json=limits).status_code == 200
    running = narrow.submit(notebook("print(1)", "import time; time.sleep(600)"))["id"]
    waiting = narrow.submit(notebook("print(2)"))["id"]
    narrow.wait_for(running, "running")
    paths = looks(narrow, running)
    assert {f"{PROJECT}/jobs/{running}/{what}" for what in ("usage", "events", "log")} <= {*paths}
    asked = [*paths, f"{PROJECT}/jobs/{waiting}"] * 4
    with ThreadPoolExecutor(16) as pool:
        codes = list(pool.map(lambda path: narrow.api.get(path).status_code, asked))
    assert {path: code for path, code in zip(asked, codes, strict=True) if code >= 500} == {}
    assert narrow.api.post(f"{PROJECT}/jobs/{running}/cancel").status_code == 200
    assert narrow.wait_for(running)["state"] == "cancelled"
    assert narrow.wait_for(waiting)["state"] == "succeeded"
