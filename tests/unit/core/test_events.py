"""The event log: resumable, filtered, told after commit only."""

from __future__ import annotations

import asyncio

import pytest

from dlsys_server.core.database import Database
from dlsys_server.core.errors import Broken
from dlsys_server.core.events import EventFilter, EventLog
from dlsys_server.core.ids import new_id


@pytest.fixture
def database(tmp_path):
    found = Database(f"sqlite:///{tmp_path / 'x.sqlite'}")
    found.migrate()
    yield found
    found.close()


def append(log, topic, subject="dataset/a", project="default"):
    with log.database.write() as session:
        log.append(session, topic, project=project, subject=subject, actor="ann", payload={})


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


def test_an_unknown_schema_revision_is_refused(database):
    with database.write() as session:
        from sqlalchemy import text

        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Broken, match="revision 9999"):
        database.migrate()


def test_the_schema_is_what_the_migrations_make(database):
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    import dlsys_server.app  # noqa: F401  all tables
    from dlsys_server.core.tables import Base

    with database.engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    assert found == []


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
