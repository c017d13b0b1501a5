"""The event log: resumable, filtered, told after commit only."""

from __future__ import annotations

import asyncio

import pytest

from dlsys_server.core import events, tail
from dlsys_server.core.database import Database
from dlsys_server.core.events import EventFilter, EventLog
from dlsys_server.core.ids import new_id


@pytest.fixture
def database(tmp_path):
    found = Database(f"sqlite:///{tmp_path / 'x.sqlite'}")
    found.migrate()
    yield found
    found.close()


def append(log, topic, subject="dataset/a", project="default", payload=None):
    with log.database.write() as session:
        log.append(session, topic, project=project, subject=subject, actor="ann", payload=payload)


def test_filters_by_project_topic_and_subject(database):
    log = EventLog(database)
    append(log, "dataset.committed")
    append(log, "job.metric", "job/1")
    append(log, "job.changed", "job/2")
    append(log, "dataset.committed", project="other")
    everything = EventFilter(("default",))
    assert [e.topic for e in log.read(0, everything)] == [
        "dataset.committed",
        "job.metric",
        "job.changed",
    ]
    some = EventFilter(("default",), ("dataset",), ("job/1",))
    assert [e.subject for e in log.read(0, some)] == ["dataset/a", "job/1"]
    assert log.read(log.last(), everything) == []


def test_a_rolled_back_transaction_tells_nothing(database):
    log = EventLog(database)

    def fail() -> None:
        with database.write() as session:
            log.append(session, "a.b", project="default", subject="x", actor="ann")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert log.last() == 0


async def test_followers_hear_soon_and_resume_where_they_were(database):
    log = EventLog(database)
    log.attach(asyncio.get_running_loop())
    await asyncio.to_thread(append, log, "a.one")
    heard = []

    async def listen():
        async for batch in log.follow(0, EventFilter(("default",))):
            heard.extend(e.topic for e in batch)
            if len(heard) == 3:
                return

    task = asyncio.create_task(listen())
    await asyncio.sleep(0.2)
    started = asyncio.get_running_loop().time()
    await asyncio.to_thread(append, log, "a.two")
    await asyncio.to_thread(append, log, "a.three")
    await asyncio.wait_for(task, 5)
    assert heard == ["a.one", "a.two", "a.three"]
    assert asyncio.get_running_loop().time() - started < 0.9, "woken, not polled"
    assert log.followers == 0


async def test_many_followers_need_one_look(database):
    log = EventLog(database)
    log.attach(asyncio.get_running_loop())
    heard = [0] * 40
    looks = count_selects(database)

    async def listen(number):
        async for batch in log.follow(0, EventFilter(("default",))):
            heard[number] += len(batch)
            if heard[number] == 3:
                return

    tasks = [asyncio.create_task(listen(number)) for number in range(40)]
    await asyncio.sleep(0.3)
    looks.clear()
    for topic in ("a.one", "a.two", "a.three"):
        await asyncio.to_thread(append, log, topic)
        await asyncio.sleep(0.1)
    await asyncio.wait_for(asyncio.gather(*tasks), 5)
    assert len(looks) < 20


def count_selects(database) -> list[str]:
    from sqlalchemy import event

    seen: list[str] = []

    @event.listens_for(database.engine, "before_cursor_execute")
    def note(_connection, _cursor, statement, *_):
        if statement.startswith("SELECT") and "events" in statement:
            seen.append(statement)

    return seen


@pytest.mark.parametrize("held", [1, 3, 2000])
async def test_followers_hear_all_they_want_in_order_however_much_is_held(
    database, held, monkeypatch
):
    monkeypatch.setattr(tail, "EVENTS", held)
    monkeypatch.setattr(events, "BATCH", 4)
    log = EventLog(database)
    log.attach(asyncio.get_running_loop())
    for number in range(9):
        append(log, f"old.{number}", "job/1" if number % 2 else "dataset/a")
    wanted = [
        (0, EventFilter(("default",))),
        (5, EventFilter(("default",), ("new",))),
        (3, EventFilter(("default",), ("old.1", "new.2"), ("job/1",))),
        (0, EventFilter(("other",))),
    ]
    heard: list[list[int]] = [[] for _ in wanted]

    async def listen(number, slow):
        async for batch in log.follow(*wanted[number]):
            heard[number] += [event.seq for event in batch]
            await asyncio.sleep(slow)

    tasks = [asyncio.create_task(listen(n, 0.02 * n)) for n in range(len(wanted))]
    await asyncio.sleep(0.1)
    for number in range(30):
        await asyncio.to_thread(append, log, f"new.{number}", "job/1" if number % 3 else "x/y")
    expected = [[e.seq for e in log.read(since, want, 500)] for since, want in wanted]
    for _ in range(200):
        if heard == expected:
            break
        await asyncio.sleep(0.05)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert heard == expected
    assert len(heard[0]) == 39


async def test_payloads_in_memory_are_bounded(database, monkeypatch):
    monkeypatch.setattr(tail, "PAYLOADS", 1000)
    log = EventLog(database)
    log.attach(asyncio.get_running_loop())
    heard: list[int] = []

    async def listen():
        async for batch in log.follow(0, EventFilter(("default",))):
            heard.extend(event.seq for event in batch)

    task = asyncio.create_task(listen())
    await asyncio.sleep(0.1)
    for number in range(20):
        append(log, f"big.{number}", payload={"text": "x" * 300})
        await asyncio.sleep(0.01)
    for _ in range(100):
        if len(heard) == 20:
            break
        await asyncio.sleep(0.05)
    task.cancel()
    assert len(heard) == 20
    assert len(log._tail._events) <= 3


@pytest.mark.postgres
def test_the_same_on_postgresql(postgres_url):
    log = EventLog(Database(postgres_url))
    log.database.migrate()
    append(log, "a.one")
    append(log, "b.two", "job/1")
    assert [e.topic for e in log.read(0, EventFilter(("default",), ("b",)))] == ["b.two"]
    log.database.close()


def test_ids_sort_in_the_order_they_were_made():
    ids = [new_id() for _ in range(2000)]
    assert ids == sorted(ids) and len(set(ids)) == 2000
    assert all(len(i) == 26 for i in ids)
