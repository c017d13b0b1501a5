"""When waiting jobs will start, by playing the queue forward. Pure.

Each end of a running job is an event with an expected time and a spread; a job that starts at an
event inherits its spread, and adds that of its own duration. What would be submitted meanwhile is
not known, so it is left out.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from jupyter_dlsys.contract.jobs import Range

from .forecasting import Estimate
from .queueing import Candidate, Holdings, Outlook, Running, decide

PLAYED = 300
"""Starts that are played; where more wait, the others follow at the pace of these."""
IN_VIEW = 100
"""Jobs from which the next start is chosen."""
Z = 1.2816
"""8 of 10 values of a normal distribution lie within so many standard deviations."""


@dataclass(frozen=True)
class Moment:
    """Seconds from now: expected, and the standard deviation towards earlier and later.

    `known` is False when something of unknown duration could make it earlier.
    """

    at: float = 0.0
    before: float = 0.0
    after: float = 0.0
    known: bool = True

    def later(self, duration: Estimate) -> Moment:
        """After something that takes so long."""
        return Moment(
            self.at + duration.mean,
            math.hypot(self.before, max(0.0, duration.mean - duration.low) / Z),
            math.hypot(self.after, max(0.0, duration.high - duration.mean) / Z),
            self.known,
        )

    def range(self) -> Range:
        """8 of 10 fall into it."""
        low = max(0.0, self.at - Z * self.before) if self.known else 0.0
        return Range(low=low, likely=self.at, high=self.at + Z * self.after)


@dataclass
class Future:
    """Jobs in the order in which they start, and when, as far as that is known."""

    order: list[str] = field(default_factory=list)
    starts: dict[str, Moment] = field(default_factory=dict)


class Play:
    """One run of the future.

    Args:
        ordered: all waiting jobs as they would start if all could.
        blocking: of those that wait for other jobs, which ones.
        duration: of a job, None where nothing is known.
        left: of a running job.
    """

    def __init__(
        self,
        ordered: Sequence[Candidate],
        blocking: dict[str, frozenset[str]],
        holdings: Holdings,
        duration: Callable[[Candidate], Estimate | None],
        left: Callable[[Running], Estimate | None],
        now: float,
    ) -> None:
        self._holdings, self._duration, self._now = holdings, duration, now
        self._rank = {job.id: place for place, job in enumerate(ordered)}
        self._blocking = {job: set(others) for job, others in blocking.items()}
        self._followers: dict[str, list[str]] = {}
        for job_id, others in blocking.items():
            for other in others:
                self._followers.setdefault(other, []).append(job_id)
        self._jobs = {job.id: job for job in ordered}
        self._waiting: dict[str, Candidate] = {}
        self._events: list[tuple[float, int, str]] = []
        self._ends: dict[str, Moment] = {}
        self._unknown: set[str] = set()
        self._sorted = True
        self.future = Future()
        for job in ordered:
            self._enter(job)
        for one in list(holdings.running.values()):
            self._will_end(one.job.id, Moment(), left(one))

    def run(self) -> Future:
        """Play until all have started, nothing more is known, or enough was seen."""
        moment = Moment()
        self._start(moment)
        while self._events and len(self.future.order) < PLAYED:
            at, _, job_id = heapq.heappop(self._events)
            moment = self._ends.pop(job_id, Moment(at))
            if job_id in self._holdings.running:
                self._holdings.remove(job_id)
                self._release(job_id)
            elif job_id in self._jobs:
                self._waiting[job_id] = self._jobs[job_id]
                self._sorted = False
            self._start(moment)
        self._rest()
        return self.future

    def _enter(self, job: Candidate) -> None:
        if self._blocking.get(job.id):
            return
        if job.not_before is not None and job.not_before > self._now:
            wait = job.not_before - self._now
            heapq.heappush(self._events, (wait, self._rank[job.id], job.id))
            return
        self._waiting[job.id] = job

    def _release(self, ended: str) -> None:
        for job_id in self._followers.pop(ended, ()):
            self._blocking[job_id].discard(ended)
            if not self._blocking[job_id]:
                del self._blocking[job_id]
                self._waiting[job_id] = self._jobs[job_id]
                self._sorted = False

    def _start(self, moment: Moment) -> None:
        if not self._sorted:
            by_rank = sorted(self._waiting.values(), key=lambda job: self._rank[job.id])
            self._waiting = {job.id: job for job in by_rank}
            self._sorted = True
        outlook = Outlook(self._longest, self._soonest)
        known = moment.known and not self._unknown
        when = Moment(moment.at, moment.before, moment.after, known)
        in_view = islice(self._waiting.values(), IN_VIEW)
        for one in decide(in_view, self._holdings, outlook, self._now + moment.at).starts:
            self._waiting.pop(one.job.id)
            self.future.order.append(one.job.id)
            self.future.starts[one.job.id] = when
            self._will_end(one.job.id, when, self._duration(one.job))

    def _will_end(self, job_id: str, start: Moment, duration: Estimate | None) -> None:
        if duration is None:
            self._unknown.add(job_id)
            return
        self._ends[job_id] = end = start.later(duration)
        heapq.heappush(self._events, (end.at, len(self.future.order), job_id))

    def _longest(self, job: Candidate) -> float:
        found = self._duration(job)
        return math.inf if found is None else found.high

    def _soonest(self, one: Running) -> float:
        end = self._ends.get(one.job.id)
        return 0.0 if end is None else self._now + end.at

    def _rest(self) -> None:
        """Those that were not played: in order, at the pace of the last ones that were."""
        played = [self.future.starts[job_id] for job_id in self.future.order]
        pace = _pace(played) if len(self.future.order) >= PLAYED else None
        rest = [job for job in self._jobs if job not in self.future.starts]
        rest.sort(key=lambda job_id: (job_id in self._blocking, self._rank[job_id]))
        for place, job_id in enumerate(rest, 1):
            self.future.order.append(job_id)
            if pace is not None and job_id not in self._blocking:
                self.future.starts[job_id] = _further(played[-1], place * pace)


def _pace(played: Sequence[Moment]) -> float | None:
    half = len(played) // 2
    passed = played[-1].at - played[half].at
    return passed / (len(played) - half) if passed > 0 else None


def _further(last: Moment, seconds: float) -> Moment:
    """The spread of many jobs one after the other grows with the root of their number; here the
    pace itself is uncertain, so it grows with the time."""
    grown = (last.at + seconds) / last.at if last.at > 0 else 1.0
    return Moment(last.at + seconds, last.before * grown, last.after * grown, last.known)
