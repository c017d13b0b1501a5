"""Fifty people's servers on one platform with PostgreSQL and S3: no error, no leak, bounded memory.

TEST_CROWD_SECONDS says for how long (default 25), TEST_CROWD_PROCESSES with how many processes that
answer (1); `-s` prints times and memory.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
import pytest

from tests.support import hub_api, processes
from tests.support.crowd import ENDED, PROJECT, Person, Record, work
from tests.support.installation import Team, job_account
from tests.support.platform import RunningPlatform
from tests.support.seaweed import Bucket

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.s3, pytest.mark.postgres]
SECONDS = float(os.environ.get("TEST_CROWD_SECONDS", "25"))
PROCESSES = os.environ.get("TEST_CROWD_PROCESSES", "1")
PEOPLE = 50
MORE_MEMORY, MORE_MEMORY_BYTES = 1.15, 30 * 2**20
SETTLE_SECONDS = 40
MORE_FILES = 30 + 10 + 10  # connections that are kept: to the database, S3, MLflow and the hub
POOL = 40 + 5  # threads that answer stay for the next request; anyio keeps 40 at most


@pytest.fixture
def hub(session_root: Path) -> Iterator[hub_api.HubApi]:
    with hub_api.started() as found:
        yield found


@pytest.fixture
def team(
    session_root: Path, postgres_url: str, s3_bucket: Bucket, hub: hub_api.HubApi
) -> Iterator[Team]:
    folder = Path(tempfile.mkdtemp(prefix="crowd", dir=session_root))
    for open_to_jobs in (session_root, folder):
        open_to_jobs.chmod(0o711)
    platform = RunningPlatform(
        folder / "platform",
        **hub.settings,
        **s3_bucket.settings(),
        DLSYS_PROCESSES=PROCESSES,
        DLSYS_DATABASE_URL=postgres_url.replace("+psycopg", ""),
    )
    platform.python, platform.environment["DLSYS_JOB_ACCOUNT"] = job_account(folder)
    platform.start()
    api = f"{platform.url}/api/v1"
    try:
        administrator = {"Authorization": f"Bearer {hub.token('pat', 'admin')}"}
        for path, body in {
            "/projects": {"name": "vision"},
            "/projects/vision/members/group/staff": {"role": "data-scientist"},
        }.items():
            method = "PUT" if "members" in path else "POST"
            answer = httpx.request(method, api + path, json=body, headers=administrator)
            assert answer.status_code < 300, answer.text
        hub.user("ann", "staff")
        found = Team(platform, api, api, hub.token("ann", "deploy", "write", "submit"))
        found.deploy()
        yield found
    finally:
        platform.stop()
    left = processes.end_leftovers(folder)
    assert not left, "left behind:\n" + "\n".join(left)


@dataclass
class Watch:
    """Memory of the platform and of its parts (not of jobs), looked at each second."""

    process: psutil.Process
    platform: list[int] = field(default_factory=list)
    parts: list[int] = field(default_factory=list)

    @contextmanager
    def running(self) -> Iterator[None]:
        end = threading.Event()
        thread = threading.Thread(target=self._look, args=(end,))
        thread.start()
        try:
            yield
        finally:
            end.set()
            thread.join()

    def _look(self, end: threading.Event) -> None:
        lasting = self.process.children(recursive=True)
        while not end.wait(1):
            self.platform.append(self.process.memory_info().rss)
            self.parts.append(sum(_memory(part) for part in lasting))


def _memory(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def check_bounded(name: str, seen: list[int]) -> None:
    """What is needed late is not more than what was needed in the middle."""
    third = len(seen) // 3
    middle, late = max(seen[third : 2 * third]), max(seen[2 * third :])
    allowed = max(MORE_MEMORY * middle, middle + MORE_MEMORY_BYTES)
    mib = [round(value / 2**20) for value in (seen[0], middle, late)]
    print(f"{name}: {mib[0]} MiB at first, {mib[1]} in the middle, {mib[2]} at the end")
    assert late <= allowed, (name, mib)


def held(process: psutil.Process) -> tuple[int, int]:
    """Files and sockets, and threads."""
    return process.num_fds(), process.num_threads()


def wait_until_let_go(process: psutil.Process, before: tuple[int, int]) -> None:
    end = time.monotonic() + SETTLE_SECONDS
    files, threads = before[0] + MORE_FILES, before[1] + POOL
    while (now := held(process))[0] > files or now[1] > threads:
        assert time.monotonic() < end, f"{before} files and threads became {now}"
        time.sleep(0.5)


def test_fifty_people_work_at_once(team: Team, hub: hub_api.HubApi) -> None:
    record = Record()
    people = []
    for number in range(PEOPLE):
        hub.user(f"p{number}", "staff")
        token = hub.token(f"p{number}", "deploy", "write", "submit")
        people.append(Person(f"p{number}", token, team.api, record, team.key, team.endpoint))
    assert team.platform.process is not None
    process = psutil.Process(team.platform.process.pid)
    before, spent, watch = held(process), process.cpu_times(), Watch(process)
    with watch.running():
        asyncio.run(work(people, SECONDS))
    used = sum(process.cpu_times()[:2]) - sum(spent[:2])
    print(f"\n{record.table()}\n{record.events} events heard, {len(record.jobs)} jobs")
    print(f"platform: {used / SECONDS:.0%} of a CPU")
    assert record.wrong == []
    check_bounded("platform", watch.platform)
    check_bounded("its parts", watch.parts)
    wait_until_let_go(process, before)
    check_kept(team, record)


def check_kept(team: Team, record: Record) -> None:
    """Every commit is there, every job was done, and everybody heard of them."""
    with team.client() as api:
        for name, commits in record.commits.items():
            found = api.get(f"{PROJECT}/datasets/{name}/commits", params={"limit": 500}).json()
            assert [v["version"] for v in found["items"]] == list(range(commits, 0, -1))
        for job in record.jobs:
            path = f"{PROJECT}/jobs/{job}"
            team.platform.wait(
                lambda path=path: api.get(path).json()["state"] in ENDED, f"job {job}", 180
            )
            assert api.get(path).json()["state"] == "succeeded", api.get(path).text
    assert len(record.jobs) >= SECONDS / 5
    assert record.events >= PEOPLE * sum(record.commits.values())
