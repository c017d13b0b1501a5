"""Why each waiting job waits, its place in the queue and when it will start.

Computed from the rows when somebody asks, by whichever platform process is asked, and kept for half
a second (longer when the queue is so long that it costs more). Nothing of it is stored, so a job
that starts changes no row of those behind it.
"""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from dlsys_server.core.database import Database
from jupyter_dlsys.contract.jobs import Forecast, QueueEntry, Range, Resources

from .durations import Round
from .forecasting import Estimate, forecast
from .gathering import Gatherer, Upstreams, View
from .queueing import Candidate, Decision, Holdings, Limit, Running, decide
from .simulating import Future, Play
from .slots import CRUMB, Slots, gigabytes
from .turns import Turns, left, outlook

FRESH_SECONDS = 0.5
WORTH = 20.0
"""An answer is kept so many times longer than it took: at most 5 % of a CPU goes into it."""
NEW_JOB_WORTH = 4.0


class Waits(Protocol):
    """What jobs have to wait for besides each other; '' when nothing."""

    def blocked(self) -> str:
        """All jobs."""
        ...

    def waits_for(self, owner: str) -> str:
        """Jobs of an owner."""
        ...


@dataclass(frozen=True)
class Place:
    """Where a waiting job is in the queue, and why; of a running one only the forecast."""

    position: int | None
    reason: str
    forecast: Forecast


class Explainer:
    """Answers from a picture that is taken when the last one is old. Thread-safe."""

    def __init__(
        self,
        database: Database,
        gatherer: Gatherer,
        turns: Turns,
        launcher: Waits,
    ) -> None:
        self.database, self.gatherer, self.turns = database, gatherer, turns
        self.launcher = launcher
        self._lock = threading.Lock()
        self._picture: Picture | None = None

    def picture(self, job_id: str = "") -> Picture:
        """The queue as it was a moment ago, with the job in it if it is still young."""
        found = self._picture
        if found is not None and not found.old(job_id):
            return found
        if found is not None and not self._lock.acquire(blocking=False):
            return found  # somebody takes a new one at this moment
        if found is None:
            self._lock.acquire()
        try:
            if self._picture is found or self._picture is None:
                self._picture = self._take()
            return self._picture
        finally:
            self._lock.release()

    def free(self) -> Slots:
        """What is free now."""
        return self.picture().free

    def expected(self, job: Candidate) -> Forecast:
        """Of a job that is not submitted; it would come after all that wait."""
        picture = self.picture()
        duration = self.turns.durations.of(job)
        if not picture.waiting and picture.free.fits(job):
            return forecast(Range(low=0, likely=0, high=0), duration)
        return forecast(picture.behind(job), duration)

    def _take(self) -> Picture:
        begun = time.perf_counter()
        with self.database.read() as session:
            view = self.gatherer.look(session)
            upstreams = self.gatherer.upstreams(session, view)
        view = replace(view, running=self.turns.workers.pooled_running(view.running))
        return Picture(self.turns, view, upstreams, self.launcher, begun)


class Picture:
    """The queue at one moment, played forward once."""

    def __init__(
        self, turns: Turns, view: View, upstreams: Upstreams, launcher: Waits, begun: float
    ) -> None:
        self.now = time.time()
        self.waiting, self.running = view.waiting, view.running
        self._runs = {one.job.id: one for one in view.running}
        self._turns, self._upstreams, self._blocked = turns, upstreams, launcher.blocked()
        owners = {job.owner for job in view.waiting.values()}
        self._waits_for = {owner: launcher.waits_for(owner) for owner in owners}
        self._times: Round = turns.durations.round()
        ordered = list(turns.ordered(view.waiting.values(), view.running, self._times, self.now))
        self._holdings = Holdings(turns.capacity, turns.limits, view.running)
        self.free = self._holdings.free.copy()
        ready = (job for job in ordered if not self._not_yet(job))
        look = outlook(self._times, self.now)
        self._decision: Decision = decide(ready, self._holdings, look, self.now)
        self._starting = {one.job.id for one in self._decision.starts}
        self._future: Future = self._play(ordered)
        self._places: dict[str, Place | None] = {}
        self._entries: dict[tuple[str, int], list[QueueEntry]] = {}
        self._position = {job_id: n for n, job_id in enumerate(self._future.order, 1)}
        self._taken, self._cost = time.perf_counter(), time.perf_counter() - begun

    def old(self, job_id: str = "") -> bool:
        """Whether a new one is due; sooner for somebody who asks about a job that is not in it."""
        age = time.perf_counter() - self._taken
        if job_id and job_id not in self.waiting and job_id not in self._runs:
            return age > self._cost * NEW_JOB_WORTH
        return age > max(FRESH_SECONDS, self._cost * WORTH)

    def place(self, job_id: str) -> Place | None:
        """Of a waiting or running job; None when it is neither, as far as is known."""
        if job_id not in self._places:  # two threads may both find it: the same
            self._places[job_id] = self._place(job_id)
        return self._places[job_id]

    def _place(self, job_id: str) -> Place | None:
        job = self.waiting.get(job_id)
        if job is None:
            one = self._runs.get(job_id)
            return None if one is None else self._of_running(one)
        moment = self._future.starts.get(job_id)
        unknown = self._blocked or self._waits_for[job.owner]
        starts = None if moment is None or unknown else moment.range()
        position = self._position[job_id]
        return Place(position, self._reason(job, position), forecast(starts, self._times(job)))

    def entries(self, project: str, limit: int) -> list[QueueEntry]:
        """The project's waiting jobs in the order in which they will start."""
        if (project, limit) not in self._entries:
            self._entries[project, limit] = self._list(project, limit)
        return self._entries[project, limit]

    def _list(self, project: str, limit: int) -> list[QueueEntry]:
        found = []
        for job_id in self._future.order:
            job = self.waiting[job_id]
            if job.project != project:
                continue
            place = self.place(job_id)
            if place is not None:
                found.append(_entry(job, place, self.now))
            if len(found) == limit:
                break
        return found

    def _of_running(self, one: Running) -> Place:
        elapsed = 0.0 if one.started is None else max(0.0, time.time() - one.started)
        return Place(None, "", forecast(None, self._times(one.job), elapsed))

    def behind(self, job: Candidate) -> Range | None:
        """When a job would start that comes after all that wait."""
        last = [self._future.starts.get(job_id) for job_id in self._future.order[-1:]]
        if last:
            return None if last[0] is None else last[0].range()
        return self._play_one(job)

    def _play_one(self, job: Candidate) -> Range | None:
        holdings = Holdings(self._turns.capacity, self._holdings.limits, self.running)
        future = Play([job], {}, holdings, self._times, self._left, self.now).run()
        moment = future.starts.get(job.id)
        return None if moment is None else moment.range()

    def _play(self, ordered: Sequence[Candidate]) -> Future:
        holdings = Holdings(self._turns.capacity, self._holdings.limits, self.running)
        blocking = dict(self._upstreams.blocking)
        for job_id, (upstream, _) in self._upstreams.doomed.items():
            blocking[job_id] = frozenset({upstream})
        play = Play(ordered, blocking, holdings, self._times, self._left, self.now)
        return play.run()

    def _left(self, one: Running) -> Estimate | None:
        return left(one, self._times, self.now)

    def _not_yet(self, job: Candidate) -> bool:
        return (
            job.id in self._upstreams.blocking
            or job.id in self._upstreams.doomed
            or (job.not_before or 0.0) > self.now
            or bool(self._waits_for[job.owner])
        )

    def _reason(self, job: Candidate, position: int) -> str:
        if job.not_before is not None and job.not_before > self.now:
            return _again(job, self.now)
        if job.id in self._upstreams.doomed:
            upstream, state = self._upstreams.doomed[job.id]
            return f"Will be skipped: {self._name(upstream)} ended as {state}"
        if others := self._upstreams.blocking.get(job.id):
            return self._after(sorted(others))
        if others_do := self._blocked or self._waits_for[job.owner]:
            return f"Waiting for {others_do}"
        limit = self._decision.limited.get(job.id) or self._holdings.over(job)
        if limit is not None:
            return _limited(limit, self._holdings)
        if job.id in self._starting:
            return "Next to start"
        return self._lacking(job, position)

    def _lacking(self, job: Candidate, position: int) -> str:
        ahead = f" ({position - 1} ahead of you)" if position > 1 else ""
        free = self._holdings.free
        if lacking := free.lacking(job):
            kept = _kept(job, free) if job.id in self._decision.reserved else ""
            return f"Next: {kept}" if kept and not ahead else f"Waiting for {lacking}{ahead}"
        first = self._decision.held_back.get(job.id)
        if first is not None:
            return f"Waiting: what is free is kept for {self._name(first)}{ahead}"
        return f"Waiting for its turn{ahead}"

    def _after(self, others: Sequence[str]) -> str:
        first = self._name(others[0])
        if len(others) == 1:
            return f"Waiting for {first} to succeed"
        return f"Waiting for {first} and {len(others) - 1} more to succeed"

    def _name(self, job_id: str) -> str:
        one = self._runs.get(job_id)
        job = self.waiting.get(job_id) or (one and one.job)
        return f"{job.name} ({job_id})" if job else f"a job ({job_id})"


def _entry(job: Candidate, place: Place, now: float) -> QueueEntry:
    return QueueEntry(
        position=place.position or 0,
        job=job.id,
        name=job.name,
        owner=job.owner,
        project=job.project,
        priority=job.priority,
        resources=Resources.model_construct(
            cpus=job.cpus,
            gpus=job.gpus,
            memory_bytes=job.memory_limit,
            gpu_share=job.gpu_share,
        ),
        reason=place.reason,
        waiting_seconds=max(0.0, now - job.since),
        forecast=place.forecast,
    )


def _again(job: Candidate, now: float) -> str:
    """'Attempt 2 of 3 in 4 s: the worker was lost', counting down."""
    seconds = math.ceil((job.not_before or now) - now)
    told, count = re.subn(r" in \d+ s\b", f" in {seconds} s", job.reason, count=1)
    return told if count else f"Attempt {job.attempt} in {seconds} s"


def _kept(job: Candidate, free: Slots) -> str:
    """'keeps 4 CPUs free for it, 2 are', where some but not all of it is free already."""
    if CRUMB < free.cpus < job.cpus - CRUMB:
        return f"keeps {job.cpus:g} CPUs free for it, {free.cpus:g} are"
    if job.gpu_share >= 1 and 0 < len(free.gpus) < job.gpus:
        return f"keeps {job.gpus} GPUs free for it, {len(free.gpus)} are"
    if 0 < free.memory_bytes < (job.memory_limit or 0):
        asked, there = gigabytes(job.memory_limit or 0), gigabytes(free.memory_bytes)
        return f"keeps {asked} of memory free for it, {there} are"
    return ""


def _limited(limit: Limit, holdings: Holdings) -> str:
    if limit.what == "gpu_hours":
        spent = holdings.limits.spent[limit.of, limit.who]
        return f"{spent.words}: it starts on {spent.until}, or when there are more"
    has = holdings.held.get(limit.key, 0.0)
    verb = "run" if limit.what == "jobs" else "hold"
    things = {"jobs": "jobs", "cpus": "CPUs", "gpus": "GPUs"}[limit.what]
    if limit.of == "user":
        return (
            f"You already {verb} {has:g} of the {limit.allowed:g} {things} you may {verb} at once"
        )
    return (
        f"The project already {verb}s {has:g} of the {limit.allowed:g} {things} "
        f"it may {verb} at once"
    )
