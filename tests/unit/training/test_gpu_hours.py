"""GPU-hours from the rows of attempts: month borders, shares, attempts that run, many rows."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert

from dlsys_server.access.quota_words import month, month_after
from dlsys_server.core import clock
from dlsys_server.core.database import Database
from dlsys_server.training.gpu_hours import gpu_hours, left_behind, promised, running_jobs
from dlsys_server.training.tables import AttemptRow, JobRow

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
numbers = count()


@pytest.fixture(autouse=True)
def stopped_clock(monkeypatch):
    monkeypatch.setattr(clock, "now", lambda: NOW)


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('d') / 'x.sqlite'}", 2)
    database.migrate()
    yield database
    database.close()


@pytest.fixture
def postgres(postgres_url):
    database = Database(postgres_url, 2)
    database.migrate()
    yield database
    database.close()


def job(owner="ann", project="vision", gpus=1, share=1.0, state="succeeded", **more):
    return {
        "id": f"{next(numbers):026d}",
        "project": project,
        "owner": owner,
        "name": "j",
        "state": state,
        "revision": 0,
        "attempt": 1,
        "reason": "",
        "kind": "script",
        "source": "a.py",
        "source_hash": "",
        "bundle_sha": "",
        "parameters": {},
        "inputs": {},
        "cpus": 1,
        "gpus": gpus,
        "gpu_share": share,
        "gpu_ids": [],
        "after": [],
        "variables": {},
        "artifacts": [],
        "created_at": NOW,
        **more,
    }


def attempt(of, since, until, number=1):
    state = "running" if until is None else "succeeded"
    return {
        "job_id": of["id"],
        "number": number,
        "state": state,
        "created_at": since or NOW,
        "started_at": since,
        "finished_at": until,
    }


def keep(database, jobs, attempts):
    with database.write() as session:
        session.execute(delete(AttemptRow))
        session.execute(delete(JobRow))
        session.execute(insert(JobRow), jobs)
        if attempts:
            session.execute(insert(AttemptRow), attempts)


def used(database, kind="user", names=None):
    with database.read() as session:
        found = gpu_hours(session, kind, names)
    return {name: round(hours, 3) for name, hours in found.items()}


def a_month(database):
    """Two users, two projects: all that counts and all that does not."""
    begin = month(NOW)
    over, whole, part = job(), job(gpus=2), job("bob", share=0.25)
    cpu, before = job(gpus=0), job()
    tried, runs = job("bob", "text", attempt=2), job("ann", "text", gpus=2, state="running")
    long_ago = job("bob", "text", state="running", share=0.5)
    waits, starts = job(state="queued", attempt=2), job(state="starting")
    jobs = [over, whole, part, cpu, before, tried, runs, long_ago, waits, starts]
    keep(
        database,
        jobs,
        [
            attempt(over, begin - 5 * HOUR, begin + 2 * HOUR),  # 2 of it in this month
            attempt(whole, NOW - 3 * HOUR, NOW - 2 * HOUR),  # 2 GPUs
            attempt(part, NOW - 4 * HOUR, NOW),  # a quarter
            attempt(cpu, NOW - 9 * HOUR, NOW),
            attempt(before, begin - 9 * HOUR, begin),
            attempt(tried, NOW - 8 * HOUR, NOW - 7 * HOUR),
            attempt(tried, NOW - 7 * HOUR, NOW - 5 * HOUR, 2),
            attempt(runs, NOW - HOUR, None),
            attempt(long_ago, begin - 99 * HOUR, None),
            attempt(waits, NOW - HOUR, NOW - HOUR / 2),  # failed; the next one is due
            attempt(starts, None, None),
        ],
    )
    return round((NOW - begin) / HOUR * 0.5, 3)


def test_what_counts(database):
    ongoing = a_month(database)
    assert used(database) == {"ann": 2 + 2 + 2 + 0.5, "bob": 1 + 3 + ongoing}
    assert used(database, "project") == {"vision": 2 + 2 + 1 + 0.5, "text": 3 + 2 + ongoing}
    assert used(database, names=["bob"]) == {"bob": 4 + ongoing}
    assert used(database, names=["nobody"]) == {}
    with database.read() as session:
        assert running_jobs(session, "user") == {"ann": 2, "bob": 1}


@pytest.mark.postgres
@pytest.mark.integration
def test_postgresql_adds_up_the_same(postgres):
    ongoing = a_month(postgres)
    assert used(postgres) == {"ann": 6.5, "bob": 4 + ongoing}
    assert used(postgres, "project", ["text"]) == {"text": 5 + ongoing}


def test_a_new_month_begins_with_nothing_but_what_runs(database, monkeypatch):
    a_month(database)
    monkeypatch.setattr(clock, "now", lambda: month_after(NOW) + HOUR)
    assert used(database) == {"ann": 2, "bob": 0.5}


def test_an_attempt_that_ended_before_it_was_seen_to_start_counts_nothing(database):
    one = job()
    keep(database, [one], [attempt(one, NOW, NOW - timedelta(seconds=1))])
    assert used(database) == {"ann": 0}


hours = st.floats(-900, 0, allow_nan=False)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(
            st.sampled_from("ab"), hours, hours | st.none(), st.integers(0, 8), st.floats(0.1, 1)
        ),
        min_size=1,
        max_size=12,
    )
)
def test_the_sum_is_the_one_that_a_person_would_do(database, tries):
    jobs, attempts, expected = [], [], {}
    for owner, begin, length, gpus, share in tries:
        since = NOW + begin * HOUR
        until = None if length is None else min(NOW, since - length * HOUR)
        state = "running" if until is None else "failed"
        jobs.append(job(owner, gpus=gpus, share=share, state=state))
        attempts.append(attempt(jobs[-1], since, until))
        inside = ((until or NOW) - max(since, month(NOW))) / HOUR
        expected[owner] = expected.get(owner, 0) + max(0, inside) * gpus * share
    keep(database, jobs, attempts)
    with database.read() as session:
        found = gpu_hours(session, "user")
    for owner, wanted in expected.items():
        assert found.get(owner, 0) == pytest.approx(wanted, abs=1e-4)


def test_what_waits_and_runs_is_expected_to_need_more(database):
    runs = job(state="running", gpus=2, gpu_hours=3, started_at=NOW - HOUR)
    late = job(state="running", gpu_hours=1, started_at=NOW - 5 * HOUR)
    keep(database, [runs, late, job(state="queued", gpu_hours=0.5), job(gpu_hours=9)], [])
    with database.read() as session:
        assert promised(session, "user", "ann") == pytest.approx(1 + 0 + 0.5)
        assert promised(session, "project", "text") == 0


def test_bytes_that_jobs_left(database):
    keep(database, [job(kept_bytes=10), job("bob", kept_bytes=5), job("bob", "text")], [])
    with database.read() as session:
        assert left_behind(session, "user") == {"ann": 10, "bob": 5}
        assert left_behind(session, "project", ["vision"]) == {"vision": 15}


def test_ten_thousand_ended_jobs_are_added_up_quickly(database):
    jobs = [job(f"user{n % 50}", f"p{n % 20}") for n in range(10_000)]
    keep(database, jobs, [attempt(one, NOW - HOUR, NOW - HOUR / 2) for one in jobs])
    began = time.perf_counter()
    found = used(database)
    took = time.perf_counter() - began
    assert found["user7"] == 100
    assert took < 2.0  # 0.05 s on a machine that does nothing else
