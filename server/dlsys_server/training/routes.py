"""HTTP of the training room: parse, authorise, call one verb, return."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Annotated, Any

from fastapi import Query, Request, Response
from fastapi.responses import FileResponse, PlainTextResponse

from dlsys_server.access.hearing import Hearing
from dlsys_server.access.routing import Caller, IdempotencyKey, RoomRouter, service
from dlsys_server.api.paging import PagingQuery
from dlsys_server.api.streams import event_stream
from dlsys_server.core.events import EventFilter, EventLog
from dlsys_server.datasets.naming import Names
from jupyter_dlsys.contract.base import Page
from jupyter_dlsys.contract.jobs import (
    Artifact,
    InspectRequest,
    Job,
    JobState,
    NotebookInfo,
    QueueEntry,
    SubmitRequest,
)
from jupyter_dlsys.contract.preflight import PreflightReport
from jupyter_dlsys.contract.system import JobUsage, Worker

from .service import TrainingService

router = RoomRouter(prefix="/projects/{project}", tags=["jobs"])
workers = RoomRouter(tags=["system"])
Training = Annotated[TrainingService, service("training")]
DatasetNames = Annotated[Names, service("names")]


@workers.get("/workers", operation_id="system.workers")
def list_workers(caller: Caller, training: Training) -> list[Worker]:
    """Machines that run jobs, and what is in use."""
    return training.workers()


@router.get("/jobs", operation_id="jobs.list")
def list_jobs(
    project: str,
    caller: Caller,
    training: Training,
    names: DatasetNames,
    paging: PagingQuery,
    state: Annotated[list[JobState] | None, Query()] = None,
) -> Page[Job]:
    """Jobs, newest first."""
    page = training.page(project, paging, state)
    return Page(items=names.jobs(caller, page.items), next_cursor=page.next_cursor)


@router.post("/jobs", status_code=201, operation_id="jobs.submit")
def submit(
    project: str,
    body: SubmitRequest,
    caller: Caller,
    training: Training,
    key: IdempotencyKey = None,
) -> Job:
    """Queue a notebook or script; it is kept with its data, parameters and environment."""
    return training.submit(caller, project, body, key)


@router.post("/notebooks/inspect", operation_id="jobs.inspect")
def inspect(project: str, body: InspectRequest, caller: Caller, training: Training) -> NotebookInfo:
    """Parameters, inputs and imports of a source, without running it."""
    return training.inspect(body)


@router.post("/jobs/preflight", operation_id="jobs.preflight")
def preflight(
    project: str, body: SubmitRequest, caller: Caller, training: Training
) -> PreflightReport:
    """What would go wrong with a submission; nothing is kept or run."""
    return training.preflight(caller, project, body)


@router.get("/queue", operation_id="jobs.queue")
def read_queue(
    project: str,
    caller: Caller,
    training: Training,
    limit: Annotated[int, Query(ge=1, le=5000)] = 500,
) -> list[QueueEntry]:
    """Jobs of the project that wait, in the order in which they will start, and why they wait."""
    return training.queue(project, limit)


@router.get("/jobs/{id}", operation_id="jobs.show")
def show(project: str, id: str, caller: Caller, training: Training, names: DatasetNames) -> Job:
    """One job."""
    return names.jobs(caller, [training.show(project, id)])[0]


@router.post("/jobs/{id}/cancel", operation_id="jobs.cancel")
def cancel(project: str, id: str, caller: Caller, training: Training, names: DatasetNames) -> Job:
    """Stop a job; one that has ended stays as it is."""
    return names.jobs(caller, [training.cancel(caller, project, id)])[0]


@router.post("/jobs/{id}/retry", status_code=201, operation_id="jobs.retry")
def retry(
    project: str, id: str, caller: Caller, training: Training, key: IdempotencyKey = None
) -> Job:
    """The same again as a new job, which finds the last checkpoint of the old one."""
    return training.retry(caller, project, id, key)


@router.get("/jobs/{id}/usage", operation_id="jobs.usage")
def read_usage(project: str, id: str, caller: Caller, training: Training) -> JobUsage:
    """CPU, memory and GPU use over time, and what it says."""
    return training.usage(project, id)


@router.get(
    "/jobs/{id}/events",
    operation_id="jobs.events",
    responses={200: {"content": {"text/event-stream": {}}}},
)
async def events(
    project: str,
    id: str,
    request: Request,
    caller: Caller,
    training: Training,
    since: Annotated[int, Query(ge=0)] = 0,
    stream: bool = False,
    limit: Annotated[int, Query(ge=1, le=5000)] = 1000,
) -> Any:
    """Events of one job after `since`: a JSON list, or with `stream` as server-sent events."""
    wanted = replace(training.event_filter(project, id), told=Hearing(request, caller))
    log = request.app.state.events
    if stream:
        return event_stream(request, log, since, wanted)
    return Response(
        await asyncio.to_thread(_as_json, log, since, wanted, limit), media_type="application/json"
    )


def _as_json(log: EventLog, since: int, wanted: EventFilter, limit: int) -> str:
    """Thousands of events are many times faster to write here than as a checked response."""
    return "[" + ",".join(e.model_dump_json() for e in log.read(since, wanted, limit)) + "]"


@router.get("/jobs/{id}/log", operation_id="jobs.log", response_class=PlainTextResponse)
def read_log(
    project: str,
    id: str,
    caller: Caller,
    training: Training,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> PlainTextResponse:
    """Text of the log from a byte offset (at most 1 MB); X-Next-Offset says where to go on."""
    text, following = training.log(project, id, offset)
    return PlainTextResponse(text, headers={"X-Next-Offset": str(following)})


@router.get("/jobs/{id}/notebook", operation_id="jobs.notebook")
def read_notebook(project: str, id: str, caller: Caller, training: Training) -> Response:
    """The executed notebook (as far as it got) as nbformat JSON."""
    return Response(training.notebook(project, id), media_type="application/json")


@router.get("/jobs/{id}/artifacts", operation_id="jobs.artifacts")
def list_artifacts(project: str, id: str, caller: Caller, training: Training) -> list[Artifact]:
    """Files that the job wrote into DLSYS_OUTPUT_DIR."""
    return training.artifacts(project, id)


@router.get(
    "/jobs/{id}/artifacts/{path:path}", operation_id="jobs.artifact", response_class=FileResponse
)
def read_artifact(
    project: str, id: str, path: str, caller: Caller, training: Training
) -> FileResponse:
    """One of these files."""
    return FileResponse(training.artifact(project, id, path))
