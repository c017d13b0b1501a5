"""What is let in: by what a job is expected to need, what others will need, and in a race."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest

from dlsys_server.access.principals import Principal
from dlsys_server.access.quotas import QuotaService
from dlsys_server.access.scopes import Scope, expand
from dlsys_server.core import clock
from dlsys_server.core.database import Database
from dlsys_server.core.errors import Forbidden
from dlsys_server.training.durations import Durations
from dlsys_server.training.gpu_hours import gpu_hours, left_behind, running_jobs
from dlsys_server.training.queueing import Candidate
from dlsys_server.training.quota_gate import Gate, Need
from dlsys_server.training.tables import AttemptRow, JobRow
from jupyter_dlsys.contract.jobs import Range
from jupyter_dlsys.contract.quotas import LimitsRequest

from .test_gpu_hours import attempt, job

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=timezone.utc)
ADA = Principal.of("ada", "user", "vision", ("vision",), expand(frozenset({Scope.ADMIN})))


class Room:
    def __init__(self, url: str) -> None:
        self.database = Database(url, 8)
        self.database.migrate()
        self.quotas = QuotaService(self.database, {})
        for resource, meter in (
            ("gpu_hours", gpu_hours), ("jobs", running_jobs), ("storage_bytes", left_behind)
        ):  # fmt: skip
            self.quotas.meters[resource].append(meter)  # type: ignore[index]
        self.gate = Gate(self.database, self.quotas, Durations(self.database))

    def limit(self, kind="user", name="ann", **limits):
        self.quotas.set(ADA, kind, name, LimitsRequest(**limits))

    def submit(self, need, **values):
        with self.database.write() as session:
            warnings = self.gate.admit(session, "ann", "vision", need)
            row = {**job(state="queued"), "gpu_hours": need.least or None, **values}
            session.add(JobRow(**row))
        return warnings

    def ended(self, hours, **values):
        row = {**job(started_at=NOW - hours, finished_at=NOW), **values}
        with self.database.write() as session:
            session.add(JobRow(**row))
            session.add(AttemptRow(**attempt(row, NOW - hours, NOW)))

    def refused(self, need):
        with pytest.raises(Forbidden) as caught:
            self.submit(need)
        assert caught.value.code == "quota-exceeded"
        return f"{caught.value.detail} {caught.value.hint}"


@pytest.fixture
def room(tmp_path, monkeypatch):
    monkeypatch.setattr(clock, "now", lambda: NOW)
    room = Room(f"sqlite:///{tmp_path / 'x.sqlite'}")
    yield room
    room.database.close()


def hours(low, likely, high):
    return Need(True, Range(low=low, likely=likely, high=high))


def test_a_job_that_cannot_fit_is_refused_with_the_date(room):
    room.ended(timedelta(hours=9.5))
    room.limit(gpu_hours=10)
    assert room.refused(hours(0.5, 0.8, 1.2)) == (
        "ann has used 9.5 of 10 GPU-hours in November; this job is expected to need "
        "0.8 (0.5 to 1.2). Ask ada for more, or wait until 1 December."
    )


def test_a_job_that_may_not_fit_is_warned_of(room):
    room.ended(timedelta(hours=9))
    room.limit(gpu_hours=10)
    (words,) = room.submit(hours(0.5, 0.8, 1.2))
    assert "expected to need 0.8 (0.5 to 1.2). It is stopped at the limit" in words
    assert "Ask ada for more, or wait until 1 December." in words


def test_what_waits_counts_with_the_least_that_it_needs(room):
    room.limit(gpu_hours=1)
    assert room.submit(hours(0.3, 0.4, 0.5)) == []
    assert room.submit(hours(0.3, 0.35, 0.4)) == []
    words = room.refused(hours(0.4, 0.5, 0.6))
    assert "jobs that wait or run will need at least 0.6 more" in words


def test_nothing_is_known_of_the_job(room):
    room.limit(gpu_hours=1)
    assert room.submit(Need(True)) == []
    room.ended(timedelta(hours=1))
    assert "this job needs more. Ask ada" in room.refused(Need(True))
    assert room.submit(Need(False)) == []  # without a GPU one may go on


def test_the_limit_of_the_project_counts_too(room):
    room.ended(timedelta(hours=1), owner="bob")
    room.limit("project", "vision", gpu_hours=1)
    assert room.refused(hours(0.1, 0.2, 0.3)).startswith("vision has used 1 of 1 GPU-hour in")


def test_no_jobs_at_all_and_full_storage(room):
    room.limit(jobs=0)
    assert room.refused(Need(False)).startswith("ann may run no jobs. Ask ada")
    room.limit(storage_bytes=100)
    room.submit(Need(False), kept_bytes=100)
    assert room.refused(Need(False)).startswith("ann keeps 100 of 100 B. Ask ada for more, or")


def test_the_need_is_the_forecast_times_the_gpus(room):
    for _ in range(20):
        room.ended(timedelta(hours=2), source_hash="h", gpus=2)
    found = room.gate.need(
        Candidate("", "", "vision", "ann", gpus=2, gpu_share=1, source_hash="h", cpus=1)
    )
    assert found.hours is not None
    assert found.hours.likely == pytest.approx(4, rel=0.05)
    assert found.hours.low <= found.hours.likely <= found.hours.high
    assert room.gate.need(Candidate("", "", "vision", "ann", source_hash="h")) == Need(False)


def race(room):
    room.limit(gpu_hours=3.5)

    def submit(_: int) -> bool:
        try:
            room.submit(hours(1, 1.2, 1.5))
        except Forbidden:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        return sum(pool.map(submit, range(16)))


def test_many_at_once_are_not_promised_the_same_hours(room):
    assert race(room) == 3


@pytest.mark.postgres
@pytest.mark.integration
def test_nor_on_postgresql(postgres_url):
    room = Room(postgres_url)
    try:
        assert race(room) == 3
    finally:
        room.database.close()
