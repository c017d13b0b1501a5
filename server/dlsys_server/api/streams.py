"""Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

from fastapi import Request
from fastapi.responses import StreamingResponse

from dlsys_server.core.errors import DlsysError
from dlsys_server.core.events import EventFilter, EventLog
from jupyter_dlsys.contract.base import Event

PING_SECONDS = 15.0
REMEMBERED = 256
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def event_stream(
    request: Request, log: EventLog, since: int, wanted: EventFilter
) -> StreamingResponse:
    """A resumable stream: `id:` is the sequence number, Last-Event-ID wins over `since`."""
    last = request.headers.get("last-event-id", "")
    start = int(last) if last.isdigit() else since
    return StreamingResponse(
        _lines(request, log, start, wanted), media_type="text/event-stream", headers=HEADERS
    )


async def _lines(
    request: Request, log: EventLog, since: int, wanted: EventFilter
) -> AsyncIterator[str]:
    yield f": connected\n\nid: {since}\n\n"
    pinged = time.monotonic()
    stopping, written = request.app.state.stopping, request.app.state.written
    try:
        async for batch in log.follow(since, wanted):
            if batch:
                yield "".join(written(event) for event in batch)
            elif time.monotonic() - pinged > PING_SECONDS:
                pinged = time.monotonic()
                yield ": ping\n\n"
            if stopping.is_set():
                return
    except DlsysError:  # the caller may hear no more; who connects again is told why
        return


class Written:
    """Events as they are sent.  Those who follow mostly hear the same objects."""

    def __init__(self) -> None:
        self._texts: dict[int, tuple[Event, str]] = {}

    def __call__(self, event: Event) -> str:
        """Its lines."""
        known = self._texts.get(id(event))  # an id is not used again while we hold its object
        if known is None:
            known = event, _format(event)
            if len(self._texts) >= REMEMBERED:
                del self._texts[next(iter(self._texts))]
            self._texts[id(event)] = known
        return known[1]


def _format(event: Event) -> str:
    return f"id: {event.seq}\nevent: {event.topic}\ndata: {event.model_dump_json()}\n\n"
