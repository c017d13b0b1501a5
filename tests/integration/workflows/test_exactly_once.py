"""Two platforms on one database that are killed again and again: every due time has one job.

Every minute is too slow for a test, so their clocks run fast; nothing else is different.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import select, update

from dlsys_server.access.embedded import ALL
from dlsys_server.access.principals import Principal
from dlsys_server.core.settings import Settings
from dlsys_server.parts import Parts, build
from dlsys_server.training.tables import JobRow
from dlsys_server.workflows.tables import FiringRow, ScheduleRow
from jupyter_dlsys.contract.jobs import SourceFile, SubmitRequest
from jupyter_dlsys.contract.schedules import ScheduleRequest

pytestmark = [pytest.mark.integration, pytest.mark.kill, pytest.mark.slow]
LOOP = Path(__file__).with_name("loop.py")
SPEED, SECONDS, LIVES = 150.0, 12.0, 3


class Loops:
    """Processes that fire; jobs end as soon as somebody looks."""

    def __init__(self, parts: Parts, home: Path, url: str, origin: float) -> None:
        self.parts, self.arguments = parts, [str(home), url, str(SPEED), str(origin)]
        self.end = origin + SECONDS * SPEED
        self.running: list[subprocess.Popen[str]] = []

    def start(self) -> None:
        """One more, ready to fire."""
        command = [sys.executable, str(LOOP), *self.arguments, str(self.end)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.running.append(process)
        assert process.stdout is not None and process.stdout.readline() == "ready\n"

    def kill(self, process: subprocess.Popen[str]) -> None:
        """kill -9."""
        process.kill()
        process.wait(10)
        assert process.stdout is not None
        process.stdout.close()
        self.running.remove(process)

    def end_jobs(self) -> None:
        """As if the queue had run them."""
        queued = (JobRow.state == "queued", JobRow.schedule.is_not(None))
        with self.parts.database.write() as session:
            session.execute(update(JobRow).where(*queued).values(state="succeeded"))


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    """Of the database; '' for SQLite."""
    wanted = request.param == "postgres"
    return str(request.getfixturevalue("postgres_url")) if wanted else ""


@contextmanager
def loops(url: str, home: Path, origin: float) -> Iterator[Loops]:
    parts = build(Settings(home=home, database_url=url, warm=False), "secret", str, "0")
    parts.database.migrate()
    found = Loops(parts, home, url, origin)
    try:
        yield found
    finally:
        for process in list(found.running):
            found.kill(process)
        parts.database.close()


def test_every_time_has_one_job_whoever_dies(url: str, dlsys_home: Path) -> None:
    chance = random.Random(7)
    origin = time.time()
    with loops(url, dlsys_home, origin) as found:
        ids = [_create(found.parts, every) for every in ("* * * * *", "*/2 * * * *")]
        for _ in range(2):
            found.start()
        for _ in range(LIVES):
            _let_run(found, chance.uniform(0.5, 2.5))
            found.kill(chance.choice(found.running))
            _let_run(found, chance.uniform(0.0, 0.5))
            found.start()
        limit = time.monotonic() + 60
        while not _settled(found) and time.monotonic() < limit:
            _let_run(found, 0.2)
        _check(found, ids, origin)


def _create(parts: Parts, cron: str) -> str:
    body = ScheduleRequest(
        cron=cron,
        missed="all",
        submission=SubmitRequest(source=SourceFile(path="t.py", content="print(1)")),
    )
    owner = Principal(parts.settings.user, "user", "default", ("default",), ALL)
    return parts.schedules.create(owner, "default", body, None).id


def _let_run(found: Loops, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found.end_jobs()
        time.sleep(0.02)


def _settled(found: Loops) -> bool:
    last = datetime.fromtimestamp(found.end, timezone.utc)
    with found.parts.database.read() as session:
        behind = session.scalar(select(ScheduleRow.id).where(ScheduleRow.next_at <= last))
        pending = session.scalar(select(FiringRow.due_at).where(FiringRow.state == "pending"))
    return behind is None and pending is None


def _check(found: Loops, ids: list[str], origin: float) -> None:
    start, end = (datetime.fromtimestamp(at, timezone.utc) for at in (origin, found.end))
    first = start.replace(second=0, microsecond=0) + timedelta(minutes=1)
    every = [
        first + timedelta(minutes=n) for n in range(int((end - first).total_seconds()) // 60 + 1)
    ]
    due = {ids[0]: every, ids[1]: [moment for moment in every if moment.minute % 2 == 0]}
    with found.parts.database.read() as session:
        for schedule, times in due.items():
            firings = session.scalars(
                select(FiringRow)
                .where(FiringRow.schedule_id == schedule)
                .order_by(FiringRow.due_at)
            ).all()
            jobs = session.scalars(select(JobRow).where(JobRow.schedule == schedule)).all()
            assert len(times) >= SECONDS * SPEED / 60 / 2 - 2
            assert [firing.due_at for firing in firings] == times
            assert {firing.state for firing in firings} == {"submitted"}
            assert sorted(job.run_key or "" for job in jobs) == sorted(f.run_key for f in firings)
            assert {job.id for job in jobs} == {firing.job_id for firing in firings}
