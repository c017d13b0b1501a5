"""Server-sent events that go on where they stopped, over broken lines and platform restarts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import httpx

from jupyter_dlsys.client.connection import Connection
from jupyter_dlsys.client.errors import NotConnected, Unavailable
from jupyter_dlsys.contract.base import Event

SILENCE = httpx.Timeout(30, connect=10)
"""The platform pings every 15 seconds, so a longer silence is a broken line."""
PAUSE_SECONDS = 0.5
GIVE_UP_SECONDS = 300.0


def follow(
    connection: Connection,
    path: str,
    params: Mapping[str, Any],
    since: int | None,
    *,
    ended: Callable[[], bool] | None = None,
) -> Iterator[Event]:
    """Events after `since`, each once, in order.

    `ended` is asked whenever nothing comes; True ends the stream.

    Raises:
        NotConnected: the platform does not come back.
    """
    alone_since: float | None = None
    while True:
        try:
            for event in _connected(connection, path, {**params, "since": since}):
                alone_since = None
                if isinstance(event, int):
                    since = event
                elif event is not None:
                    since = event.seq
                    yield event
                elif ended is not None and ended():
                    return
        except (NotConnected, Unavailable):
            alone_since = alone_since or time.monotonic()
            if time.monotonic() - alone_since > GIVE_UP_SECONDS:
                raise
        if ended is not None and ended():
            return
        time.sleep(PAUSE_SECONDS)


def _connected(
    connection: Connection, path: str, params: Mapping[str, Any]
) -> Iterator[Event | int | None]:
    headers = {"Accept": "text/event-stream"}
    with connection.stream(path, params, headers, SILENCE) as answer:
        yield from parse(split(answer.iter_bytes()))


def split(blocks: Iterable[bytes]) -> Iterator[str]:
    """Whole lines. Only a line feed ends one: text may hold what Unicode calls a line end."""
    rest = b""
    for block in blocks:
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            yield line.removesuffix(b"\r").decode("utf-8", "replace")


def parse(lines: Iterable[str]) -> Iterator[Event | int | None]:
    """Events of a stream of lines; a number: where the stream begins; None for a sign of life."""
    data: list[str] = []
    position = ""
    for line in lines:
        if line.startswith(": ping"):
            yield None
        elif line.startswith("id:"):
            position = line[3:].strip()
        elif not line and position and not data:
            yield int(position)
            position = ""
        elif line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif not line and data:
            yield Event.model_validate_json("\n".join(data))
            data, position = [], ""
