"""Two loops on one database, at the same moment."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

from sqlalchemy import select

from dlsys_server.training.tables import JobRow
from dlsys_server.workflows.tables import FiringRow

SCHEDULES, ROUNDS = 12, 4


def test_each_time_is_fired_once_by_two_loops(any_room: Callable) -> None:
    rooms = [any_room(), any_room()]
    made = [rooms[0].create("0 * * * *", overlap=overlap) for overlap in ("queue", "skip") * 6]
    assert len(made) == SCHEDULES
    barrier, errors = threading.Barrier(2), []

    def look(room) -> None:
        try:
            for _ in range(ROUNDS):
                barrier.wait(60)
                room.tick(hours=1)
                room.tick()
                barrier.wait(60)
                for schedule in made:
                    for job in room.jobs(schedule):
                        room.end(job.id)
                barrier.wait(60)
        except BaseException as error:
            errors.append(error)
            barrier.abort()
            raise

    threads = [threading.Thread(target=look, args=(room,)) for room in rooms]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert errors == []
    with rooms[0].parts.database.read() as session:
        firings = session.scalars(select(FiringRow)).all()
        jobs = session.scalars(select(JobRow)).all()
    assert Counter(f.state for f in firings) == {"submitted": SCHEDULES * ROUNDS}
    assert sorted(f.job_id for f in firings) == sorted(job.id for job in jobs)
    assert {job.run_key for job in jobs} == {f.run_key for f in firings}
    assert [room.parts.schedules.firer.error for room in rooms] == ["", ""]


def test_a_backfill_beside_the_loop_fires_once(any_room: Callable) -> None:
    from jupyter_dlsys.contract.schedules import BackfillRequest

    one, other = any_room(), any_room()
    made = one.create("0 * * * *")
    body = BackfillRequest(start=one.now, end=one.now.replace(hour=18))
    found: list[list] = []

    def fill(room) -> None:
        found.append(room.parts.schedules.backfill(room.owner, "default", made.id, body))

    threads = [threading.Thread(target=fill, args=(room,)) for room in (one, other)]
    threads.append(threading.Thread(target=lambda: other.tick(hours=6)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for _ in range(10):
        one.tick()
        for job in one.jobs(made):
            one.end(job.id)
    told = one.told(made)
    fired = [at for at, state in told if state == "submitted"]
    assert fired == sorted(set(fired)) and set(fired) == {f"{h}:00" for h in range(12, 19)}
    assert len(one.jobs(made)) == len(fired)
