"""Reading a request body in an ASGI layer and handing it on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from .calls import MAX_JSON, malformed
from .errors import MlflowError

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]


async def read_body(receive: Receive, limit: int = MAX_JSON) -> bytes:
    """The whole body of a request; 413 above `limit` bytes."""
    chunks: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise malformed("the client went away")
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise MlflowError(
                413, "INVALID_PARAMETER_VALUE", f"The body is larger than {limit} bytes."
            )
        chunks.append(chunk)
        more = message.get("more_body", False)
    return b"".join(chunks)


def replay(body: bytes, receive: Receive) -> Receive:
    """Give an app the body that was already read, then whatever follows."""
    sent = False

    async def again() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
