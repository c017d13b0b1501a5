"""/dlsys/api/v1/* and /dlsys/mlflow/* → platform, streamed both ways, checked by Jupyter."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any, cast
from urllib.parse import quote, unquote

import httpx
from tornado import web
from tornado.iostream import StreamClosedError

from jupyter_dlsys.client.errors import DlsysError
from jupyter_dlsys.server_extension.backend import Upstream
from jupyter_dlsys.server_extension.handlers import PlatformHandler

HOP = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
PRIVATE = frozenset({"cookie", "authorization", "x-xsrftoken", "forwarded"})
PRIVATE_PREFIXES = ("x-dlsys-", "x-forwarded-", "x-jupyter-")
KEPT_BACK = HOP | {"set-cookie", "server", "date", "content-security-policy", "www-authenticate"}
MAX_BODY = 20 * 2**30
QUEUE = 8
SMALL_BODY = 1 << 20
MLFLOW_HEADER_COOKIE = "mlflow-request-header-X-XSRFToken"


@web.stream_request_body
class ProxyHandler(PlatformHandler):
    """One request, passed on. The body flows while it arrives; so does the answer."""

    _body: asyncio.Queue[bytes | None]
    _task: asyncio.Task[httpx.Response] | None = None
    _relay: asyncio.Task[None] | None = None
    _refusal: web.HTTPError | None = None
    _taken = False
    _gone = False

    async def prepare(self) -> None:  # type: ignore[override]
        """Check the caller, then begin to pass the request on before its body is here."""
        try:
            await super().prepare()
        except web.HTTPError as error:
            self._refuse(error)
            return
        if self._finished:
            return
        if any(part in (".", "..") for part in unquote(self.request.path).split("/")):
            self._refuse(web.HTTPError(400, "dots in the path", reason="Not a path of ours"))
            return
        cast(Any, self.request.connection).set_max_body_size(MAX_BODY)
        self._body = asyncio.Queue(QUEUE)
        self._task = asyncio.create_task(self._send())
        self._task.add_done_callback(lambda task: task.cancelled() or task.exception())

    def _refuse(self, error: web.HTTPError) -> None:
        """Now if the body is long, else after it: an answer before an unread body gets lost."""
        length = self.request.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.request.headers or int(length) > SMALL_BODY:
            raise error
        self._refusal = error

    async def data_received(self, chunk: bytes) -> None:
        """A piece of the body; waits while the platform is slower than the browser."""
        await self._hand_on(chunk)

    async def _proxy(self, *_: str) -> None:
        if self._refusal is not None:
            raise self._refusal
        assert self._task is not None
        await self._hand_on(None)
        try:
            answer = await self._task
        except asyncio.CancelledError:
            if not self._gone:
                raise
            return
        except DlsysError as error:
            self.problem(503, error, retry_after=1)
            return
        except httpx.TransportError as error:
            self.log.warning("the platform did not answer: %r", error)
            gone = DlsysError(
                "The platform did not answer.",
                code="platform-gone",
                hint="It may be restarting; try again in a moment.",
            )
            self.problem(503, gone, retry_after=1)
            return
        self._relay = asyncio.create_task(self._pass_back(answer))
        try:
            await self._relay
        except asyncio.CancelledError:
            if not self._gone:
                raise

    get = post = put = patch = delete = head = options = web.authenticated(_proxy)

    # -- towards the platform ------------------------------------------------
    async def _send(self) -> httpx.Response:
        upstream = await self.backend.upstream()
        self.presence.begin()
        try:
            answer = await self._ask(upstream)
        except httpx.TransportError as error:
            await self.backend.forget(upstream)
            if not self._repeatable(error):
                raise
            answer = await self._ask(await self.backend.upstream())
        if answer.status_code == 401 and not self.backend.shared and not self._taken:
            await answer.aclose()
            await self.backend.forget(upstream)
            answer = await self._ask(await self.backend.upstream())
        return answer

    def _repeatable(self, error: httpx.TransportError) -> bool:
        if self._taken:
            return False
        safe = self.request.method in ("GET", "HEAD", "OPTIONS")
        return safe or isinstance(error, httpx.ConnectError)

    async def _ask(self, upstream: Upstream) -> httpx.Response:
        has_body = (
            self.request.headers.get("Content-Length", "0") != "0"
            or "Transfer-Encoding" in self.request.headers
        )
        path = self.request.path[len(self.prefix) :]
        query = f"?{self.request.query}" if self.request.query else ""
        asked = upstream.http.build_request(
            self.request.method or "GET",
            path + query,
            headers=self._passed_headers(upstream),
            content=self._pieces() if has_body else None,
        )
        return await upstream.http.send(asked, stream=True)

    async def _pieces(self) -> AsyncIterator[bytes]:
        while (piece := await self._body.get()) is not None:
            self._taken = True
            yield piece

    async def _hand_on(self, piece: bytes | None) -> None:
        """Put a piece (None: the end) before whoever sends it, unless the answer is here."""
        if self._task is None or self._task.done():
            return
        put = asyncio.ensure_future(self._body.put(piece))
        await asyncio.wait({put, self._task}, return_when=asyncio.FIRST_COMPLETED)
        if not put.done():
            put.cancel()

    def _passed_headers(self, upstream: Upstream) -> list[tuple[str, str]]:
        passed = [
            (name, value)
            for name, value in self.request.headers.get_all()
            if name.lower() not in HOP | PRIVATE and not name.lower().startswith(PRIVATE_PREFIXES)
        ]
        length = self.request.headers.get("Content-Length")
        return [
            *passed,
            *([("Content-Length", length)] if length and length != "0" else []),
            ("Authorization", f"Bearer {upstream.token}"),
            *self._acting(),
            ("X-Forwarded-Prefix", self.prefix),
        ]

    def _acting(self) -> list[tuple[str, str]]:
        """Who sits here, when it is not whose server this is: the hub let them in."""
        owner, user = os.environ.get("JUPYTERHUB_USER"), str(self.current_user.username)
        visits = self.backend.shared and owner and user != owner
        return [("X-Dlsys-Acting", quote(user, safe=" @+.,-_"))] if visits else []

    # -- back to the browser -------------------------------------------------
    async def _pass_back(self, answer: httpx.Response) -> None:
        try:
            self._pass_head(answer)
            if answer.status_code in (204, 304):
                return
            await self.flush()  # headers now: a stream opens before its first event
            async for piece in answer.aiter_raw():
                self.write(piece)
                await self.flush()
        except StreamClosedError:
            return
        except httpx.TransportError as error:
            self.log.info("the platform's answer was cut: %r", error)
            if self.request.connection is not None:
                self.detach_and_drop()
        finally:
            await answer.aclose()

    def _pass_head(self, answer: httpx.Response) -> None:
        self.set_status(answer.status_code, answer.reason_phrase or None)
        self.clear_header("Content-Type")
        for name, value in answer.headers.multi_items():
            if name.lower() not in KEPT_BACK:
                self.add_header(name, value)
        self.set_header("X-Accel-Buffering", "no")
        self.set_header("X-Content-Type-Options", "nosniff")
        if self._is_mlflows_page():
            self.set_header("Content-Security-Policy", "frame-ancestors 'self'")
            self._let_mlflow_write()
        else:
            # What a job left may be a page with scripts: it must not act as Jupyter's user.
            self.set_header("Content-Security-Policy", "frame-ancestors 'self'; sandbox")

    def _is_mlflows_page(self) -> bool:
        """MLflow's own page and its parts; all else there is data, of anybody in the project."""
        below = self.request.path.removeprefix(f"{self.prefix}/mlflow")
        return below in ("", "/") or below.startswith("/static-files/")

    def _let_mlflow_write(self) -> None:
        """MLflow's own page turns this cookie into the header that Jupyter wants on writes."""
        if self.request.method == "GET" and not self.get_cookie(MLFLOW_HEADER_COOKIE):
            token = self.xsrf_token.decode()
            self.set_cookie(
                MLFLOW_HEADER_COOKIE,
                token,
                path=f"{self.prefix}/mlflow",
                samesite="Strict",
                secure=self.request.protocol == "https",
            )

    # -- the browser leaves --------------------------------------------------
    def detach_and_drop(self) -> None:
        """Close the line without a proper end: the browser sees that something is missing."""
        stream = getattr(self.request.connection, "stream", None)
        if stream is not None:
            stream.close()

    def on_connection_close(self) -> None:
        """Stop reading from the platform at once, not at its next event."""
        self._gone = True
        for task in (self._relay, self._task):
            if task is not None and not task.done():
                task.cancel()
        super().on_connection_close()
