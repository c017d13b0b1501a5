"""How much of a body is read into memory: uploads are streamed, all else is of a bounded size."""

from __future__ import annotations

import re

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BYTES = 64 * 2**20
"""A notebook of 32 MB with its modules fits, also when its quotes are written as \\"."""
STREAMED = re.compile(r"^/api/v1/projects/[^/]+/uploads/[^/]+$|^/mlflow(/|$)")
"""Paths that look after their own bodies."""


class BodyLimit:
    """ASGI middleware: 413 as soon as a body is too long, whatever its headers said."""

    def __init__(self, app: ASGIApp, limit: int = MAX_BYTES) -> None:
        self.app, self.limit = app, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count what is read."""
        if scope["type"] != "http" or STREAMED.match(scope["path"]):
            await self.app(scope, receive, send)
            return
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self.limit:
                raise HTTPException(413, f"The request is larger than {self.limit >> 20} MB.")
            return message

        await self.app(scope, counted, send)
