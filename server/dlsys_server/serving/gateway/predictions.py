"""One prediction: checked rows into the queue of a replica, fragments of the answer out of it."""

from __future__ import annotations

import asyncio
import time

from dlsys_server.serving.gateway.batching import Part, Want
from dlsys_server.serving.gateway.errors import Refusal
from dlsys_server.serving.gateway.inputs import Rows
from dlsys_server.serving.gateway.replica import Replica
from dlsys_server.serving.gateway.requests import ClientGone, Request

_WATCH_AFTER = 0.05


async def predict(request: Request, replica: Replica, rows: Rows, want: Want) -> list[list[bytes]]:
    """Fragments of each part, in order. Raises Refusal, or ClientGone when the client hung up."""
    timeout = request.timeout()
    deadline = None if timeout is None else time.monotonic() + timeout
    parts = replica.submit(rows, want, deadline)
    loop = asyncio.get_running_loop()
    timers = [loop.call_later(_WATCH_AFTER, _watch, request, parts)]
    if timeout is not None:
        timers.append(loop.call_later(timeout, _expire, parts))
    try:
        if len(parts) == 1:
            return [await parts[0].future]
        return list(await asyncio.gather(*(part.future for part in parts)))
    except asyncio.CancelledError:
        if any(part.future.cancelled() for part in parts):
            raise ClientGone from None
        raise
    finally:
        for timer in timers:
            timer.cancel()
        for part in parts:
            if not part.future.done():
                part.future.cancel()


def _expire(parts: list[Part]) -> None:
    for part in parts:
        part.fail(Refusal(504, "the deadline of x-request-timeout-ms passed"))


def _watch(request: Request, parts: list[Part]) -> None:
    """Look whether the client hangs up.

    Late, because most answers are there before it is worth a task.
    """
    task = asyncio.get_running_loop().create_task(_drop_when_gone(request, parts))
    for part in parts:
        part.future.add_done_callback(lambda _: task.cancel())


async def _drop_when_gone(request: Request, parts: list[Part]) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    for part in parts:
        part.future.cancel()
