"""Two schedulers that live at once on one database: every job starts once."""

from __future__ import annotations

import time
from collections import Counter

import pytest
from sqlalchemy import select

from dlsys_server.core.database import Database
from dlsys_server.training import scheduler as scheduling
from dlsys_server.training.tables import AttemptRow, JobRow
from tests.support.engine import Engine

POSTGRES = pytest.param("postgres", marks=[pytest.mark.postgres, pytest.mark.integration])
JOBS = 24


@pytest.fixture(params=["sqlite", POSTGRES])
def engine(request, tmp_path, monkeypatch):
    monkeypatch.setattr(scheduling, "IDLE_SECONDS", 0.05)
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
    else:
        url = f"sqlite:///{tmp_path / 'x.sqlite'}"
    database = Database(url)
    database.migrate()
    engine = Engine(tmp_path, database, cpus=4)
    engine.attempts.at_once = True
    yield engine
    database.close()


def run_all(engine: Engine, count: int, seconds: float = 120) -> list[JobRow]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for key in list(engine.supervisors.alive):
            engine.supervisors.finish(engine.attempts.root, key, None)
        with engine.database.read() as session:
            jobs = session.scalars(select(JobRow)).all()
        if sum(job.state == "succeeded" for job in jobs) >= count:
            return list(jobs)
        time.sleep(0.02)
    raise AssertionError(Counter(job.state for job in jobs))


def test_every_job_starts_once_though_two_lead_in_turn(engine):
    for _ in range(JOBS):
        engine.submit(retries=2)
    one, two = engine.scheduler("one", seconds=0.6), engine.scheduler("two", seconds=0.6)
    one.start()
    two.start()
    try:
        run_all(engine, JOBS // 2)
        one.stop()  # and the other goes on
        jobs = run_all(engine, JOBS)
    finally:
        one.stop()
        two.stop()
    assert Counter(engine.supervisors.ran) == Counter({(job.id, 1): 1 for job in jobs})
    with engine.database.read() as session:
        attempts = session.scalars(select(AttemptRow)).all()
    assert [(a.number, a.state) for a in attempts] == [(1, "succeeded")] * JOBS
    assert not one.error and not two.error


def test_a_job_of_another_worker_is_left_to_it(engine):
    theirs, mine = engine.scheduler("x", worker="there"), engine.scheduler("y")
    job = engine.submit()
    theirs.tick()
    engine.supervisors.finish(engine.attempts.root, (job, 1), None)
    theirs.leadership.release()
    for _ in range(3):
        mine.tick()
    with engine.database.read() as session:
        assert session.get(JobRow, job).state == "starting"
    theirs = engine.scheduler("x", worker="there")
    theirs.tick()
    with engine.database.read() as session:
        assert session.get(JobRow, job).state == "succeeded"


def test_folders_of_no_live_job_go_and_what_runs_in_them_ends(engine):
    unknown = engine.submit()
    engine.scheduler("x").tick()
    assert (unknown, 1) in engine.supervisors.alive
    with engine.database.write() as session:
        session.delete(session.get(AttemptRow, (unknown, 1)))
        session.delete(session.get(JobRow, unknown))
    (engine.attempts.root / "keep-me").mkdir()
    later = engine.scheduler("x")
    later.tick()
    folder = engine.attempts.root / unknown
    assert (folder / "1" / "cancel").exists()
    engine.supervisors.finish(engine.attempts.root, (unknown, 1), None)
    later.settler.closer._closed_at = 0
    later.tick()
    assert not folder.exists()
    assert (engine.attempts.root / "keep-me").exists()
