"""HTTP that belongs to no box: health, identity, projects, the event stream, shutdown."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Query, Request
from fastapi.responses import StreamingResponse

from dlsys_server.api.streams import event_stream
from dlsys_server.core.events import EventFilter
from jupyter_dlsys.contract.system import Health, Project, Whoami

from .projects import ProjectService
from .routing import Caller, RoomRouter, service

router = RoomRouter(tags=["system"])
Projects = Annotated[ProjectService, service("projects")]


@router.get("/health", operation_id="system.health")
def health(request: Request) -> Health:
    """State of the platform and of each part."""
    found: Health = request.app.state.health()
    return found


@router.get("/whoami", operation_id="system.whoami")
def whoami(caller: Caller) -> Whoami:
    """Who the token belongs to and what it may do."""
    return Whoami(
        name=caller.name,
        kind=caller.kind,
        project=caller.project,
        projects=list(caller.projects),
        scopes=sorted(scope.value for scope in caller.scopes),
    )


@router.get("/projects", operation_id="system.projects")
def list_projects(caller: Caller, projects: Projects) -> list[Project]:
    """Projects that the caller is in."""
    return projects.list(caller)


@router.get(
    "/events",
    operation_id="system.events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}},
)
def events(
    request: Request,
    caller: Caller,
    since: Annotated[int | None, Query(ge=0)] = None,
    topics: Annotated[list[str] | None, Query()] = None,
    subjects: Annotated[list[str] | None, Query()] = None,
) -> Any:
    """Live events of the caller's projects: of these topics (prefixes) or subjects.

    `since` leaves out what is older; without it only what happens from now on.
    """
    log = request.app.state.events
    wanted = EventFilter(caller.projects, tuple(topics or ()), tuple(subjects or ()))
    return event_stream(request, log, log.last() if since is None else since, wanted)


@router.post("/shutdown", status_code=202, operation_id="system.shutdown")
def shutdown(
    request: Request, caller: Caller, jobs: Literal["refuse", "keep", "cancel"] = "refuse"
) -> dict[str, str]:
    """End the platform cleanly, endpoints with it.

    While jobs wait or run: refuse with 409, keep them (they are picked up at the next start), or
    cancel them.
    """
    request.app.state.request_stop(caller, jobs)
    return {"state": "stopping"}
