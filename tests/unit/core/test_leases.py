"""Leases: one holder at a time, and one that lost it changes nothing."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from dlsys_server.core import clock
from dlsys_server.core.database import Database
from dlsys_server.core.leases import FencedDatabase, Lease, LeaseLost
from dlsys_server.core.tables import LeaseRow

POSTGRES = pytest.param("postgres", marks=[pytest.mark.postgres, pytest.mark.integration])


@pytest.fixture(params=["sqlite", POSTGRES])
def database(request, tmp_path):
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
    else:
        url = f"sqlite:///{tmp_path / 'x.sqlite'}"
    found = Database(url)
    found.migrate()
    yield found
    found.close()


def run_out(database: Database) -> None:
    with database.write() as session:
        session.get(LeaseRow, "x").until = clock.now() - timedelta(seconds=1)


def test_the_second_waits_until_the_first_is_gone(database):
    first, second = Lease(database, "x", "a", 30), Lease(database, "x", "b", 1.0)
    assert first.hold() and first.hold()
    assert not second.hold()
    first.release()
    time.sleep(0.11)
    assert second.hold()
    assert (first.fence, second.fence) == (1, 2)
    assert not first.hold()


def test_a_lease_that_ran_out_is_taken_and_its_old_holder_changes_nothing(database):
    first, second = Lease(database, "x", "a"), Lease(database, "x", "b")
    guarded = FencedDatabase(database, first)
    assert first.hold()
    with guarded.write() as session:
        session.add(LeaseRow(name="mine", holder="a", fence=1, until=clock.now()))
    run_out(database)
    with guarded.write():
        pass  # nobody took it: it is still ours
    assert second.hold()
    with pytest.raises(LeaseLost), guarded.write() as session:
        session.add(LeaseRow(name="late", holder="a", fence=1, until=clock.now()))
    with database.read() as session:
        assert session.get(LeaseRow, "mine") is not None
        assert session.get(LeaseRow, "late") is None


def test_the_next_life_of_a_holder_need_not_wait(database):
    first, again = Lease(database, "x", "a"), Lease(database, "x", "a")
    assert first.hold() and again.hold()
    assert again.fence == first.fence + 1
    with pytest.raises(LeaseLost), FencedDatabase(database, first).write():
        pass
    assert not first.hold(), "and does not take it back from its successor"


def test_of_many_that_want_it_one_has_it(database):
    leases = [Lease(database, "x", f"h{n}") for n in range(8)]
    won: list[str] = []

    def want(lease: Lease) -> None:
        if lease.hold():
            won.append(lease.holder)

    threads = [threading.Thread(target=want, args=(lease,)) for lease in leases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(LeaseRow)) == 1
        assert session.get(LeaseRow, "x").holder == won[0]
