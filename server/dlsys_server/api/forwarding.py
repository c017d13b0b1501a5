"""Requests that another process has to answer: passed on as they came, with the caller's token.

The process that answers checks the token and writes the audit log, as for every request. It takes
the caller's address from a header that only processes of this platform can sign.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator, Callable

import httpx
from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from starlette.background import BackgroundTask

from dlsys_server.core.errors import Unavailable
from dlsys_server.core.logs import request_id
from dlsys_server.core.places import MAIN

HEADER = "x-dlsys-forwarded"
HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "host", "transfer-encoding", "te", "trailer", "upgrade", HEADER}
)
TIMEOUT = httpx.Timeout(300, connect=3)
Find = Callable[[str], httpx.AsyncBaseTransport | str]


class Forwarder:
    """Passes requests on.

    Args:
        find: the address of a place, or a transport that leads there.
        key: shared by all processes on one database.

    """

    def __init__(self, find: Find, key: Callable[[], bytes]) -> None:
        self._find, self._key = find, key
        self._clients: dict[str, tuple[object, httpx.AsyncClient]] = {}

    async def close(self) -> None:
        """Close all connections."""
        for _, client in self._clients.values():
            await client.aclose()

    async def forward(self, request: Request, place: str) -> Response:
        """The answer of the other place.

        Raises:
            Unavailable: it is away.
        """
        if place != MAIN and HEADER in request.headers:
            raise _away()  # it has been sent here already, and what it asks for has moved on
        client = self._client(place)
        sent = client.build_request(
            request.method,
            _target(request),
            headers=self._headers(request),
            content=await _content(request),
        )
        try:
            answer = await client.send(sent, stream=True)
        except httpx.HTTPError:
            raise _away() from None
        headers = [(k, v) for k, v in answer.headers.raw if k.decode().lower() not in HOP_BY_HOP]
        response = StreamingResponse(
            _blocks(answer), answer.status_code, background=BackgroundTask(answer.aclose)
        )
        response.raw_headers = [(k.lower(), v) for k, v in headers if k.lower() != b"x-request-id"]
        return response

    def source(self, request: Request) -> str | None:
        """Whom a request came from that another process has passed on; None when none has."""
        said, _, sign = request.headers.get(HEADER, "").rpartition(";")
        return said if sign and hmac.compare_digest(sign, self._sign(said)) else None

    def _client(self, place: str) -> httpx.AsyncClient:
        where = self._find(place)
        known = self._clients.get(place)
        if known is not None and known[0] == where:
            return known[1]
        if isinstance(where, str):
            client = httpx.AsyncClient(base_url=where, timeout=TIMEOUT, trust_env=False)
        else:
            client = httpx.AsyncClient(transport=where, base_url="http://dlsys", timeout=TIMEOUT)
        self._clients[place] = (where, client)
        return client

    def _headers(self, request: Request) -> list[tuple[str, str]]:
        client = request.client.host if request.client and request.client.host else "local"
        source = self.source(request) or client
        found = [(k, v) for k, v in request.headers.items() if k not in HOP_BY_HOP]
        found = [(k, v) for k, v in found if k != "x-request-id"]
        found.append((HEADER, f"{source};{self._sign(source)}"))
        return [*found, ("x-request-id", request_id.get() or "")]

    def _sign(self, source: str) -> str:
        text = f"forwarded {source} {request_id.get() or ''}"
        return hmac.new(self._key(), text.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


def _target(request: Request) -> str:
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    query: bytes = request.scope.get("query_string", b"")
    path = raw.decode("latin1").partition("?")[0]
    return f"{path}?{query.decode('latin1')}" if query else path


async def _content(request: Request) -> bytes | AsyncIterator[bytes] | None:
    """The body: read already where the route takes JSON, else as it comes."""
    if "content-length" not in request.headers and "transfer-encoding" not in request.headers:
        return None
    if hasattr(request, "_body"):
        return await request.body()
    return request.stream()


async def _blocks(answer: httpx.Response) -> AsyncIterator[bytes]:
    async for block in answer.aiter_raw():
        yield block


def _away() -> Unavailable:
    return Unavailable(
        "The process that has this does not answer.",
        code="platform-away",
        hint="Try again in a moment; `dlsys workers` shows which platforms are there.",
        retry_after=2,
    )
