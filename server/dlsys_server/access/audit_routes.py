"""HTTP of the audit log: parse, authorise, call one verb, return."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Depends, Query
from fastapi.responses import StreamingResponse

from dlsys_server.api.paging import PagingQuery
from dlsys_server.core.errors import Forbidden
from jupyter_dlsys.contract.access import AuditEntry, AuditReport, Outcome
from jupyter_dlsys.contract.base import Page

from .audit import AuditLog
from .audit_export import MEDIA, AuditFormat
from .audit_reading import AuditFilter
from .routing import Caller, RoomRouter, service
from .scopes import Scope

router = RoomRouter(prefix="/audit", tags=["audit"])
Audit = Annotated[AuditLog, service("audit")]
Text = Annotated[str | None, Query(max_length=200)]


def _filter(
    caller: Caller,
    project: Text = None,
    actor: Text = None,
    operation: Annotated[str | None, Query(max_length=64, description="Or how it begins.")] = None,
    outcome: Outcome | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    text: Annotated[str | None, Query(max_length=200, description="In the target.")] = None,
) -> AuditFilter:
    """What the caller asks for, of what it may see: all for an administrator of the platform,
    else the projects that it manages.
    """
    visible = None if caller.may(Scope.ADMIN) else caller.projects_with(Scope.MANAGE)
    if project is not None and visible is not None and project not in visible:
        caller.check_project(project)
        raise Forbidden(
            f"The audit log of {project} needs the right 'manage' there, "
            f"which {caller.name} does not have.",
            code="missing-scope",
            hint="Ask a maintainer of the project.",
        )
    return AuditFilter(project, actor, operation, outcome, since, until, text, visible)


Filter = Annotated[AuditFilter, Depends(_filter)]


@router.get("", operation_id="audit.list")
def list_entries(wanted: Filter, audit: Audit, paging: PagingQuery) -> Page[AuditEntry]:
    """What was done or refused, newest first, in the projects that the caller manages."""
    return audit.list(wanted, paging)


@router.get(
    "/export",
    operation_id="audit.export",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/jsonl": {}, "text/csv": {}}}},
)
def export(wanted: Filter, audit: Audit, format: AuditFormat = "jsonl") -> StreamingResponse:
    """The same as one file, oldest first."""
    headers = {"Content-Disposition": f'attachment; filename="audit.{format}"'}
    blocks = audit.export(wanted, format)
    return StreamingResponse(blocks, media_type=MEDIA[format], headers=headers)


@router.get("/verify", operation_id="audit.verify")
def verify(audit: Audit) -> AuditReport:
    """Whether rows were changed or removed since they were written."""
    return audit.verify()
