"""The queue's policy: what must hold for every queue, and the cases that it was made for."""

from __future__ import annotations

import heapq
import math
import random
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from dlsys_server.training.queueing import (
    PATIENCE_SECONDS,
    Candidate,
    Holdings,
    Limits,
    Outlook,
    Running,
    amount,
    decide,
    in_order,
)
from dlsys_server.training.slots import Capacity, Slots

GB = 2**30
CAPACITY = Capacity(4, 16 * GB, ("0", "1"))
NOTHING_KNOWN = Outlook(lambda _job: math.inf, lambda _one: 0.0)


def a_job(number: int, **values) -> Candidate:
    fields = {"id": f"J{number:05}", "name": "n", "project": "p", "owner": "ann", **values}
    return Candidate(**fields)


def started(jobs, running=(), capacity=CAPACITY, limits=None, outlook=NOTHING_KNOWN, now=0.0):
    holdings = Holdings(capacity, limits or Limits(), running)
    return [one.job.id for one in decide(jobs, holdings, outlook, now).starts]


@st.composite
def queues(draw):
    count = draw(st.integers(1, 25))
    jobs = []
    for number in range(count):
        gpus = draw(st.sampled_from([0, 0, 0, 1, 1, 2]))
        share = draw(st.sampled_from([1.0, 1.0, 0.3, 0.5])) if gpus == 1 else 1.0
        jobs.append(
            a_job(
                number,
                owner=draw(st.sampled_from(["ann", "bob", "cid"])),
                project=draw(st.sampled_from(["p", "q"])),
                priority=draw(st.sampled_from([0, 0, 5])),
                cpus=draw(st.sampled_from([0.5, 1, 2, 4])),
                gpus=gpus,
                gpu_share=share,
                memory_limit=draw(st.sampled_from([None, GB, 9 * GB])),
                since=0.0,
            )
        )
    return jobs


LIMITS = st.builds(
    Limits,
    user_jobs=st.sampled_from([None, 1, 3]),
    user_cpus=st.sampled_from([0, 4]),
    user_gpus=st.sampled_from([0, 2]),
    project_jobs=st.sampled_from([None, 2]),
    project_gpus=st.sampled_from([0, 2]),
)


class Machine:
    """Plays a queue to its end with the policy's own decisions, and checks each of them."""

    def __init__(self, jobs, limits, real, guessed):
        self.waiting = {job.id: job for job in jobs}
        self.limits, self.real, self.guessed = limits, real, guessed
        self.running, self.ends, self.now = {}, [], 0.0
        self.used, self.begun = {}, {}

    def outlook(self):
        def soonest(one):
            return one.started + self.guessed.get(one.job.id, 0.0)

        return Outlook(lambda job: self.guessed.get(job.id, math.inf), soonest)

    def play(self):
        while True:
            self.start()
            if not self.ends:
                return
            self.now, job_id = heapq.heappop(self.ends)
            one = self.running.pop(job_id)
            cost = CAPACITY.part(one.job) * self.real[job_id]
            self.used[one.job.owner] = self.used.get(one.job.owner, 0.0) + cost

    def start(self):
        had = dict(self.used)
        for one in self.running.values():
            owner = one.job.owner
            had[owner] = had.get(owner, 0.0) + CAPACITY.part(one.job) * 10
        ordered = list(in_order(self.waiting.values(), had, lambda job: CAPACITY.part(job) * 10))
        holdings = Holdings(CAPACITY, self.limits, self.running.values())
        for one in decide(ordered, holdings, self.outlook(), self.now).starts:
            self.running[one.job.id] = one
            del self.waiting[one.job.id]
            self.begun[one.job.id] = self.now
            heapq.heappush(self.ends, (self.now + self.real[one.job.id], one.job.id))
        self.check()

    def check(self):
        free = Slots.left(CAPACITY, [replace_ids(one) for one in self.running.values()])
        assert free.cpus > -1e-6 and free.memory_bytes >= 0
        assert all(share > -1e-6 for share in free.free_gpus.values())
        for one in self.running.values():
            assert len(one.gpu_ids) == one.job.gpus
            for limit in self.limits.of(one.job):
                held = sum(
                    amount(other.job, limit.what)
                    for other in self.running.values()
                    if limit.who == getattr(other.job, "owner" if limit.of == "user" else "project")
                )
                assert held <= limit.allowed + 1e-6


def replace_ids(one):
    class Held:
        cpus, gpus = one.job.cpus, one.job.gpus
        gpu_share, memory_limit, gpu_ids = one.job.gpu_share, one.job.memory_limit, one.gpu_ids

    return Held()


@settings(deadline=None, max_examples=150)
@given(queues(), LIMITS, st.randoms(use_true_random=False), st.floats(0, 1))
def test_nothing_is_given_twice_limits_hold_and_all_start_whatever_the_forecasts(
    jobs, limits, chance, known
):
    real = {job.id: chance.uniform(1, 100) for job in jobs}
    guessed = {j: chance.uniform(0.1, 200) for j in real if chance.random() < known}
    machine = Machine(jobs, limits, real, guessed)
    machine.play()
    assert not machine.waiting, "these never started"
    again = Machine(list(reversed(jobs)), limits, real, guessed)
    again.play()
    assert machine.begun == again.begun, "the same queue was played in another way"


@settings(deadline=None, max_examples=100)
@given(queues(), st.randoms(use_true_random=False))
def test_a_reserved_job_starts_no_later_than_without_those_that_passed_it(jobs, chance):
    """With forecasts that are right, backfilling does not delay the first job that has to wait."""
    real = {job.id: chance.uniform(1, 100) for job in jobs}
    machine = Machine(jobs, Limits(), real, dict(real))
    machine.start()
    if not machine.waiting or not machine.running:
        return
    had = {}
    for one in machine.running.values():
        had[one.job.owner] = had.get(one.job.owner, 0.0) + CAPACITY.part(one.job) * 10
    ordered = in_order(machine.waiting.values(), had, lambda job: CAPACITY.part(job) * 10)
    first = next(iter(ordered))
    others = list(machine.waiting.values())

    def begin_of(waiting):
        running = dict(machine.running)
        ends = list(machine.ends)
        left, now = list(waiting), 0.0
        while True:
            holdings = Holdings(CAPACITY, Limits(), running.values())
            for one in decide(left, holdings, machine.outlook(), now).starts:
                if one.job.id == first.id:
                    return now
                running[one.job.id] = one
                left.remove(one.job)
                heapq.heappush(ends, (now + real[one.job.id], one.job.id))
            now, ended = heapq.heappop(ends)
            running.pop(ended)

    heapq.heapify(machine.ends)
    behind = [job for job in others if job.id != first.id]
    assert begin_of([first, *behind]) <= begin_of([first]) + 1e-6


def test_equal_users_get_equal_parts_in_the_long_run():
    chance = random.Random(4)
    jobs = [a_job(n, owner="ann", cpus=1) for n in range(400)]
    jobs += [a_job(400 + n, owner="bob", cpus=2) for n in range(400)]
    real = {job.id: chance.uniform(5, 15) for job in jobs}
    machine = Machine(jobs, Limits(), real, {})
    while min(len([j for j in machine.waiting.values() if j.owner == o]) for o in ("ann", "bob")):
        machine.start()
        machine.now, job_id = heapq.heappop(machine.ends)
        one = machine.running.pop(job_id)
        part = CAPACITY.part(one.job) * real[job_id]
        machine.used[one.job.owner] = machine.used.get(one.job.owner, 0.0) + part
    assert 0.9 < machine.used["ann"] / machine.used["bob"] < 1.1


def test_somebody_new_does_not_wait_behind_ten_thousand_jobs_of_another():
    jobs = [a_job(n, owner="ann") for n in range(10_000)] + [a_job(10_000, owner="bob")]
    order = in_order(jobs, {"ann": 5.0}, lambda job: 1.0)
    assert next(iter(order)).owner == "bob"
    urgent = a_job(10_001, owner="ann", priority=1)
    assert next(iter(in_order([*jobs, urgent], {"ann": 5.0}, lambda job: 1.0))) is urgent


def test_a_large_job_is_not_starved_by_small_ones():
    running = [Running(a_job(90 + n, cpus=1), (), 0.0) for n in range(3)]
    large, small = a_job(1, cpus=4), a_job(2, cpus=1)
    assert started([large, small], running) == []
    short = Outlook(lambda job: 5.0, lambda one: 10.0)
    assert started([large, small], running, outlook=short) == ["J00002"]
    long = Outlook(lambda job: 15.0, lambda one: 10.0)
    assert started([large, small], running, outlook=long) == []
    waited = replace(large, since=-PATIENCE_SECONDS - 1)
    assert started([waited, small], running, outlook=short) == []


def test_one_that_waits_for_a_gpu_keeps_back_those_that_want_one_but_not_the_others():
    running = [Running(a_job(90 + n, gpus=1, cpus=0.5), (str(n),), 0.0) for n in range(1)]
    both, one_gpu, no_gpu = a_job(1, gpus=2), a_job(2, gpus=1), a_job(3, cpus=1)
    assert started([both, one_gpu, no_gpu], running) == ["J00003"]


def test_a_limited_job_lets_others_pass_but_not_those_of_the_same_limit():
    limits = Limits(user_jobs=2, user_cpus=3)
    running = [Running(a_job(90, owner="ann", cpus=1), (), 0.0)]
    large = a_job(1, owner="ann", cpus=3)
    small, other = a_job(2, owner="ann", cpus=1), a_job(3, owner="bob", cpus=1)
    holdings = Holdings(CAPACITY, limits, running)
    decision = decide([large, small, other], holdings, NOTHING_KNOWN, 0.0)
    assert [one.job.id for one in decision.starts] == ["J00003"]
    assert decision.limited["J00001"].what == "cpus" and "J00002" in decision.limited


def test_jobs_share_a_gpu_while_their_parts_fit():
    jobs = [a_job(n, gpus=1, gpu_share=share, cpus=0.1) for n, share in enumerate([0.5, 0.3, 0.2])]
    holdings = Holdings(CAPACITY, Limits())
    decision = decide([*jobs, a_job(9, gpus=1, cpus=0.1)], holdings, NOTHING_KNOWN, 0.0)
    assert [one.gpu_ids for one in decision.starts] == [("0",), ("0",), ("0",), ("1",)]
    assert holdings.free.gpus == []
    assert holdings.free.lacking(a_job(10, gpus=1, gpu_share=0.5)) == "50% of a GPU"
    holdings.remove("J00000")
    assert holdings.free.fits(a_job(10, gpus=1, gpu_share=0.5))
    assert holdings.free.lacking(a_job(11, gpus=1)) == "a free GPU"
