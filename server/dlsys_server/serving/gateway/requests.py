"""An HTTP request and its answer, over raw ASGI."""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import orjson

from dlsys_server.serving.gateway.errors import Refusal

MAX_BODY = 16 << 20
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]
JSON: Headers = [(b"content-type", b"application/json")]
_SANE_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")


class Request:
    """Method, path segments and headers; the body is read when asked for."""

    __slots__ = ("headers", "id", "method", "path", "receive")

    def __init__(self, scope: dict[str, Any], receive: Receive) -> None:
        self.method: str = scope["method"]
        self.path: list[str] = [part for part in scope["path"].split("/") if part]
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.receive = receive
        given = self.headers.get(b"x-request-id", b"")
        self.id = given.decode() if _SANE_ID.fullmatch(given) else os.urandom(16).hex()

    def header(self, name: bytes) -> str | None:
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")

    async def body(self) -> bytes:
        """The body, decompressed. Raises Refusal 413 or 415."""
        declared = self.headers.get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > MAX_BODY:
            raise _too_large()
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > MAX_BODY:
                raise _too_large()
            chunks.append(chunk)
            if not message.get("more_body"):
                break
        return _decompressed(b"".join(chunks), self.headers.get(b"content-encoding"))

    async def json(self) -> dict[str, Any]:
        """The body as a JSON object. Raises Refusal 400."""
        return json_object(await self.body())

    def timeout(self) -> float | None:
        """Seconds of `x-request-timeout-ms`. Raises Refusal 400."""
        raw = self.header(b"x-request-timeout-ms")
        if raw is None:
            return None
        if not raw.isdigit() or int(raw) < 1 or len(raw) > 9:
            raise Refusal(400, f"x-request-timeout-ms must be a positive integer, got {raw[:40]!r}")
        return int(raw) / 1000


class ClientGone(Exception):
    """The client hung up: no answer is needed."""


class Answer:
    """Status, headers and body."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, body: bytes, status: int = 200, headers: Headers = JSON) -> None:
        self.body, self.status, self.headers = body, status, headers

    @classmethod
    def of(cls, value: Any, status: int = 200) -> Answer:
        """A JSON answer."""
        return cls(orjson.dumps(value), status)


async def send_answer(send: Send, answer: Answer, extra: Iterable[tuple[bytes, bytes]]) -> None:
    """Write an answer with further headers."""
    length = (b"content-length", str(len(answer.body)).encode())
    headers = [*answer.headers, *extra, length]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


def json_object(raw: bytes) -> dict[str, Any]:
    """Decode a JSON object. Raises Refusal 400 (NaN and Infinity are no JSON)."""
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Refusal(400, f"the body is not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise Refusal(400, "the body must be a JSON object")
    return value


def _too_large() -> Refusal:
    return Refusal(413, f"the body is larger than {MAX_BODY >> 20} MB")


def _decompressed(body: bytes, encoding: bytes | None) -> bytes:
    if not encoding or encoding == b"identity":
        return body
    if encoding not in (b"gzip", b"deflate"):
        raise Refusal(415, f"content-encoding {encoding.decode('latin-1')[:40]!r} is not supported")
    decoder = zlib.decompressobj(zlib.MAX_WBITS | 32)
    try:
        plain = decoder.decompress(body, MAX_BODY)
    except zlib.error as error:
        raise Refusal(400, f"the compressed body is damaged: {error}") from error
    if decoder.unconsumed_tail:
        raise _too_large()
    if not decoder.eof:
        raise Refusal(400, "the compressed body is damaged: it ends too early")
    return plain
