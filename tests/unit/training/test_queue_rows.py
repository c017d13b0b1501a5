"""The queue over a real database: what is started, skipped, said and read."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy import event, insert, select, update

from dlsys_server.core import clock
from dlsys_server.core.database import Database
from dlsys_server.core.events import EventFilter, EventLog
from dlsys_server.core.ids import new_id
from dlsys_server.core.peers import Peers
from dlsys_server.training.announcing import Announcer
from dlsys_server.training.dispatching import Dispatcher
from dlsys_server.training.durations import Durations
from dlsys_server.training.explaining import Explainer
from dlsys_server.training.gathering import Gatherer
from dlsys_server.training.placing import Workers
from dlsys_server.training.queueing import Limits
from dlsys_server.training.sharing import Shares
from dlsys_server.training.slots import Capacity
from dlsys_server.training.tables import JobRow
from dlsys_server.training.turns import Turns

GB = 2**30


class Launched(list):
    """Stands where processes are started: a record of the jobs."""

    def launch(self, job_id: str) -> None:
        self.append(job_id)

    def waits_for(self, owner: str) -> str:
        return ""

    def blocked(self) -> str:
        return ""


class Queue:
    """The parts of the queue on one database."""

    def __init__(self, url: str, limits: Limits | None = None, gpus: tuple[str, ...] = ()) -> None:
        self.database = Database(url)
        self.database.migrate()
        self.launched = Launched()
        capacity = Capacity(2, 8 * GB, gpus)
        gatherer, durations = Gatherer(), Durations(self.database)
        workers = Workers(Peers(self.database, "w"), capacity)
        shares = Shares(self.database, capacity)
        turns = Turns(workers, lambda: limits or Limits(), durations, shares)
        self.events = EventLog(self.database)
        leadership = SimpleNamespace(leader_database=self.database, worker="w")
        self.dispatcher = Dispatcher(
            leadership, gatherer, turns, self.launched, Announcer(self.events)
        )
        self.explainer = Explainer(self.database, gatherer, turns, self.launched)

    def add(self, state: str = "queued", **values) -> str:
        return self.add_all([{"state": state, **values}])[0]

    def add_all(self, jobs: list[dict]) -> list[str]:
        rows = [
            {
                "id": new_id(),
                "project": "default",
                "owner": "ann",
                "name": "train",
                "kind": "script",
                "source": "a.py",
                "source_hash": "h",
                "bundle_sha": "0",
                "parameters": {},
                "inputs": {},
                "cpus": 1.0,
                "gpus": 0,
                "created_at": clock.now(),
                **job,
            }
            for job in jobs
        ]
        with self.database.write() as session:
            session.execute(insert(JobRow), rows)
        return [row["id"] for row in rows]

    def set(self, job: str, **values) -> None:
        with self.database.write() as session:
            values = {"revision": JobRow.revision + 1, **values}
            session.execute(update(JobRow).where(JobRow.id == job).values(**values))

    def row(self, job: str) -> JobRow:
        with self.database.read() as session:
            return session.get(JobRow, job)

    def reason(self, job: str) -> str:
        self.explainer._picture = None
        return self.explainer.picture().place(job).reason


@pytest.fixture
def make_queue(tmp_path) -> Iterator:
    made: list[Queue] = []

    def make(**options) -> Queue:
        made.append(Queue(f"sqlite:///{tmp_path / f'{len(made)}.sqlite'}", **options))
        return made[-1]

    yield make
    for queue in made:
        queue.database.close()


def test_each_waiting_job_says_why_and_no_row_is_written_for_it(make_queue):
    queue = make_queue(gpus=("0",))
    queue.add("running", cpus=1.0, gpus=1, gpu_ids=["0"], memory_bytes=6 * GB, name="now")
    wide = queue.add(cpus=2.0)
    gpu = queue.add(gpus=1, cpus=0.5)
    behind = queue.add(gpus=1, cpus=0.5)
    much = queue.add(memory_bytes=4 * GB, cpus=0.5)
    again = queue.add(
        attempt=2,
        reason="Attempt 2 of 3 in 4 s: the worker was lost",
        not_before=clock.now() + timedelta(seconds=60),
    )
    after = queue.add(after=[wide])
    rows = {job: queue.row(job).revision for job in (wide, gpu, behind, much, again, after)}
    queue.dispatcher.dispatch()
    assert queue.launched == []
    assert queue.reason(wide) == "Next: keeps 2 CPUs free for it, 1 are"
    assert queue.reason(gpu).startswith("Waiting for a free GPU (")
    assert queue.reason(behind).startswith("Waiting for a free GPU (")
    assert queue.reason(much).startswith("Waiting for memory: 4 GB asked, 2 GB free")
    assert queue.reason(again) in (
        "Attempt 2 of 3 in 60 s: the worker was lost",
        "Attempt 2 of 3 in 59 s: the worker was lost",
    )
    assert queue.reason(after) == f"Waiting for train ({wide}) to succeed"
    places = [queue.explainer.picture().place(job).position for job in rows]
    assert sorted(places) == [1, 2, 3, 4, 5, 6] and places[0] == 1
    assert {job: queue.row(job).revision for job in rows} == rows


def test_limits_are_explained_and_let_others_pass(make_queue):
    queue = make_queue(limits=Limits(user_jobs=1))
    queue.add("running", cpus=0.5)
    mine, other = queue.add(cpus=0.5), queue.add(cpus=0.5, owner="bob")
    queue.dispatcher.dispatch()
    assert queue.launched == [other]
    assert queue.reason(mine) == "You already run 1 of the 1 jobs you may run at once"


def test_jobs_start_after_those_they_wait_for_or_are_skipped_with_words(make_queue):
    queue = make_queue()
    first = queue.add(name="prepare")
    second = queue.add(after=[first])
    third = queue.add(after=[first, second])
    queue.dispatcher.dispatch()
    assert queue.launched == [first]
    queue.set(first, state="succeeded", finished_at=clock.now())
    queue.dispatcher.dispatch()
    assert queue.launched == [first, second]
    queue.set(second, state="failed", finished_at=clock.now())
    queue.dispatcher.dispatch()
    row = queue.row(third)
    assert (row.state, row.exit_reason, row.run_closed) == ("skipped", "upstream", True)
    assert row.reason == f"Skipped: train ({second}) failed" and row.finished_at


@pytest.mark.postgres
def test_the_queue_is_the_same_on_postgresql(postgres_url):
    queue = Queue(postgres_url)
    begin = clock.now() - timedelta(seconds=30)
    past = {"parameters": {"b": 1, "a": 2}, "started_at": begin, "finished_at": clock.now()}
    queue.add_all([{"state": "succeeded", **past}] * 3)
    first = queue.add(parameters={"a": 2, "b": 1}, cpus=2.0)
    second, other = queue.add(after=[first]), queue.add(owner="bob")
    place = queue.explainer.picture().place(second)
    assert place.reason == f"Waiting for train ({first}) to succeed" and place.position == 3
    assert place.forecast.based_on == 3
    queue.dispatcher.dispatch()
    assert queue.launched == [other]
    queue.set(other, state="succeeded", started_at=begin, finished_at=clock.now())
    queue.dispatcher.dispatch()
    queue.set(first, state="lost", finished_at=clock.now())
    queue.dispatcher.dispatch()
    assert queue.launched == [other, first] and queue.row(second).state == "skipped"
    queue.database.close()


def test_a_chain_is_skipped_to_its_end(make_queue):
    queue = make_queue()
    failed = queue.add("cancelled", name="a")
    chain = [queue.add(after=[failed], name="b")]
    for name in "cde":
        chain.append(queue.add(after=[chain[-1]], name=name))
    queue.dispatcher.dispatch()
    assert {queue.row(job).state for job in chain} == {"skipped"}
    assert queue.row(chain[0]).reason == f"Skipped: a ({failed}) was cancelled"
    assert queue.row(chain[1]).reason == f"Skipped: b ({chain[0]}) was skipped"


def test_somebodys_thousands_do_not_hide_anothers_job(make_queue):
    queue = make_queue()
    queue.add("succeeded", started_at=clock.now() - timedelta(60), finished_at=clock.now())
    queue.add_all([{"state": "queued", "cpus": 2.0}] * 2000)
    other = queue.add(owner="bob", cpus=2.0)
    queue.dispatcher.dispatch()
    assert queue.launched == [other]


def test_rounds_and_answers_read_few_rows_however_long_the_queue(make_queue):
    queue = make_queue()
    queue.add("running", cpus=2.0, started_at=clock.now())
    queue.add_all([{"state": "queued", "source_hash": f"h{n % 7}"} for n in range(1000)])
    past = {"started_at": clock.now() - timedelta(seconds=9), "finished_at": clock.now()}
    queue.add_all([{"state": "succeeded", **past} for _ in range(1000)])
    queue.dispatcher.dispatch()
    statements: list[str] = []
    event.listen(
        queue.database.engine,
        "before_cursor_execute",
        lambda conn, cursor, statement, *rest: statements.append(statement),
    )
    queue.dispatcher.dispatch()
    assert len([s for s in statements if s.startswith("SELECT")]) <= 2
    statements.clear()
    queue.explainer._picture = None
    ids = list(queue.explainer.picture().waiting)
    for job in ids[:200]:
        queue.explainer.picture(job).place(job)
    assert len([s for s in statements if s.startswith("SELECT")]) <= 2 + 3 * 7
    assert not [s for s in statements if s.startswith(("UPDATE", "INSERT"))]


def test_every_look_uses_an_index(make_queue):
    queue = make_queue()
    job = queue.add()
    statements: list[tuple] = []
    event.listen(
        queue.database.engine,
        "before_cursor_execute",
        lambda conn, cursor, statement, values, *rest: statements.append((statement, values)),
    )
    queue.add(owner="bob")
    statements.clear()
    queue.explainer.picture(job)
    queue.dispatcher.dispatch()
    looks = [s for s in statements if s[0].startswith("SELECT") and "FROM job" in s[0]]
    assert len(looks) >= 4
    with queue.database.engine.connect() as connection:
        for statement, values in looks:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            words = " ".join(row[3] for row in plan)
            assert "SCAN job" not in words, f"{words}\n{statement}"


def test_the_queue_is_announced_once_a_second_at_most(make_queue):
    queue = make_queue()

    def told():
        wanted = EventFilter(("default",), subjects=("queue",))
        return [e.payload for e in queue.events.read(0, wanted)]

    queue.add("running", cpus=2.0)
    queue.add()
    queue.dispatcher.dispatch()
    assert told() == [{"waiting": 1, "running": 1}]
    for _ in range(3):
        queue.add()
        assert queue.dispatcher.dispatch(), "there is more to tell"
    assert len(told()) == 1
    time.sleep(1.05)
    queue.dispatcher.dispatch()
    queue.dispatcher.dispatch()
    assert told()[1:] == [{"waiting": 4, "running": 1}]


def test_a_forecast_comes_from_the_same_source_first_and_says_from_how_many(make_queue):
    queue = make_queue()

    def past(seconds, **values):
        begin = clock.now() - timedelta(hours=1)
        end = begin + timedelta(seconds=seconds)
        return {"state": "succeeded", "started_at": begin, "finished_at": end, **values}

    queue.add_all([past(100, source="a.py", source_hash="old")] * 4)
    queue.add_all([past(10, source="a.py", source_hash="same")] * 3)
    queue.add_all([past(1000, source="b.py", source_hash="b")] * 5)
    queue.add_all([past(7, project="other", source="a.py", source_hash="same")] * 9)
    queue.add("running", cpus=2.0, source_hash="same", started_at=clock.now())
    same = queue.add(source_hash="same")
    name, any_ = queue.add(source_hash="new"), queue.add(source="c.py", source_hash="c")
    picture = queue.explainer.picture()
    found = [picture.place(job).forecast for job in (same, name, any_)]
    assert [f.based_on for f in found] == [3, 7, 12]
    assert found[0].runs_for.likely == pytest.approx(10, rel=0.05)
    assert found[0].starts_in.low <= 10 <= found[0].starts_in.high
    nothing = queue.add(project="empty")
    queue.explainer._picture = None
    assert queue.explainer.picture().place(nothing).forecast.runs_for is None


def test_the_order_of_the_queue_is_the_order_of_starts(make_queue):
    queue = make_queue()
    queue.add("running", cpus=2.0, started_at=clock.now() - timedelta(seconds=60))
    low, high = queue.add(cpus=2.0), queue.add(priority=5, cpus=2.0)
    other = queue.add(owner="bob", cpus=2.0)
    entries = queue.explainer.picture().entries("default", 10)
    assert [e.job for e in entries] == [high, other, low]
    assert [e.position for e in entries] == [1, 2, 3]
    assert entries[2].reason == "Waiting for 2 free CPUs (2 ahead of you)"
    with queue.database.read() as session:
        running = session.scalar(select(JobRow.id).where(JobRow.state == "running"))
    for expected in (high, other, low):
        begin = clock.now() - timedelta(seconds=60)
        queue.set(running, state="succeeded", finished_at=clock.now(), started_at=begin)
        queue.dispatcher.dispatch()
        assert queue.launched[-1] == expected
        running = expected
