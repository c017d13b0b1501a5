"""Schedules: a notebook or script submitted again and again."""

from __future__ import annotations

import warnings
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar

from jupyter_dlsys.client.connection import new_key
from jupyter_dlsys.client.preflight import look_first
from jupyter_dlsys.client.resource import Resource, checked
from jupyter_dlsys.client.results import Firing, Schedule
from jupyter_dlsys.client.submissions import submission
from jupyter_dlsys.client.views import Listing
from jupyter_dlsys.contract.schedules import (
    BackfillRequest,
    CronExplanation,
    CronRequest,
    MissedPolicy,
    OverlapPolicy,
    ScheduleChange,
    ScheduleRequest,
)

T = TypeVar("T")


class Schedules(Resource):
    """Schedules of a project."""

    def list(self, limit: int | None = None) -> Listing[Schedule]:
        """Schedules, newest first."""
        return self._all(Schedule, self._path("schedules"), limit=limit)

    def create(
        self,
        path: str | Path,
        *,
        cron: str,
        timezone: str | None = None,
        follow: bool = False,
        missed: MissedPolicy = "last",
        overlap: OverlapPolicy = "queue",
        name: str = "",
        preflight: bool = False,
        **given: Any,
    ) -> Schedule:
        """Submit a notebook or a .py file again and again.

        Args:
            path: the notebook or script. It is kept as it is now, with its local modules.
            cron: minute, hour, day of the month, month, day of the week: "0 7 * * 1-5".
            timezone: of these, e.g. "Europe/Berlin"; this machine's when left out.
            follow: read the file and its modules anew at each time; the platform has to run on
                this machine, as you.
            missed: what to do about times when the platform was off: skip them, run once for the
                last of them, or for all (at most 100).
            overlap: when the last job has not ended: queue behind it, skip this time, or replace
                it.
            name: for people; the file's name when left out.
            preflight: look first what would go wrong with its jobs, and warn.
            given: what else `jobs.submit` takes: inputs, parameters, gpus, memory, …

        Raises:
            PreflightFailed: the look found an error (only with `preflight`).
        """
        what = submission(path, **given)
        if preflight:
            look_first(self._connection, what)
        body = checked(
            ScheduleRequest,
            name=name,
            cron=cron,
            timezone=timezone or local_zone(),
            submission=what,
            follow=follow,
            path=str(Path(path).expanduser().absolute()) if follow else "",
            missed=missed,
            overlap=overlap,
        )
        return self._connection.send(Schedule, "POST", self._path("schedules"), body, key=new_key())

    def show(self, schedule: str | Schedule) -> Schedule:
        """One schedule as it is now."""
        return self._connection.get(Schedule, self._path("schedules", _id(schedule)))

    def update(
        self,
        schedule: str | Schedule,
        *,
        path: str | Path | None = None,
        name: str | None = None,
        cron: str | None = None,
        timezone: str | None = None,
        missed: MissedPolicy | None = None,
        overlap: OverlapPolicy | None = None,
        **given: Any,
    ) -> Schedule:
        """Change what is named, and leave the rest; the history stays.

        Args:
            schedule: itself, or its id.
            path: what to submit from now on, with all of `given` (inputs, parameters, …) anew.
            name, cron, timezone, missed, overlap: as in `create`.
            given: only together with `path`.
        """
        body = checked(
            ScheduleChange,
            name=name,
            cron=cron,
            timezone=timezone,
            missed=missed,
            overlap=overlap,
            submission=submission(path, **given) if path is not None else None,
            **(given if path is None else {}),
        )
        where = self._path("schedules", _id(schedule))
        return self._connection.send(Schedule, "PATCH", where, body, key=new_key())

    def remove(self, schedule: str | Schedule) -> None:
        """End it; its jobs stay."""
        self._connection.request("DELETE", self._path("schedules", _id(schedule)))

    def pause(self, schedule: str | Schedule) -> Schedule:
        """Stop firing until it is resumed."""
        return self._do(Schedule, schedule, "pause")

    def resume(self, schedule: str | Schedule) -> Schedule:
        """Fire again from now on; what was due meanwhile is not made up for."""
        return self._do(Schedule, schedule, "resume")

    def run(self, schedule: str | Schedule) -> Firing:
        """Fire once now, besides the plan."""
        return self._do(Firing, schedule, "run")

    def backfill(
        self,
        schedule: str | Schedule,
        start: str | date | datetime,
        end: str | date | datetime | None = None,
        limit: int = 100,
    ) -> Listing[Firing]:
        """Fire for each time of a past interval that has no job, one after the other.

        Args:
            schedule: itself, or its id.
            start, end: from when to when; now when `end` is left out. Without an offset they are
                meant in the schedule's zone, without a time the day begins.
            limit: refuse when there are more.
        """
        body = checked(
            BackfillRequest,
            start=_moment(start),
            end=datetime.now().astimezone() if end is None else _moment(end),
            limit=limit,
        )
        where = self._path("schedules", _id(schedule), "backfill")
        found = self._connection.send(list[Firing], "POST", where, body, key=new_key())
        return Listing(found)

    def history(self, schedule: str | Schedule, limit: int | None = 50) -> Listing[Firing]:
        """Times that came and what came of them, newest first."""
        return self._all(Firing, self._path("schedules", _id(schedule), "history"), limit=limit)

    def explain(self, cron: str, timezone: str | None = None) -> CronExplanation:
        """A cron expression in words, and its next five times."""
        body = checked(CronRequest, cron=cron, timezone=timezone or local_zone())
        return self._connection.send(
            CronExplanation, "POST", self._path("schedules", "explain"), body
        )

    def _do(self, kind: type[T], schedule: str | Schedule, verb: str) -> T:
        where = self._path("schedules", _id(schedule), verb)
        return self._connection.send(kind, "POST", where, key=new_key())


def local_zone() -> str:
    """IANA name of this machine's time zone; UTC when it does not say."""
    import tzlocal

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return tzlocal.get_localzone_name() or "UTC"
        except (LookupError, ValueError, OSError):  # it contradicts itself
            return "UTC"


def _id(schedule: str | Schedule) -> str:
    return schedule if isinstance(schedule, str) else schedule.id


def _moment(value: str | date | datetime) -> Any:
    """Midnight of a day; anything else as it is, for the contract to check."""
    if isinstance(value, str) and len(value) == len("2026-01-01"):
        return f"{value}T00:00:00"
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day)
    return value
