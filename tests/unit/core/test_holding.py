"""A lease kept by a thread of its own."""

from __future__ import annotations

import time
from pathlib import Path

from dlsys_server.core.database import Database
from dlsys_server.core.holding import Holding
from dlsys_server.core.leases import Lease


def wait(condition, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_one_holds_through_long_work_and_the_next_has_it_after_its_end(tmp_path: Path):
    database = Database(f"sqlite:///{tmp_path / 'd.sqlite'}")
    database.migrate()
    told: list[str] = []
    one = Holding(Lease(database, "gateway", "one", 5.0), lambda: told.append("one"))
    two = Holding(Lease(database, "gateway", "two", 5.0), lambda: told.append("two"))
    one.start()
    wait(lambda: one.held)
    two.start()
    wait(lambda: two.lost)
    time.sleep(6)  # longer than the lease
    assert one.held and not one.lost and not two.held
    one.stop()
    assert not one.held and not one.lost  # nobody else is known to have it
    wait(lambda: two.held)
    assert not two.lost and told == ["one", "two"]
    two.stop()
    database.close()
