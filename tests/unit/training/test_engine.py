"""The engine under every order of events: starts, ends, deaths, cancels, restarts, two leaders."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import Counter
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import func, select

from dlsys_server.access.tables import TokenRow
from dlsys_server.core import clock
from dlsys_server.core.database import Database
from dlsys_server.core.errors import Conflict
from dlsys_server.core.leases import LeaseLost
from dlsys_server.core.tables import EventRow
from dlsys_server.training.states import HOLDING, TRANSITIONS
from dlsys_server.training.tables import AttemptRow, JobRow
from jupyter_dlsys.contract.jobs import TERMINAL_STATES
from tests.support.engine import Engine

OUTCOMES = (None, "user-error", "timeout", "killed", "lost", "out-of-memory", "launch-failed")
AGAIN = ("killed", "lost", "out-of-memory")
WHICH = st.integers(0, 1)
ANY = st.integers(0, 10_000)
GIB = 2**30


class Time:
    """All clocks, ahead of the real ones."""

    ahead = 0.0

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        real_time, real_monotonic, real_now = time.time, time.monotonic, clock.now
        patch.setattr(time, "time", lambda: real_time() + self.ahead)
        patch.setattr(time, "monotonic", lambda: real_monotonic() + self.ahead)
        patch.setattr(clock, "now", lambda: clock.from_epoch(real_now().timestamp() + self.ahead))


class Machine(RuleBasedStateMachine):
    """Two platforms of one worker on one database, and the jobs that they run."""

    template: Path

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="dle"))
        shutil.copy(self.template, self.folder / "db.sqlite")
        self.database = Database(f"sqlite:///{self.folder / 'db.sqlite'}")
        self.patch = pytest.MonkeyPatch()
        self.time = Time(self.patch)
        self.engine = Engine(self.folder, self.database)
        self.schedulers = [self.engine.scheduler("first"), self.engine.scheduler("second")]
        self.ended: dict[str, tuple[str, int, int]] = {}
        self.attempt: Counter[str] = Counter()
        self.due: dict[tuple[str, int], float] = {}
        self.told: Counter[tuple[str, int]] = Counter()

    def teardown(self) -> None:
        if not hasattr(self, "engine"):
            return
        try:
            self.everything_comes_to_an_end()
        finally:
            self.patch.undo()
            self.database.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    # -- what people and programs do

    @precondition(lambda self: len(self.engine.supervisors.alive) < 2)
    @rule(which=WHICH)
    def all_goes_well(self, which: int) -> None:
        for _ in range(2):
            with suppress(LeaseLost):
                self.schedulers[which].tick()
            while self.engine.supervisors.pending:
                self.engine.supervisors.arrive(self.engine.supervisors.pending.pop())

    @precondition(lambda self: len(self.jobs()) < 6)
    @rule(retries=st.sampled_from((0, 1, 2, 2)), memory=st.booleans(), gpu=st.booleans())
    def submit(self, retries: int, memory: bool, gpu: bool) -> None:
        limits = {"memory_bytes": GIB, "max_memory_bytes": 3 * GIB} if memory else {}
        self.engine.submit(retries=retries, gpus=int(gpu), **limits)

    @rule(which=WHICH)
    def tick(self, which: int) -> None:
        with suppress(LeaseLost):
            self.schedulers[which].tick()

    @rule(which=WHICH)
    def stall_while_the_other_takes_over(self, which: int) -> None:
        slow, other = self.schedulers[which], self.schedulers[1 - which]
        held = slow.leadership.own.hold() and slow.leadership.leader.hold()
        self.time.ahead += 60
        other.tick()
        for key in list(self.engine.supervisors.alive):  # so that there is something to do
            self.engine.supervisors.finish(self.engine.attempts.root, key, None)
        self.submit(retries=1, memory=False, gpu=False)
        before = self.rows()
        if held:
            assert other.leadership.own._held and other.leadership.leader._held
            for change in (slow.settler.settle, slow.dispatcher.dispatch):
                with suppress(LeaseLost):
                    change()
            assert self.rows() == before, "one that lost its lease changed a job"

    @rule(which=WHICH)
    def restart(self, which: int) -> None:
        holder = self.schedulers[which].leadership.own.holder
        self.schedulers[which] = self.engine.scheduler(holder)

    @precondition(lambda self: self.engine.supervisors.pending)
    @rule(pick=ANY)
    def supervisor_comes_up(self, pick: int) -> None:
        pending = self.engine.supervisors.pending
        self.engine.supervisors.arrive(pending.pop(pick % len(pending)))

    @precondition(lambda self: self.engine.supervisors.alive)
    @rule(pick=ANY, outcome=st.sampled_from(OUTCOMES))
    def attempt_ends(self, pick: int, outcome: str | None) -> None:
        if key := self.one(list(self.engine.supervisors.alive), pick):
            self.engine.supervisors.finish(self.engine.attempts.root, key, outcome)

    @precondition(lambda self: self.engine.supervisors.alive)
    @rule(pick=ANY)
    def supervisor_is_killed(self, pick: int) -> None:
        if key := self.one(list(self.engine.supervisors.alive), pick):
            self.engine.supervisors.kill(key)

    @precondition(lambda self: self.engine.supervisors.alive)
    @rule(pick=ANY, which=WHICH)
    def all_goes_wrong(self, pick: int, which: int) -> None:
        key = self.one(list(self.engine.supervisors.alive), pick)
        self.attempt_tells(pick, checkpoint=True)
        self.tick(which)
        if key in self.engine.supervisors.alive:
            self.engine.supervisors.kill(key)
        self.all_goes_well(which)
        self.tick(which)

    @precondition(lambda self: self.engine.supervisors.alive)
    @rule(pick=ANY, checkpoint=st.booleans())
    def attempt_tells(self, pick: int, checkpoint: bool) -> None:
        if key := self.one(list(self.engine.supervisors.alive), pick):
            self.told[key] += 1
            self.engine.spool(key, self.told[key])
            if checkpoint:
                self.engine.checkpoint(key, self.told[key])

    @rule(pick=ANY)
    def cancel(self, pick: int) -> None:
        if job := self.one(self.jobs(), pick):
            self.engine.stopper.cancel(self.engine.caller, "default", job.id)
            state = self.row(job.id).state
            if job.state == "queued":
                assert state == "cancelled", "a waiting job is cancelled at once"
            assert state in TERMINAL_STATES | {"cancelling"}

    @precondition(lambda self: len(self.jobs()) < 6)
    @rule(pick=ANY)
    def retry(self, pick: int) -> None:
        if job := self.one(self.jobs(), pick):
            try:
                made = self.engine.repeater.retry(self.engine.caller, "default", job.id, None)
            except Conflict:
                assert job.state not in TERMINAL_STATES
            else:
                assert job.state in TERMINAL_STATES
                assert made.retry_of == job.id

    @rule(seconds=st.sampled_from((0.5, 2, 6, 20, 400)))
    def wait(self, seconds: float) -> None:
        self.time.ahead += seconds

    # -- what holds all the time

    @invariant()
    def all_of_it(self) -> None:
        jobs = self.jobs()
        self.what_has_ended_stays_as_it_is(jobs)
        self.attempts_grow_within_what_is_allowed(jobs)
        self.an_attempt_runs_once_and_alone(jobs)
        self.slots_are_held_by_what_runs_only(jobs)
        self.back_off_is_honoured(jobs)
        self.attempt_rows_agree_with_their_job(jobs)
        self.a_token_lives_as_long_as_its_attempt(jobs)

    def what_has_ended_stays_as_it_is(self, jobs: list[JobRow]) -> None:
        for job in jobs:
            now = (job.state, job.attempt, job.revision)
            assert self.ended.get(job.id, now) == now
            if job.state in TERMINAL_STATES:
                self.ended[job.id] = now

    def attempts_grow_within_what_is_allowed(self, jobs: list[JobRow]) -> None:
        for job in jobs:
            assert self.attempt[job.id] <= job.attempt <= job.retries + 1
            self.attempt[job.id] = job.attempt

    def an_attempt_runs_once_and_alone(self, jobs: list[JobRow]) -> None:
        ran = Counter(self.engine.supervisors.ran)
        assert not [key for key, count in ran.items() if count > 1]
        alive = Counter(job for job, _ in self.engine.supervisors.alive)
        assert not [job for job, count in alive.items() if count > 1]
        for job, number in self.engine.supervisors.alive:
            row = next(row for row in jobs if row.id == job)
            assert row.attempt == number
            assert row.state in HOLDING

    def slots_are_held_by_what_runs_only(self, jobs: list[JobRow]) -> None:
        holding = [job for job in jobs if job.state in HOLDING]
        assert sum(job.cpus for job in holding) <= self.engine.capacity.cpus
        gpus = [gpu for job in holding for gpu in job.gpu_ids]
        assert len(gpus) == len(set(gpus)) == sum(job.gpus for job in holding)
        for job in jobs:
            if job.state == "queued":
                assert (job.gpu_ids, job.spool_offset) == ([], 0)

    def back_off_is_honoured(self, jobs: list[JobRow]) -> None:
        for job in jobs:
            if job.state == "queued" and job.not_before:
                self.due[job.id, job.attempt] = job.not_before.timestamp()
        with self.database.read() as session:
            for attempt in session.scalars(select(AttemptRow)):
                due = self.due.get((attempt.job_id, attempt.number), 0)
                assert attempt.created_at.timestamp() >= due - 0.01

    def attempt_rows_agree_with_their_job(self, jobs: list[JobRow]) -> None:
        with self.database.read() as session:
            rows = session.scalars(select(AttemptRow).order_by(AttemptRow.number)).all()
        for job in jobs:
            tries = [row for row in rows if row.job_id == job.id]
            assert [row.number for row in tries] == list(range(1, len(tries) + 1))
            over = tries if job.state not in HOLDING else tries[:-1]
            assert all(row.state in TERMINAL_STATES and row.finished_at for row in over)
            if job.state in HOLDING:
                assert (tries[-1].number, tries[-1].state) == (job.attempt, job.state)
            for row, following in pairwise(tries):
                assert row.exit_reason in AGAIN
                more = row.exit_reason == "out-of-memory"
                assert (following.memory_bytes or 0) >= (row.memory_bytes or 0) * (1 + 0.4 * more)

    def a_token_lives_as_long_as_its_attempt(self, jobs: list[JobRow]) -> None:
        with self.database.read() as session:
            for job in jobs:
                query = select(func.count()).select_from(TokenRow)
                count = session.scalar(query.where(TokenRow.subject == f"job/{job.id}"))
                assert count <= (job.state in HOLDING)

    # -- what holds in the end

    def everything_comes_to_an_end(self) -> None:
        supervisors = self.engine.supervisors
        for _ in range(200):
            for scheduler in self.schedulers:
                with suppress(LeaseLost):
                    scheduler.tick()
            while supervisors.pending:
                supervisors.arrive(supervisors.pending.pop())
            for key in list(supervisors.alive):
                supervisors.finish(self.engine.attempts.root, key, None)
            self.time.ahead += 30
            left = [
                job for job in self.jobs() if not (job.state in TERMINAL_STATES and job.run_closed)
            ]
            if not left:
                break
        assert not left, [(job.state, job.reason) for job in left]
        self.all_of_it()
        assert not [p for p in self.engine.attempts.root.iterdir() if p.is_dir()]
        for job in self.jobs():
            self.events_tell_the_whole_story(job)

    def events_tell_the_whole_story(self, job: JobRow) -> None:
        with self.database.read() as session:
            query = select(EventRow).where(EventRow.subject == f"job/{job.id}")
            events = session.scalars(query.order_by(EventRow.seq)).all()
        states = [e.payload["state"] for e in events if e.topic == "job.changed"]
        for before, after in pairwise(states):
            assert after == before or after in TRANSITIONS[before], states
        assert states[-1] == job.state
        number, heard = 1, Counter[tuple[str, int]]()
        for event in events:
            if event.topic == "job.attempt":
                assert event.payload["number"] >= number
                number = event.payload["number"]
            if event.topic == "job.log":
                key = (job.id, event.payload.get("attempt", 1))
                assert key[1] == number, "an event of another attempt than the one announced"
                heard[key] += 1
                assert event.payload["n"] == heard[key], "a gap or a repeat"
        assert heard == Counter({key: n for key, n in self.told.items() if key[0] == job.id})

    # -- looking

    def jobs(self) -> list[JobRow]:
        with self.database.read() as session:
            return list(session.scalars(select(JobRow).order_by(JobRow.id)))

    def row(self, job_id: str) -> JobRow:
        return next(job for job in self.jobs() if job.id == job_id)

    def rows(self) -> list[tuple[str, str, int]]:
        return [(job.id, job.state, job.revision) for job in self.jobs()]

    @staticmethod
    def one(found, pick):
        return found[pick % len(found)] if found else None


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("engine") / "db.sqlite"
    database = Database(f"sqlite:///{path}")
    database.migrate()
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    return path


@pytest.mark.slow
def test_no_order_of_events_breaks_the_engine(template: Path) -> None:
    Machine.template = template
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=30,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
