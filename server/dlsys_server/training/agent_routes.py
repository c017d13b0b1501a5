"""HTTP of the agents: parse, authorise, call one verb, return."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import Path, Query, Request
from fastapi.responses import FileResponse

from dlsys_server.access.routing import Caller, RoomRouter, service
from jupyter_dlsys.contract.agents import (
    AgentId,
    Bundle,
    PollAnswer,
    PollRequest,
    Received,
    Try,
    VerdictRequest,
)

from .agent_service import AgentService, Piece

router = RoomRouter(prefix="/agents/{agent}", tags=["agents"])
Agents = Annotated[AgentService, service("agents")]
JobId = Annotated[str, Path(pattern=r"^[0-9A-HJKMNP-TV-Z]{26}$")]
Number = Annotated[int, Path(ge=1, le=10_000)]
ATTEMPT = "/attempts/{job}/{attempt}"


@router.post("/poll", operation_id="agents.poll")
async def poll(
    agent: AgentId, body: PollRequest, request: Request, caller: Caller, agents: Agents
) -> PollAnswer:
    """What an agent is to do; the answer waits until there is something."""
    return await agents.poll(caller, agent, body, request.app.state.stopping.is_set)


@router.post(ATTEMPT + "/take", operation_id="agents.take")
def take(agent: AgentId, job: JobId, attempt: Number, caller: Caller, agents: Agents) -> Bundle:
    """Run this attempt, as the only one; what it needs."""
    return agents.take(caller, agent, job, attempt)


@router.get(ATTEMPT + "/files/{path:path}", operation_id="agents.read")
def read(
    agent: AgentId, job: JobId, attempt: Number, path: str, caller: Caller, agents: Agents
) -> FileResponse:
    """A file of what it needs."""
    return FileResponse(agents.read(caller, agent, job, attempt, path))


@router.put(ATTEMPT + "/files/{path:path}", operation_id="agents.send")
async def send(  # noqa: PLR0913
    agent: AgentId,
    job: JobId,
    attempt: Number,
    path: str,
    request: Request,
    caller: Caller,
    agents: Agents,
    offset: Annotated[int, Query(ge=0)],
    total: Annotated[int | None, Query(ge=0)] = None,
) -> Received:
    """A piece of a file that the attempt wrote; the answer says how much is here."""
    piece = Piece(offset, await request.body(), total)
    one = Try(job=job, attempt=attempt)
    return await asyncio.to_thread(agents.receive, caller, agent, one, path, piece)


@router.post(ATTEMPT + "/finish", status_code=204, operation_id="agents.finish")
def finish(
    agent: AgentId,
    job: JobId,
    attempt: Number,
    body: VerdictRequest,
    caller: Caller,
    agents: Agents,
) -> None:
    """How it ended, when all files are here."""
    agents.finish(caller, agent, job, attempt, body)
