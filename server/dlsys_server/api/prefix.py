"""The platform below a path of somebody else's proxy, and without it for programs beside it."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send


class BelowPrefix:
    """ASGI middleware that takes a prefix off the path where it is there."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self.app, self.prefix = app, prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on as if it had come without the prefix."""
        if scope["type"] in ("http", "websocket"):
            path = scope["path"]
            if path == self.prefix or path.startswith(f"{self.prefix}/"):
                raw = scope.get("raw_path") or path.encode()
                cut = len(self.prefix.encode())
                scope = {**scope, "path": path[len(self.prefix) :] or "/", "raw_path": raw[cut:]}
        await self.app(scope, receive, send)
