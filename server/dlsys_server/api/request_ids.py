"""Each request has an id: the caller's X-Request-ID when it is sane, else a new one."""

from __future__ import annotations

import logging
import re
import time
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dlsys_server.api.problems import unexpected_error
from dlsys_server.core.ids import new_id
from dlsys_server.core.logs import request_id

log = logging.getLogger("dlsys.access")
SANE = re.compile(rb"^[A-Za-z0-9._-]{1,64}$")


class RequestIds:
    """ASGI middleware; also writes the access log (path without query)."""

    def __init__(self, app: ASGIApp, on_request: Any = None) -> None:
        self.app, self.on_request = app, on_request

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with an id around it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = dict(scope["headers"]).get(b"x-request-id", b"")
        current = given.decode() if SANE.match(given) else new_id()
        token = request_id.set(current)
        status, started = 0, time.perf_counter()
        if self.on_request:
            self.on_request(scope["path"])

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", current.encode())]
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        except Exception:
            log.exception("unexpected error", extra={"path": scope["path"]})
            if status:
                raise
            await unexpected_error()(scope, receive, send_with_id)
        finally:
            log.debug(
                "%s %s %d",
                scope["method"],
                scope["path"],
                status,
                extra={"ms": round((time.perf_counter() - started) * 1000, 1)},
            )
            request_id.reset(token)
