"""Jobs on the machines of several platforms: each fits where it is put, and counts everywhere."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

from dlsys_server.training.placing import Workers
from dlsys_server.training.queueing import Candidate, Limits, Outlook, Running
from dlsys_server.training.slots import Capacity

GB = 2**30
OUTLOOK = Outlook(longest=lambda _job: math.inf, soonest=lambda _one: 0.0)


def workers(**others: Capacity) -> Workers:
    peers = {
        name: SimpleNamespace(cpus=c.cpus, memory_bytes=c.memory_bytes, gpus=c.gpus)
        for name, c in others.items()
    }
    return Workers(
        SimpleNamespace(worker="a", many=True, living=lambda: peers),  # type: ignore[arg-type]
        Capacity(2, 8 * GB, ("0",)),
    )


def job(name: str, **values) -> Candidate:
    return Candidate(name, name, "default", values.pop("owner", "ann"), **values)


def placed(found: list[Running]) -> dict[str, str]:
    return {one.job.id: one.worker for one in found}


def test_all_machines_are_filled_the_freest_first():
    two = workers(b=Capacity(3, 8 * GB, ()))
    found = two.place(lambda: (job(str(n)) for n in range(6)), [], Limits(), OUTLOOK, 0)
    assert placed(found) == {"0": "b", "1": "b", "2": "b", "3": "a", "4": "a"}


def test_what_runs_on_a_machine_holds_its_slots_only():
    two = workers(b=Capacity(2, 8 * GB, ("0",)))
    busy = Running(job("x", cpus=2, gpus=1), ("0",), 0.0, "b")
    found = two.place(
        lambda: iter([job("1", gpus=1), job("2", gpus=1)]), [busy], Limits(), OUTLOOK, 0
    )
    assert [(one.job.id, one.worker, one.gpu_ids) for one in found] == [("1", "a", ("0",))]


def test_a_limit_counts_over_all_machines():
    two = workers(b=Capacity(2, 8 * GB, ()))
    running = [Running(job("x"), (), 0.0, "b"), Running(job("y"), (), 0.0, "gone")]
    ready = [job("1"), job("2"), job("3", owner="dan")]
    found = two.place(lambda: iter(ready), running, Limits(user_jobs=3), OUTLOOK, 0)
    assert sorted(placed(found)) == ["1", "3"]


def test_a_job_that_is_tried_again_stays_while_its_worker_lives():
    two = workers(b=Capacity(8, 8 * GB, ()))
    again = job("1", worker="a")
    assert placed(two.place(lambda: iter([again]), [], Limits(), OUTLOOK, 0)) == {"1": "a"}
    lost = replace(again, worker="gone")
    assert placed(two.place(lambda: iter([lost]), [], Limits(), OUTLOOK, 0)) == {"1": "b"}


def test_a_job_too_large_for_a_machine_keeps_nobody_from_it():
    two = workers(b=Capacity(4, 8 * GB, ()))
    ready = [job("large", cpus=4), job("small")]
    busy = Running(job("x"), (), 0.0, "b")
    assert placed(two.place(lambda: iter(ready), [busy], Limits(), OUTLOOK, 0)) == {"small": "a"}


def test_the_queue_is_explained_with_all_machines_together():
    two = workers(b=Capacity(3, 4 * GB, ("0",)))
    assert two.pooled() == Capacity(5, 12 * GB, ("0", "b/0"))
    [one] = two.pooled_running([Running(job("x", gpus=1), ("0",), 0.0, "b")])
    assert one.gpu_ids == ("b/0",)
    wanted = job("y", cpus=3)
    assert two.machine(wanted).cpus == 3 and two.machine(job("z", cpus=9)).cpus == 2


def test_a_long_queue_is_read_only_as_far_as_there_is_room():
    two, read = workers(b=Capacity(3, 8 * GB, ())), []

    def ordered():
        for number in range(10_000):
            read.append(number)
            yield job(str(number))

    found = two.place(ordered, [], Limits(), OUTLOOK, 0)
    assert len(found) == 5
    assert len(read) < 30
