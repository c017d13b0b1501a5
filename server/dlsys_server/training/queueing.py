"""Who starts next: the whole policy, without database or clock.

Order: priority, then who holds and used least (`in_order`), then age. A job starts when it fits and
no limit of its user or project is in the way. The first job that lacks CPUs, memory or GPUs
reserves what it needs for the time at which it can start at the earliest; a later job may pass only
where that does not delay it: beside it, or when it surely ends before.

Method: EASY backfilling (D. Lifka, JSSPP 1995) with a reservation for each scarce resource, and
dominant resource fairness between users (A. Ghodsi et al., NSDI 2011).
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from jupyter_dlsys.contract.quotas import QuotaKind

from .slots import CRUMB, Asks, Capacity, Slots

PATIENCE_SECONDS = 3600.0
"""A reserved job that has waited longer is passed only beside it: forecasts may be wrong."""


@dataclass(frozen=True)
class Candidate:
    """A job as the queue sees it. Times are epoch seconds, sizes bytes."""

    id: str
    name: str
    project: str
    owner: str
    priority: int = 0
    cpus: float = 1.0
    gpus: int = 0
    gpu_share: float = 1.0
    memory_limit: int | None = None
    since: float = 0.0
    not_before: float | None = None
    after: tuple[str, ...] = ()
    attempt: int = 1
    revision: int = 0
    reason: str = ""
    source: str = ""
    source_hash: str = ""
    parameters: int = 0
    timeout: float | None = None
    worker: str = ""


@dataclass(frozen=True)
class Running:
    """A job that holds slots of a worker, since `started` (None until its process runs)."""

    job: Candidate
    gpu_ids: tuple[str, ...] = ()
    started: float | None = None
    worker: str = ""


@dataclass(frozen=True)
class Limit:
    """What a user or project may hold at once, and what it holds: 'user', 'ann', 'jobs', 2."""

    of: str
    who: str
    what: str
    allowed: float

    @property
    def key(self) -> tuple[str, str, str]:
        """Under which it is counted."""
        return (self.of, self.who, self.what)


@dataclass(frozen=True)
class Spent:
    """GPU-hours of a month that are used up: how many, whose in words, and until which day."""

    allowed: float
    words: str
    until: str


@dataclass(frozen=True)
class Limits:
    """Of each user and each project. Of jobs None is no limit, of CPUs and GPUs 0.

    `own_jobs`: by kind and name, of those that have jobs limits of their own. `spent`: who may
    start nothing more on a GPU.
    """

    user_jobs: float | None = None
    user_cpus: float = 0
    user_gpus: int = 0
    project_jobs: float | None = None
    project_gpus: int = 0
    own_jobs: Mapping[tuple[QuotaKind, str], float | None] = field(default_factory=dict)
    spent: Mapping[tuple[str, str], Spent] = field(default_factory=dict)

    def of(self, job: Candidate) -> list[Limit]:
        """Those that count for the job."""
        found = [
            *self._jobs("user", job.owner, self.user_jobs),
            *self._jobs("project", job.project, self.project_jobs),
        ]
        if self.user_cpus:
            found.append(Limit("user", job.owner, "cpus", self.user_cpus))
        if job.gpus:
            if self.user_gpus:
                found.append(Limit("user", job.owner, "gpus", self.user_gpus))
            if self.project_gpus:
                found.append(Limit("project", job.project, "gpus", self.project_gpus))
            found += self._spent("user", job.owner)
            found += self._spent("project", job.project)
        return found

    def _jobs(self, kind: QuotaKind, who: str, allowed: float | None) -> list[Limit]:
        allowed = self.own_jobs.get((kind, who), allowed)
        return [] if allowed is None else [Limit(kind, who, "jobs", allowed)]

    def _spent(self, kind: str, who: str) -> list[Limit]:
        spent = self.spent.get((kind, who))
        return [] if spent is None else [Limit(kind, who, "gpu_hours", spent.allowed)]


def amount(job: Asks, what: str) -> float:
    """How much of a limited thing the job takes."""
    gpus = job.gpus * job.gpu_share
    return {"jobs": 1.0, "cpus": job.cpus, "gpus": gpus, "gpu_hours": 0.0}[what]


class Holdings:
    """What runs, what is left, and how much of it each user and project has."""

    def __init__(self, capacity: Capacity, limits: Limits, running: Iterable[Running] = ()) -> None:
        self.capacity, self.limits = capacity, limits
        self.running: dict[str, Running] = {}
        self.free = Slots.all(capacity)
        self.held: dict[tuple[str, str, str], float] = {}
        for one in running:
            self.add(one)

    def add(self, one: Running) -> None:
        """It holds its slots from now on."""
        self.running[one.job.id] = one
        self.free.hold(one.job, one.gpu_ids)
        self._count(one.job, 1)

    def remove(self, job_id: str) -> None:
        """It has ended."""
        one = self.running.pop(job_id)
        self.free.release(one.job, one.gpu_ids)
        self._count(one.job, -1)

    def count(self, job: Candidate) -> None:
        """It runs on another machine: it counts under limits and holds nothing here."""
        self._count(job, 1)

    def over(self, job: Candidate) -> Limit | None:
        """The limit that keeps the job from starting."""
        for limit in self.limits.of(job):
            used_up = limit.what == "gpu_hours"
            if used_up or self.held.get(limit.key, 0) + amount(job, limit.what) > (
                limit.allowed + CRUMB
            ):
                return limit
        return None

    def _count(self, job: Candidate, sign: int) -> None:
        for limit in self.limits.of(job):
            self.held[limit.key] = self.held.get(limit.key, 0) + sign * amount(job, limit.what)


@dataclass(frozen=True)
class Outlook:
    """What is thought of time: how long a job takes at most, when a running one ends at soonest.

    `longest` is infinite and `soonest` now where nothing is known.
    """

    longest: Callable[[Candidate], float]
    soonest: Callable[[Running], float]


@dataclass
class Decision:
    """What to start now with which GPUs, and why the others that were looked at wait."""

    starts: list[Running] = field(default_factory=list)
    reserved: dict[str, float] = field(default_factory=dict)
    held_back: dict[str, str] = field(default_factory=dict)
    limited: dict[str, Limit] = field(default_factory=dict)


def in_order(
    waiting: Iterable[Candidate],
    had: Mapping[str, float],
    cost: Callable[[Candidate], float],
) -> Iterator[Candidate]:
    """The jobs by priority; in one priority those of the owner who had least first, then by age.

    Args:
        had: what each owner holds and lately used.
        cost: what a job adds to that; so owners take turns in proportion to what they get.
    """
    lines: dict[int, dict[str, list[Candidate]]] = {}
    for job in waiting:
        lines.setdefault(job.priority, {}).setdefault(job.owner, []).append(job)
    so_far = dict(had)
    for priority in sorted(lines, reverse=True):
        owners = lines[priority]
        for line in owners.values():
            line.sort(key=lambda job: job.id)
        if len(owners) == 1:
            yield from next(iter(owners.values()))
            continue
        turns = [(so_far.get(owner, 0.0), line[0].id, owner, 0) for owner, line in owners.items()]
        heapq.heapify(turns)
        while turns:
            share, _, owner, place = turns[0]
            job = owners[owner][place]
            yield job
            so_far[owner] = share = share + cost(job)
            if place + 1 < len(owners[owner]):
                following = owners[owner][place + 1].id
                heapq.heapreplace(turns, (share, following, owner, place + 1))
            else:
                heapq.heappop(turns)


def decide(
    ordered: Iterable[Candidate], holdings: Holdings, outlook: Outlook, now: float
) -> Decision:
    """Start what may start, in this order; `holdings` has it afterwards.

    All of `ordered` could start if there were room: none waits for another job or for a time.
    """
    decision, plan = Decision(), _Plan(holdings, outlook, now)
    stuck: dict[tuple[str, str, str], Limit] = {}
    for job in ordered:
        if holdings.free.cpus <= CRUMB:
            break
        limit = _limited(job, holdings, stuck)
        if limit is not None:
            decision.limited[job.id] = limit
        elif not holdings.free.fits(job):
            moment = plan.reserve(job)
            if moment is not None:
                decision.reserved[job.id] = moment
        elif (chosen := plan.room(job)) is not None:
            one = Running(job, tuple(chosen), now)
            holdings.add(one)
            decision.starts.append(one)
        else:
            decision.held_back[job.id] = plan.reserving[0].id
    return decision


def _limited(
    job: Candidate, holdings: Holdings, stuck: dict[tuple[str, str, str], Limit]
) -> Limit | None:
    """The limit in the job's way. Behind one that waits for a limit nobody passes under the same
    limit, else a large job would wait for ever behind its owner's small ones."""
    for limit in holdings.limits.of(job):
        if limit.key in stuck:
            return limit
    over = holdings.over(job)
    if over is not None:
        stuck[over.key] = over
    return over


class _Plan:
    """What is free from now on, step by step as running jobs end, less what is reserved."""

    def __init__(self, holdings: Holdings, outlook: Outlook, now: float) -> None:
        self._holdings, self._outlook, self._now = holdings, outlook, now
        self._times: list[float] = []
        self._steps: list[Slots] = []
        self._until: list[Slots] = []
        self._scarce: set[str] = set()
        self._strict = False
        self.reserving: list[Candidate] = []

    def room(self, job: Candidate) -> list[str] | None:
        """GPU ids of a place for the job, which fits now, that delays no reservation; or None."""
        if not self.reserving:
            return self._holdings.free.copy().take(job)
        last = len(self._times)
        if not self._strict:
            last = bisect_left(self._times, self._now + self._outlook.longest(job))
        free = self._until[max(1, last) - 1]
        if not free.fits(job):
            return None
        chosen = free.copy().take(job)
        for step in self._steps[: max(1, last)]:
            step.hold(job, chosen)
        self._measure()
        return chosen

    def reserve(self, job: Candidate) -> float | None:
        """Keep what the job needs from the time on at which it fits; the first of each scarcity.

        Returns that time, or None when nothing is kept for this job.
        """
        scarce = _scarce(job, self._holdings.free)
        if scarce in self._scarce:
            return None
        if not self.reserving:
            self._look_ahead()
        rest = self._steps[-1].copy()
        found = None
        for index in range(len(self._steps) - 1, -1, -1):
            rest = _least(rest, self._steps[index])
            if not rest.fits(job):
                break
            found = (index, rest.copy())
        if found is None:
            return None
        index, free = found
        chosen = free.take(job)
        for step in self._steps[index:]:
            step.hold(job, chosen)
        self._scarce.add(scarce)
        self._strict = self._strict or self._now - job.since > PATIENCE_SECONDS
        self.reserving.append(job)
        self._measure()
        return self._times[index]

    def _look_ahead(self) -> None:
        ends = sorted(
            (max(self._now, self._outlook.soonest(one)), one.job.id)
            for one in self._holdings.running.values()
        )
        free = self._holdings.free.copy()
        self._times, self._steps = [self._now], [free.copy()]
        for moment, job_id in ends:
            one = self._holdings.running[job_id]
            free.release(one.job, one.gpu_ids)
            self._times.append(moment)
            self._steps.append(free.copy())

    def _measure(self) -> None:
        """`_until[i]` is what is free in each of the steps 0 to i."""
        least = self._steps[0].copy()
        self._until = []
        for step in self._steps:
            least = _least(least, step)
            self._until.append(least.copy())


def _scarce(job: Candidate, free: Slots) -> str:
    if job.cpus > free.cpus + CRUMB:
        return "cpus"
    return "memory" if (job.memory_limit or 0) > free.memory_bytes else "gpus"


def _least(one: Slots, other: Slots) -> Slots:
    return Slots(
        one.capacity,
        min(one.cpus, other.cpus),
        min(one.memory_bytes, other.memory_bytes),
        {gpu: min(share, other.free_gpus[gpu]) for gpu, share in one.free_gpus.items()},
    )
