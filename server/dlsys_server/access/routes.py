"""HTTP that belongs to no box: health, identity, projects, the event stream, shutdown."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Path, Query, Request
from fastapi.responses import StreamingResponse

from dlsys_server.api.streams import event_stream
from dlsys_server.core.events import EventFilter
from jupyter_dlsys.contract.access import (
    CreateProjectRequest,
    Member,
    MemberKind,
    MemberRequest,
    Permission,
    Project,
)
from jupyter_dlsys.contract.system import Health, Whoami

from .hearing import Hearing
from .projects import ProjectService
from .routing import Caller, RoomRouter, service
from .scopes import Scope

router = RoomRouter(tags=["system"])
Projects = Annotated[ProjectService, service("projects")]
MemberName = Annotated[str, Path(min_length=1, max_length=200)]


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


@router.get("/projects", operation_id="projects.list")
def list_projects(caller: Caller, projects: Projects) -> list[Project]:
    """Projects that the caller is in, with the caller's role in each."""
    return projects.list(caller)


@router.post("/projects", status_code=201, operation_id="projects.create")
def create_project(caller: Caller, projects: Projects, body: CreateProjectRequest) -> Project:
    """A new shared project with the caller as its maintainer."""
    return projects.create(caller, body)


@router.get("/projects/{project}", operation_id="projects.show")
def show_project(project: str, caller: Caller, projects: Projects) -> Project:
    """One project, with the caller's role and rights in it."""
    return projects.show(caller, project)


@router.get("/projects/{project}/permissions", operation_id="projects.permissions")
def permissions(project: str, caller: Caller, projects: Projects) -> list[Permission]:
    """For each operation whether the caller may, and why not: which role, and whom to ask."""
    return projects.permissions(caller, project)


@router.get("/projects/{project}/members", operation_id="projects.members")
def members(project: str, projects: Projects) -> list[Member]:
    """Users and groups that are in a project, and as what."""
    return list(projects.members(project))


@router.put("/projects/{project}/members/{kind}/{name}", operation_id="projects.add_member")
def add_member(
    project: str,
    kind: MemberKind,
    name: MemberName,
    caller: Caller,
    projects: Projects,
    body: MemberRequest,
) -> Member:
    """Give a user or a group of the hub a role in a project, instead of the one it had."""
    return projects.add_member(caller, project, kind, name, body.role)


@router.delete(
    "/projects/{project}/members/{kind}/{name}",
    status_code=204,
    operation_id="projects.remove_member",
)
def remove_member(
    project: str, kind: MemberKind, name: MemberName, caller: Caller, projects: Projects
) -> None:
    """Take a user or a group out of a project."""
    projects.remove_member(caller, project, kind, name)


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
    readable = caller.projects_with(Scope.READ)
    hearing = Hearing(request, caller)
    wanted = EventFilter(readable, tuple(topics or ()), tuple(subjects or ()), hearing)
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
