"""GPU-hours that run out while a job runs: warned once, stopped softly, not tried again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from dlsys_server.access.principals import Principal
from dlsys_server.access.quotas import QuotaService
from dlsys_server.access.scopes import Scope, expand
from dlsys_server.core import clock
from dlsys_server.core.database import Database
from dlsys_server.core.settings import Settings
from dlsys_server.core.tables import EventRow
from dlsys_server.training.allowances import Allowances
from dlsys_server.training.gpu_hours import gpu_hours
from dlsys_server.training.quota_watch import QuotaWatch
from dlsys_server.training.tables import AttemptRow, JobRow
from jupyter_dlsys.contract.quotas import LimitsRequest
from tests.support.engine import USER, Engine

ADA = Principal.of("ada", "user", "default", ("default",), expand(frozenset({Scope.ADMIN})))


class Watched:
    """An engine with a job on its GPU, and two platforms that watch it."""

    def __init__(self, folder) -> None:
        database = Database(f"sqlite:///{folder / 'x.sqlite'}")
        database.migrate()
        self.engine = Engine(folder, database)
        self.engine.attempts.at_once = True
        self.scheduler = self.engine.scheduler("one")
        self.watches = [self.watch(), self.watch()]
        self.job = self.engine.submit(gpus=1, retries=2)
        self.tick()
        self.tick()

    def watch(self) -> QuotaWatch:
        quotas = QuotaService(self.engine.database, {})
        quotas.meters["gpu_hours"].append(gpu_hours)
        return QuotaWatch(self.engine.database, quotas, self.engine.announcer)

    def tick(self) -> None:
        self.scheduler.tick()

    def look(self, used_of_limit: float) -> None:
        """Both look when the job has used so much of a limit of an hour."""
        since = clock.now() - timedelta(hours=used_of_limit)
        for table in (JobRow, AttemptRow):
            with self.engine.database.write() as session:
                session.execute(update(table).values(started_at=since))
        for watch in self.watches:
            watch.quotas.set(ADA, "user", USER, LimitsRequest(gpu_hours=1))
            watch._looked_at = float("-inf")
            watch.look()

    def row(self) -> JobRow:
        with self.engine.database.read() as session:
            return session.get_one(JobRow, self.job)

    def topics(self) -> list[str]:
        query = select(EventRow.topic).where(EventRow.topic.like("quota.%"))
        with self.engine.database.read() as session:
            return list(session.scalars(query.order_by(EventRow.seq)))


@pytest.fixture
def watched(tmp_path):
    watched = Watched(tmp_path)
    yield watched
    for key in list(watched.engine.supervisors.alive):
        watched.engine.supervisors.kill(key)
    watched.engine.database.close()


def test_nobody_is_warned_before_it_is_time(watched):
    watched.look(0.79)
    assert (watched.row().state, watched.topics()) == ("running", [])


def test_a_warning_is_told_once_by_however_many_platforms(watched):
    watched.look(0.81)
    watched.look(0.95)
    assert (watched.row().state, watched.topics()) == ("running", ["quota.near"])


def test_at_the_limit_the_job_is_asked_softly_and_ends_for_good(watched):
    watched.look(1.01)
    assert watched.topics() == ["quota.exceeded"]
    row = watched.row()
    assert (row.state, row.exit_reason) == ("cancelling", "quota")
    watched.tick()
    (key,) = watched.engine.supervisors.alive
    cancel = watched.engine.attempts.root / key[0] / str(key[1]) / "cancel"
    assert cancel.read_text() == "10"  # seconds from the interrupt to the end by force
    watched.engine.checkpoint(key, 7)
    watched.engine.supervisors.finish(watched.engine.attempts.root, key, None)
    watched.tick()
    row = watched.row()
    assert (row.state, row.exit_reason, row.attempt) == ("cancelled", "quota", 1)
    assert row.reason.startswith(f"Stopped: {USER} has used 1.01 of 1 GPU-hour in ")
    assert row.checkpoint_sha is not None
    assert row.kept_bytes > 0


def test_a_job_that_ends_well_in_its_last_seconds_has_succeeded(watched):
    watched.look(1.01)
    (key,) = watched.engine.supervisors.alive
    watched.engine.supervisors.finish(watched.engine.attempts.root, key, None)
    watched.tick()
    row = watched.row()
    with watched.engine.database.read() as session:
        attempt = session.get_one(AttemptRow, (watched.job, 1))
    assert (row.state, row.exit_reason) == ("succeeded", None)
    assert (attempt.state, attempt.exit_reason) == ("succeeded", None)


def test_a_job_without_a_gpu_goes_on(watched):
    other = watched.engine.submit()
    watched.tick()
    watched.look(1.01)
    with watched.engine.database.read() as session:
        assert session.get_one(JobRow, other).state in ("starting", "running")


def test_what_stops_a_job_also_keeps_the_next_one_from_its_place(watched, tmp_path):
    """A second later would be too late: the GPU is free at once."""
    watch = watched.watches[0]
    allowances = Allowances(Settings(home=tmp_path), watch.quotas)
    watch.quotas.set(ADA, "user", USER, LimitsRequest(gpu_hours=2))
    assert allowances().spent == {}
    watched.look(1.01)
    assert watched.row().state == "cancelling"
    assert [*allowances().spent] == [("user", USER)]
