"""HTTP of schedules: parse, authorise, call one verb, return."""

from __future__ import annotations

from typing import Annotated

from fastapi import Response

from dlsys_server.access.routing import Caller, IdempotencyKey, RoomRouter, service
from dlsys_server.api.paging import PagingQuery
from dlsys_server.datasets.naming import Names
from jupyter_dlsys.contract.base import Page
from jupyter_dlsys.contract.schedules import (
    BackfillRequest,
    CronExplanation,
    CronRequest,
    Firing,
    Schedule,
    ScheduleChange,
    ScheduleRequest,
)

from .service import ScheduleService
from .views import told_inputs

router = RoomRouter(prefix="/projects/{project}/schedules", tags=["schedules"])
Schedules = Annotated[ScheduleService, service("schedules")]
DatasetNames = Annotated[Names, service("names")]


@router.get("", operation_id="schedules.list")
def list_schedules(
    project: str, caller: Caller, schedules: Schedules, names: DatasetNames, paging: PagingQuery
) -> Page[Schedule]:
    """Schedules, newest first."""
    page = schedules.page(project, paging)
    items = told_inputs(names, caller, page.items)
    return Page(items=items, next_cursor=page.next_cursor)


@router.post("", status_code=201, operation_id="schedules.create")
def create(
    project: str,
    body: ScheduleRequest,
    caller: Caller,
    schedules: Schedules,
    key: IdempotencyKey = None,
) -> Schedule:
    """Submit a notebook or script again and again, at the times of a cron expression."""
    return schedules.create(caller, project, body, key)


@router.post("/explain", operation_id="schedules.explain")
def explain(
    project: str, body: CronRequest, caller: Caller, schedules: Schedules
) -> CronExplanation:
    """A cron expression in words, and its next five times."""
    return schedules.explain(body)


@router.get("/{id}", operation_id="schedules.show")
def show(
    project: str, id: str, caller: Caller, schedules: Schedules, names: DatasetNames
) -> Schedule:
    """One schedule."""
    return told_inputs(names, caller, [schedules.show(project, id)])[0]


@router.patch("/{id}", operation_id="schedules.update")
def update(
    project: str, id: str, body: ScheduleChange, caller: Caller, schedules: Schedules
) -> Schedule:
    """Change a schedule; its history stays."""
    return schedules.update(caller, project, id, body)


@router.delete("/{id}", status_code=204, operation_id="schedules.remove")
def remove(project: str, id: str, caller: Caller, schedules: Schedules) -> Response:
    """End a schedule; its jobs stay."""
    schedules.remove(caller, project, id)
    return Response(status_code=204)


@router.post("/{id}/pause", operation_id="schedules.pause")
def pause(project: str, id: str, caller: Caller, schedules: Schedules) -> Schedule:
    """Stop firing until it is resumed."""
    return schedules.pause(caller, project, id)


@router.post("/{id}/resume", operation_id="schedules.resume")
def resume(project: str, id: str, caller: Caller, schedules: Schedules) -> Schedule:
    """Fire again from now on; times that were due while it was paused are not made up for."""
    return schedules.resume(caller, project, id)


@router.post("/{id}/run", status_code=201, operation_id="schedules.run")
def run_now(
    project: str, id: str, caller: Caller, schedules: Schedules, key: IdempotencyKey = None
) -> Firing:
    """Fire once now, besides the plan."""
    return schedules.run_now(caller, project, id, key)


@router.post("/{id}/backfill", operation_id="schedules.backfill")
def backfill(
    project: str, id: str, body: BackfillRequest, caller: Caller, schedules: Schedules
) -> list[Firing]:
    """Fire for each time of a past interval that has not been fired."""
    return schedules.backfill(caller, project, id, body)


@router.get("/{id}/history", operation_id="schedules.history")
def history(
    project: str, id: str, caller: Caller, schedules: Schedules, paging: PagingQuery
) -> Page[Firing]:
    """Firings, newest first, with the state of their jobs."""
    return schedules.history(project, id, paging)
