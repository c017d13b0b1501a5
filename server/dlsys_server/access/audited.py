"""Routes that record what is asked of them before they answer."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from dlsys_server.api.problems import status_of
from dlsys_server.core.errors import DlsysError
from dlsys_server.core.logs import request_id
from dlsys_server.core.places import Elsewhere
from jupyter_dlsys.contract.access import Outcome

from .audit_chain import Entry
from .principals import Principal

API = "/api/v1"
READS = frozenset({"GET", "HEAD", "OPTIONS"})
READS_THAT_COUNT = frozenset({"datasets.export", "audit.export"})
"""Reads that take data out of the platform."""
QUESTIONS = frozenset(
    {
        *("jobs.inspect", "jobs.preflight", "schedules.explain", "deployments.predict"),
        *("agents.poll", "agents.send"),
    }
)
"""Operations that change nothing, though their bodies make them POST; and what an agent says all
the time about a job that it has taken, which is recorded."""

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class AuditedRoute(APIRoute):
    """A route whose operation is recorded: RoomRouter makes no other."""

    async def admit(self, request: Request) -> None:
        """Refuse a caller before anything is read of the body."""

    def get_route_handler(self) -> Handler:
        """The handler with the recording around it."""
        handle = super().get_route_handler()
        operation = self.operation_id or self.name

        async def audited(request: Request) -> Response:
            try:
                await self.admit(request)
                response = await handle(request)
            except Elsewhere as other:  # which records it
                return await _elsewhere(request, operation, other.place)
            except Exception as error:
                await _keep(request, operation, *status_of(error))
                raise
            await _keep(request, operation, response.status_code, "")
            return response

        return audited


async def _elsewhere(request: Request, operation: str, place: str) -> Response:
    try:
        answer: Response = await request.app.state.forwarder.forward(request, place)
    except DlsysError as error:
        await _keep(request, operation, *status_of(error))
        raise
    return answer


async def _keep(request: Request, operation: str, status: int, code: str) -> None:
    changes = is_recorded(operation, request.method)
    entry = entry_of(
        request,
        operation,
        status,
        code,
        project=request.path_params.get("project"),
        target=request.scope["path"].partition(API)[2],
        changes=changes,
    )
    if entry is not None:
        await request.app.state.audit.keep(entry)


def is_recorded(operation: str, method: str) -> bool:
    """Whether an operation is recorded also when it is allowed."""
    if method in READS:
        return operation in READS_THAT_COUNT
    return operation not in QUESTIONS


def entry_of(
    request: Request,
    operation: str,
    status: int,
    code: str,
    *,
    project: str | None,
    target: str,
    changes: bool,
) -> Entry | None:
    """What to record of a request that was answered so; None: nothing.

    Without a principal nothing is: anybody could fill the disk.
    """
    principal = getattr(request.state, "principal", None)
    outcome = outcome_of(status, code)
    if not isinstance(principal, Principal) or status == 401:
        return None
    if not changes and outcome != "refused":
        return None
    return Entry(
        actor=principal.acting or principal.name,
        kind=principal.kind,
        behalf_of=principal.name if principal.acting else None,
        operation=operation,
        project=project,
        target=target,
        outcome=outcome,
        status=status,
        code=code,
        source=_source(request),
        request_id=request_id.get() or "",
        detail=_detail(principal),
    )


def outcome_of(status: int, code: str) -> Outcome:
    """In one word. A project that one is not in is answered as if it were not there."""
    if status == 403 or code == "no-such-project":
        return "refused"
    return "allowed" if status < 400 else "failed"


def _source(request: Request) -> str:
    """The other end of the connection; a socket of this machine has no address."""
    if passed_on := request.app.state.forwarder.source(request):
        return str(passed_on)
    return request.client.host if request.client and request.client.host else "local"


def _detail(principal: Principal) -> Mapping[str, str | int]:
    about = {"job": principal.job_id, "token": principal.token_id}
    return {key: value for key, value in about.items() if value}
