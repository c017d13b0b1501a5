"""The door to MLflow: ``/mlflow/…`` of the platform, forwarded to the child with identity and
rules.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import httpx
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse

from dlsys_server.access.principals import Principal
from dlsys_server.api.problems import status_of
from dlsys_server.core.errors import DlsysError

from . import headers as hygiene
from .bodies import Receive, Send, read_body
from .bodies import Scope as AsgiScope
from .calls import (
    READS,
    artifact_of,
    call_of,
    forbidden,
    read_json,
    refuse_traversal,
)
from .client import MlflowClient
from .connection import WORKSPACE
from .errors import MlflowError, in_mlflow_words, unavailable
from .jobs import JobWrites
from .page import with_preferences
from .roles import account_of, role_from_scopes
from .sources import refuse_foreign_source
from .taps import Tap

log = logging.getLogger(__name__)
Identify = Callable[[Request], Principal | Awaitable[Principal | None] | None]
RoleOf = Callable[[Principal, str], str | None]
Json = dict[str, Any]

# Users and roles are the platform's; MLflow's own pages ask only about the current user.
_PLATFORM_ONLY = re.compile(r"^(?:users/(?!current(?:/|$))|roles/)")
_SCOPED = {("POST", "registered-models/alias"): "models.promote",
           ("DELETE", "registered-models/alias"): "models.demote"}  # fmt: skip

# MLflow's client asks this first and, unlike all else, does not try again after a 503. So it is
# answered also while nobody can be known: it tells no data, and MLflow asks for no login there.
_SERVER_INFO = {
    "store_type": "SqlStore",
    "workspaces_enabled": True,
    "features_enabled": {"gateway": False},
}
_RETRY_AFTER = 5  # seconds; MLflow's client tries 7 times


class Upstream(Protocol):
    """What the proxy needs of the child."""

    @property
    def state(self) -> str: ...
    @property
    def socket(self) -> Path: ...


@dataclass
class _Call:
    """One request on its way."""

    request: Request
    path: str
    principal: Principal
    project: str
    role: str | None
    call: str | None
    body: bytes | None = None  # None: streamed
    json: Json = field(default_factory=dict)

    @property
    def account(self) -> str:
        return account_of(self.principal, self.role)


class MlflowProxy:
    """ASGI app to mount at ``/mlflow``.

    Args:
        child: where MLflow listens and whether it does.
        client: the platform's own client (users and roles are made at a user's first call).
        identify: principal of a request; None is answered 401, errors are raised to the host app.
        role_of: role of a principal in a project, None when it may not use it.
        taps: hear of successful calls.
        mount: the path of the mount.
        patience: seconds that a call waits for MLflow to start before it is answered 503.
    """

    def __init__(
        self,
        child: Upstream,
        client: MlflowClient,
        identify: Identify,
        *,
        role_of: RoleOf = role_from_scopes,
        taps: Sequence[Tap] = (),
        mount: str = "/mlflow",
        patience: float = 15.0,
    ) -> None:
        self._child, self._client = child, client
        self._identify, self._role_of = identify, role_of
        self._taps, self._mount, self._patience = taps, mount, patience
        self._jobs = JobWrites(client)
        self._http: httpx.AsyncClient | None = None

    async def close(self) -> None:
        """Close the connections to the child."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except DlsysError as error:  # also those of the host's rules: MLflow's client shows them
            request.state.code = error.code
            response = _problem(in_mlflow_words(error))
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if (raw := self._below_mount(request)) == "":
            return RedirectResponse("mlflow/", status_code=307)  # relative: right under any prefix
        refuse_traversal(raw.encode(), request.scope.get("query_string", b""))
        path = httpx.URL(f"http://localhost{raw}").path
        try:
            call = await self._call(request, path)
            await self._until_ready()
            await self._prepare(call)
            return await self._forward(call, raw)
        except (DlsysError, SQLAlchemyError) as error:
            if call_of(path) == "server-info" and status_of(error)[0] in (502, 503):
                return JSONResponse(_SERVER_INFO)
            raise

    async def _call(self, request: Request, path: str) -> _Call:
        principal = request.state.principal = await self._who(request)
        project = request.state.project = self._where(request, principal)
        role = self._role_of(principal, project)
        return _Call(request, path, principal, project, role, call_of(path))

    async def _until_ready(self) -> None:
        """A start takes a few seconds: waiting is kinder than an error, for a while."""
        end = time.monotonic() + self._patience
        while self._child.state != "ok":
            if time.monotonic() >= end:
                raise _starting()
            await asyncio.sleep(0.1)

    def _below_mount(self, request: Request) -> str:
        """The raw (still encoded) path below the mount."""
        scope = request.scope
        raw = scope.get("raw_path") or quote(scope["path"]).encode()
        path: str = raw.decode("latin1").partition("?")[0]
        root = scope.get("root_path", "")
        for prefix in dict.fromkeys((root, self._mount)):
            if prefix and (path == prefix or path.startswith(prefix + "/")):
                return path[len(prefix) :]
        return path

    async def _who(self, request: Request) -> Principal:
        found = self._identify(request)
        principal = await found if inspect.isawaitable(found) else found
        if principal is None:
            raise MlflowError(
                401,
                "UNAUTHENTICATED",
                "No valid token.",
                "Set MLFLOW_TRACKING_TOKEN to your token.",
            )
        return principal

    def _where(self, request: Request, principal: Principal) -> str:
        asked = {
            value
            for value in hygiene.named(request.headers.raw, WORKSPACE.lower().encode())
            if value
        }
        if len(asked) > 1:
            raise MlflowError(400, "INVALID_PARAMETER_VALUE", f"{WORKSPACE} is given twice.")
        project = asked.pop() if asked else principal.project
        if self._role_of(principal, project) is None:
            raise forbidden(
                f"There is no project '{project}' that you can see.",
                "Set MLFLOW_WORKSPACE to one of yours: `dlsys projects` lists them.",
            )
        return project

    async def _prepare(self, call: _Call) -> None:
        """Check the call against our rules, read its body when they or a tap need it, make the user
        known.
        """
        request, principal = call.request, call.principal
        if call.call and _PLATFORM_ONLY.search(call.call) and not _own_roles(call):
            raise forbidden("Users and roles are managed by the platform.")
        if request.method not in READS and call.call and call.call.startswith("workspaces"):
            raise forbidden("Projects are managed by the platform.")
        operation = _SCOPED.get((request.method, call.call or ""))
        if operation and principal.kind != "job":
            principal.check(operation, call.project)
        is_file = artifact_of(call.path) is not None or call.call == "upload-artifact"
        if request.method not in READS and not is_file:
            call.body = await read_body(request.receive)
            call.json = read_json(call.body)
        if call.call == "model-versions/create":
            refuse_foreign_source(call.json, call.project)
        if principal.kind == "job":
            await self._check_job(call)
        await self._client.ensure_user(
            call.account, call.project, call.role, lower=principal.kind != "job"
        )

    async def _check_job(self, call: _Call) -> None:
        request = call.request
        checked = await self._jobs.check(
            call.principal, call.project, request.method, call.path, request.url.query, call.json
        )
        if checked is not call.json:
            call.json, call.body = checked, json.dumps(checked).encode()

    async def _forward(self, call: _Call, raw: str) -> Response:
        answer = await self._send(call, raw)
        if answer.status_code == 403 and answer.headers.get("content-type", "").startswith("text/"):
            await answer.aclose()
            raise _denied(call)
        if _is_away(answer):  # in words of its database driver, or a page
            await answer.aclose()
            log.warning("MLflow could not answer", extra={"status": answer.status_code})
            raise unavailable("MLflow cannot reach its database.")
        taps = self._interested(call) if answer.is_success else []
        headers = hygiene.to_client(answer.headers.raw)
        location = answer.headers.get("location")
        if location and location.startswith("/"):
            prefix = call.request.headers.get("x-forwarded-prefix", "").rstrip("/")
            headers.append((b"location", f"{prefix}{self._mount}{location}".encode()))
        response: Response = StreamingResponse(_stream(answer), answer.status_code)
        if taps:
            body = await _whole(answer)
            await self._tell(taps, call, body)
            response, headers = Response(body, answer.status_code), _resized(headers, body)
        elif call.path == "/" and answer.status_code == 200:
            body = with_preferences(await _whole(answer), call.project)
            response, headers = Response(body, 200), _resized(headers, body)
            headers.append((b"cache-control", b"no-store"))
        response.raw_headers = headers
        return response

    def _interested(self, call: _Call) -> list[Tap]:
        if call.call is None:
            return []
        return [tap for tap in self._taps if tap.matches(call.request.method, call.call)]

    async def _tell(self, taps: list[Tap], call: _Call, body: bytes) -> None:
        try:
            answer = json.loads(body or b"{}")
        except ValueError:
            return
        for tap in taps:
            await self._tell_one(tap, call, answer)

    async def _tell_one(self, tap: Tap, call: _Call, answer: Json) -> None:
        try:
            await tap.observed(call.principal, call.project, call.call or "", call.json, answer)
        except Exception:  # MLflow has said yes already: the client must hear that
            log.exception("tap failed", extra={"call": call.call})

    async def _send(self, call: _Call, raw: str) -> httpx.Response:
        request = call.request
        headers = hygiene.to_child(request.headers.raw)
        for name, value in self._client.headers(call.project, call.account).items():
            headers.append((name.encode(), value.encode()))
        content: bytes | AsyncIterator[bytes] | None = call.body
        if call.body is not None:
            headers = [pair for pair in headers if pair[0].lower() != b"content-length"]
        elif request.method not in READS:
            content = request.stream()
        query = request.scope.get("query_string", b"")
        url = httpx.URL(f"http://localhost{raw}").copy_with(query=query or None)
        upstream = self._upstream()
        outgoing = upstream.build_request(request.method, url, headers=headers, content=content)
        try:
            return await upstream.send(outgoing, stream=True)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
            raise _starting() from None
        except httpx.TransportError as error:
            raise MlflowError(
                502, "TEMPORARILY_UNAVAILABLE", f"MLflow went away: {type(error).__name__}.",
                "It is being started again; try once more.",
            ) from None  # fmt: skip

    def _upstream(self) -> httpx.AsyncClient:
        if self._http is None:
            self._http = httpx.AsyncClient(
                transport=httpx.AsyncHTTPTransport(
                    verify=False,
                    uds=str(self._child.socket),
                    limits=httpx.Limits(max_connections=64, max_keepalive_connections=16),
                ),
                timeout=httpx.Timeout(600, connect=5, pool=30),
                headers={"accept-encoding": "identity"},
            )
        return self._http


async def _whole(answer: httpx.Response) -> bytes:
    try:
        return await answer.aread()
    finally:
        await answer.aclose()


def _resized(headers: hygiene.Headers, body: bytes) -> hygiene.Headers:
    """The headers for a body that was read and maybe changed."""
    stale = {b"content-length", b"content-encoding", b"etag", b"last-modified", b"cache-control"}
    kept = [pair for pair in headers if pair[0] not in stale]
    return [*kept, (b"content-length", str(len(body)).encode())]


async def _stream(answer: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for chunk in answer.aiter_raw():
            yield chunk
    finally:
        await answer.aclose()


def _own_roles(call: _Call) -> bool:
    """MLflow's pages ask which roles the current user has."""
    asked = call.request.query_params.getlist("username")
    return (
        call.request.method == "GET" and call.call == "users/roles/list" and asked == [call.account]
    )


def _denied(call: _Call) -> MlflowError:
    """MLflow's own refusal is the bare text "Permission denied"."""
    what = call.call or call.path
    return forbidden(
        f"'{call.principal.name}' may not do '{what}' on this in the project '{call.project}'.",
        "Does it belong to this project? Choose an experiment with MLFLOW_EXPERIMENT_NAME or "
        "mlflow.set_experiment(), a project with MLFLOW_WORKSPACE.",
    )


def _starting() -> MlflowError:
    return MlflowError(
        503, "TEMPORARILY_UNAVAILABLE", "MLflow is starting.",
        "Try again in a moment; MLflow's own client does so by itself.",
    )  # fmt: skip


def _is_away(answer: httpx.Response) -> bool:
    page = answer.headers.get("content-type", "").startswith("text/html")
    return answer.status_code == 503 or (answer.status_code >= 500 and page)


def _problem(error: MlflowError) -> Response:
    headers = {"Retry-After": str(_RETRY_AFTER)} if error.status == 503 else {}
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(
        error.document(), error.status, headers, media_type="application/problem+json"
    )
