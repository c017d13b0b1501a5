"""Headers that keep a browser from making more of an answer than it is."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PAGES = ("/api/v1/docs", "/mlflow")
"""What is made to be looked at, with scripts of its own."""
DATA = "default-src 'none'; frame-ancestors 'none'; sandbox"
PAGE = "frame-ancestors 'self'"


class SafeHeaders:
    """ASGI middleware. What a job or a person left here may be a page: its scripts must not run
    as if they were ours.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add them to each answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        policy = PAGE if scope["path"].startswith(PAGES) else DATA

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "no-referrer"
                headers.setdefault("Content-Security-Policy", policy)
            await send(message)

        await self.app(scope, receive, with_headers)
