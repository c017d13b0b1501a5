"""Connections end after their answer while other processes answer instead of this one."""

from __future__ import annotations

from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .forwarding import HEADER


class SendAway:
    """ASGI middleware: the next request of the same caller comes to another process.

    Requests that other processes pass on are left alone: they have to come here.
    """

    def __init__(self, app: ASGIApp, away: Callable[[], bool]) -> None:
        self.app, self.away = app, away

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; close its connection where that is wanted."""
        if scope["type"] != "http" or not self.away() or _passed_on(scope):
            await self.app(scope, receive, send)
            return

        async def closing(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"connection", b"close")]
            await send(message)

        await self.app(scope, receive, closing)


def _passed_on(scope: Scope) -> bool:
    return any(name == HEADER.encode() for name, _ in scope["headers"])
