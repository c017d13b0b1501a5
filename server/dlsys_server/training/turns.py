"""The policy on the queue as it is now: whose turn it is, and what is thought of time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

from jupyter_dlsys.contract.jobs import Resources

from .durations import Durations, Round
from .forecasting import Estimate
from .placing import Workers
from .queueing import Candidate, Limits, Outlook, Running, in_order
from .sharing import Shares
from .slots import Capacity


class Turns:
    """Brings together capacity, limits, history and shares."""

    def __init__(
        self,
        workers: Workers,
        limits: Callable[[], Limits],
        durations: Durations,
        shares: Shares,
    ) -> None:
        self.workers, self._limits = workers, limits
        self.durations, self.shares = durations, shares

    @property
    def limits(self) -> Limits:
        """What users and projects may hold now. Not while a session is open."""
        return self._limits()

    @property
    def capacity(self) -> Capacity:
        """Of all machines together."""
        return self.workers.pooled()

    def machine(self, wanted: Resources) -> Capacity:
        """One that could run a job that wants this; this one when none could."""
        return self.workers.machine(
            Candidate(
                id="",
                name="",
                project="",
                owner="",
                cpus=wanted.cpus,
                gpus=wanted.gpus,
                gpu_share=wanted.gpu_share,
                memory_limit=wanted.memory_bytes,
            )
        )

    def ordered(
        self,
        waiting: Iterable[Candidate],
        running: Sequence[Running],
        times: Round,
        now: float,
    ) -> Iterator[Candidate]:
        """The waiting jobs, the next one first. What runs counts with the time it will take."""
        jobs = list(waiting)
        had: dict[str, float] = {}
        if len({job.owner for job in jobs}) > 1:
            had = self.shares.used(running, now)
            for one in running:
                seconds = max(times.typical(one.job), now - (one.started or now))
                cost = self.shares.cost(one.job, seconds)
                had[one.job.owner] = had.get(one.job.owner, 0.0) + cost
        return in_order(jobs, had, lambda job: self.shares.cost(job, times.typical(job)))


def left(one: Running, times: Round, now: float) -> Estimate | None:
    """What is left of a running job."""
    found = times(one.job)
    if found is None or one.started is None:
        return found
    return found.left(max(0.0, now - one.started))


def outlook(times: Round, now: float) -> Outlook:
    """For `decide`: only what is nearly sure lets a job pass."""

    def longest(job: Candidate) -> float:
        found = times(job)
        return found.high if found is not None else job.timeout or math.inf

    def soonest(one: Running) -> float:
        found = left(one, times, now)
        return now if found is None else now + found.low

    return Outlook(longest, soonest)
