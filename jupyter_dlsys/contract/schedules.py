"""Schedules: a notebook or script submitted again and again, by cron."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from .base import Answer, Request
from .jobs import SubmitRequest

MissedPolicy = Literal["skip", "last", "all"]
OverlapPolicy = Literal["queue", "skip", "replace"]
FiringState = Literal["pending", "submitted", "skipped", "failed"]


class ScheduleRequest(Request):
    """What to submit, and when.

    With `follow` the file at `path` is read at each firing; else `submission` is kept as it is.
    """

    name: str = Field("", max_length=200)
    cron: str = Field(min_length=1, max_length=200, description="Five fields, e.g. 0 7 * * 1-5.")
    timezone: str = Field("UTC", max_length=64, description="IANA name, e.g. Europe/Berlin.")
    submission: SubmitRequest
    follow: bool = False
    path: str = Field("", max_length=4096, description="Absolute path of the file to follow.")
    missed: MissedPolicy = Field("last", description="Firings that nobody was there for.")
    overlap: OverlapPolicy = Field("queue", description="The last job has not ended yet.")


class ScheduleChange(Request):
    """What to change; null leaves a field as it is."""

    name: str | None = Field(None, max_length=200)
    cron: str | None = Field(None, min_length=1, max_length=200)
    timezone: str | None = Field(None, max_length=64)
    missed: MissedPolicy | None = None
    overlap: OverlapPolicy | None = None
    submission: SubmitRequest | None = None


class Schedule(Answer):
    """A schedule."""

    id: str
    name: str
    project: str
    owner: str
    cron: str
    timezone: str
    words: str = Field(description="The cron expression in words.")
    source: str = Field(description="File name of the notebook or script.")
    parameters: dict[str, Any] = {}
    inputs: dict[str, str] = Field({}, description="Dataset reference for each input name.")
    follow: bool
    path: str = ""
    missed: MissedPolicy
    overlap: OverlapPolicy
    paused: bool
    next_times: list[datetime] = Field([], description="The next five; none while paused.")
    last_firing: Firing | None = None
    created_at: datetime
    updated_at: datetime


class Firing(Answer):
    """One time that a schedule was due, and what came of it."""

    schedule: str
    due_at: datetime
    state: FiringState
    reason: str = ""
    manual: bool = False
    job: str | None = None
    job_state: str | None = None


class CronRequest(Request):
    """A cron expression to explain."""

    cron: str = Field(min_length=1, max_length=200)
    timezone: str = Field("UTC", max_length=64)


class CronExplanation(Answer):
    """A cron expression in words, and its next five times."""

    cron: str
    timezone: str
    words: str
    next_times: list[datetime]


class BackfillRequest(Request):
    """Fire once for each time that was due in a past interval and never fired."""

    start: datetime
    end: datetime
    limit: int = Field(100, ge=1, le=1000)


Schedule.model_rebuild()
