"""Two platforms on one database that are killed again and again: every due time has one job.

Every minute is too slow for a test, so their clocks run fast; nothing else is different.
"""

from __future__ import annotations

import os
import random
import signal
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
from dlsys_server.building import build
from dlsys_server.core.settings import Settings
from dlsys_server.parts import Parts
from dlsys_server.training.tables import JobRow
from dlsys_server.workflows.tables import FiringRow, ScheduleRow
from jupyter_dlsys.contract.jobs import SourceFile, SubmitRequest
from jupyter_dlsys.contract.schedules import ScheduleRequest

pytestmark = [pytest.mark.integration, pytest.mark.kill, pytest.mark.slow]
LOOP = Path(__file__).with_name("loop.py")
SPEED, SECONDS = 240.0, 5.0


class Loops:
    """Processes that fire; jobs end as soon as somebody looks."""

    def __init__(self, parts: Parts, nursery: subprocess.Popen[str]) -> None:
        self.parts, self.nursery = parts, nursery
        self.running: list[int] = []
        self._say("")
        self.origin = time.time()
        self.end = self.origin + SECONDS * SPEED

    def _say(self, line: str) -> str:
        assert self.nursery.stdin is not None and self.nursery.stdout is not None
        if line:
            self.nursery.stdin.write(line + "\n")
            self.nursery.stdin.flush()
        return self.nursery.stdout.readline()

    def start(self) -> None:
        """One more."""
        self.running.append(int(self._say(f"{SPEED} {self.origin} {self.end}")))

    def kill(self, process: int) -> None:
        """kill -9."""
        self.running.remove(process)
        os.kill(process, signal.SIGKILL)

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
def loops(url: str, home: Path) -> Iterator[Loops]:
    parts = build(Settings(home=home, database_url=url, warm=False), "secret", str, "0")
    parts.database.migrate()
    command = [sys.executable, str(LOOP), str(home), url]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as nursery:
        found = Loops(parts, nursery)
        try:
            yield found
        finally:
            for process in list(found.running):
                found.kill(process)
            parts.database.close()


def test_every_time_has_one_job_whoever_dies(url: str, dlsys_home: Path) -> None:
    chance = random.Random(7)
    with loops(url, dlsys_home) as found:
        made = [_create(found.parts, every) for every in ("* * * * *", "*/2 * * * *")]
        found.start()
        found.start()
        killed = 0
        while time.time() < found.origin + SECONDS:
            _let_run(found, chance.uniform(0.2, 0.9))
            found.kill(chance.choice(found.running))
            killed += 1
            _let_run(found, chance.uniform(0.0, 0.3))
            found.start()
        limit = time.monotonic() + 60
        while not _settled(found) and time.monotonic() < limit:
            _let_run(found, 0.2)
        _check(found, made)
        assert killed >= 3


def _create(parts: Parts, cron: str) -> tuple[str, datetime]:
    """Its id and first time."""
    body = ScheduleRequest(
        cron=cron,
        missed="all",
        submission=SubmitRequest(source=SourceFile(path="t.py", content="print(1)")),
    )
    owner = Principal.of(parts.settings.user, "user", "default", ("default",), ALL)
    made = parts.schedules.create(owner, "default", body, None)
    return made.id, made.next_times[0]


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


def _check(found: Loops, made: list[tuple[str, datetime]]) -> None:
    end = datetime.fromtimestamp(found.end, timezone.utc)
    with found.parts.database.read() as session:
        for (schedule, first), minutes in zip(made, (1, 2), strict=True):
            count = (end - first) // timedelta(minutes=minutes) + 1
            times = [first + n * timedelta(minutes=minutes) for n in range(count)]
            firings = session.scalars(
                select(FiringRow)
                .where(FiringRow.schedule_id == schedule)
                .order_by(FiringRow.due_at)
            ).all()
            jobs = session.scalars(select(JobRow).where(JobRow.schedule == schedule)).all()
            assert count >= SECONDS * SPEED / 60 / minutes - 3
            assert [firing.due_at for firing in firings] == times
            assert {firing.state for firing in firings} == {"submitted"}
            assert sorted(job.run_key or "" for job in jobs) == sorted(f.run_key for f in firings)
            assert {job.id for job in jobs} == {firing.job_id for firing in firings}
