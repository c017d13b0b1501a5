"""Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable

from fastapi import Request
from fastapi.responses import StreamingResponse

from dlsys_server.core.events import EventFilter, EventLog
from jupyter_dlsys.contract.base import Event

PING_SECONDS = 15.0
LOOK_SECONDS = 10.0
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def event_stream(
    request: Request, log: EventLog, since: int, wanted: EventFilter, allowed: Callable[[], bool]
) -> StreamingResponse:
    """A resumable stream: `id:` is the sequence number, Last-Event-ID wins over `since`.

    It ends when `allowed` says no, which is asked every few seconds: the right to look may go
    while it is open.
    """
    last = request.headers.get("last-event-id", "")
    start = int(last) if last.isdigit() else since
    return StreamingResponse(
        _lines(request, log, start, wanted, allowed),
        media_type="text/event-stream",
        headers=HEADERS,
    )


async def _lines(
    request: Request, log: EventLog, since: int, wanted: EventFilter, allowed: Callable[[], bool]
) -> AsyncIterator[str]:
    yield f": connected\n\nid: {since}\n\n"
    pinged = looked = time.monotonic()
    stopping = request.app.state.stopping
    async for batch in log.follow(since, wanted):
        if time.monotonic() - looked > LOOK_SECONDS:
            looked = time.monotonic()
            if not await asyncio.to_thread(allowed):
                return
        if batch:
            yield "".join(_format(event) for event in batch)
        elif time.monotonic() - pinged > PING_SECONDS:
            pinged = time.monotonic()
            yield ": ping\n\n"
        if stopping.is_set():
            return


def _format(event: Event) -> str:
    return f"id: {event.seq}\nevent: {event.topic}\ndata: {event.model_dump_json()}\n\n"
