"""The public door: who may call, which deployment is meant, which protocol is spoken."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from importlib import metadata
from typing import Any

import orjson

from dlsys_server.serving.gateway import metrics, open_inference, scoring
from dlsys_server.serving.gateway.deployment import Deployment
from dlsys_server.serving.gateway.errors import Refusal
from dlsys_server.serving.gateway.requests import (
    Answer,
    ClientGone,
    Receive,
    Request,
    Send,
    send_answer,
)
from dlsys_server.serving.gateway.routes_file import Token, digest
from dlsys_server.serving.gateway.supervisor import Supervisor

_log = logging.getLogger(__name__)
_OPEN = (["ping"], ["health"], ["v2", "health", "live"])
_TEXT = [(b"content-type", b"text/plain; version=0.0.4; charset=utf-8")]
Predictor = Callable[[], Awaitable[tuple[Answer, str]]]


class PublicApp:
    """Raw ASGI application of the public port."""

    def __init__(self, supervisor: Supervisor, version: str) -> None:
        self._supervisor = supervisor
        self._version = version

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        extra = [(b"x-request-id", request.id.encode())]
        try:
            answer, version = await self._answer(request)
            if version:
                extra.append((b"x-dlsys-version", version.encode()))
        except Refusal as refusal:
            answer = _refused(request, refusal)
            if refusal.retry_after is not None:
                extra.append((b"retry-after", str(max(1, round(refusal.retry_after))).encode()))
            if refusal.status == 401:
                extra.append((b"www-authenticate", b"Bearer"))
        except ClientGone:
            return
        except Exception:  # noqa: BLE001
            _log.exception("request %s failed", request.id)
            answer = _refused(request, Refusal(500, f"the gateway failed; request {request.id}"))
        await send_answer(send, answer, extra)

    async def _answer(self, request: Request) -> tuple[Answer, str]:
        path = request.path
        if path in _OPEN:
            return Answer.of({"live": True} if path[0] == "v2" else {}), ""
        token = self._authenticate(request)
        if not path:
            return Answer.of({"status": "alive"}), ""  # live probe of the KServe V1 client
        if path[0] == "v2":
            return await self._v2(request, token, path[1:])
        if path[0] == "v1":
            return await self._v1(request, token, path[1:])
        return await self._scoring(request, token, path)

    async def _scoring(self, request: Request, token: Token, path: list[str]) -> tuple[Answer, str]:
        match path:
            case ["invocations"]:
                return await self._invocations(request, self._meant(request, token))
            case ["deployments", name, "invocations"]:
                return await self._invocations(request, self._find(token, name))
            case ["version"]:
                return Answer(_mlflow_version().encode(), headers=_TEXT), ""
            case ["metrics"]:
                return Answer(metrics.render(self._reachable(token)), headers=_TEXT), ""
        raise Refusal(404, f"there is nothing at /{'/'.join(path)}")

    # --- who ---

    def _authenticate(self, request: Request) -> Token:
        scheme, _, secret = (request.header(b"authorization") or "").partition(" ")
        if scheme.lower() != "bearer" or not secret.strip():
            raise Refusal(401, "a token is needed: send the header Authorization: Bearer TOKEN")
        key = digest(secret.strip())
        token = self._supervisor.routes.tokens.get(key)
        if token is None:
            raise Refusal(401, "the token is not known")
        if token.expired():
            raise Refusal(401, "the token has expired")
        self._supervisor.used[key] = time.time()
        return token

    def _reachable(self, token: Token) -> list[Deployment]:
        return [d for d in self._supervisor.deployments.values() if token.reaches(d.spec)]

    def _find(self, token: Token, name: str) -> Deployment:
        deployment = self._supervisor.deployments.get(name)
        if deployment is not None and token.reaches(deployment.spec):
            return deployment
        if token.deployments is not None and name not in token.deployments:
            raise Refusal(403, f"the token may not call {name!r}")
        raise Refusal(404, f"there is no model {name!r}")

    def _meant(self, request: Request, token: Token) -> Deployment:
        """The deployment of a path that names none."""
        name = request.header(b"x-dlsys-deployment")
        if name is not None:
            return self._find(token, name)
        reachable = self._reachable(token)
        if len(reachable) == 1:
            return reachable[0]
        names = ", ".join(sorted(d.name for d in reachable)) or "none"
        raise Refusal(
            400,
            f"which deployment? Send the header x-dlsys-deployment (the token may call: {names}), "
            "or use /deployments/NAME/invocations",
            field="x-dlsys-deployment",
        )

    # --- protocols ---

    async def _v2(self, request: Request, token: Token, path: list[str]) -> tuple[Answer, str]:
        match path:
            case []:
                extensions = open_inference.EXTENSIONS
                server = {
                    "name": "jupyter-dlsys",
                    "version": self._version,
                    "extensions": extensions,
                }
                return Answer.of(server), ""
            case ["health", "ready"]:
                ready = all(d.state() in ("ready", "degraded") for d in self._reachable(token))
                return Answer.of({"ready": ready}, 200 if ready else 503), ""
            case ["repository", "index"]:
                _only(request, "POST")
                return Answer.of(open_inference.index(self._reachable(token))), ""
            case ["models", name, "versions", version, *rest]:
                return await self._v2_model(request, self._find(token, name), version, rest)
            case ["models", name, *rest]:
                return await self._v2_model(request, self._find(token, name), None, rest)
        raise Refusal(404, f"there is nothing at /v2/{'/'.join(path)}")

    async def _v2_model(
        self, request: Request, deployment: Deployment, version: str | None, rest: list[str]
    ) -> tuple[Answer, str]:
        match rest:
            case []:
                return Answer.of(open_inference.metadata(deployment, version)), ""
            case ["ready"]:
                replica = deployment.choose(version)
                return Answer.of({"name": deployment.name, "ready": True}), replica.version
            case ["infer"]:
                _only(request, "POST")
                return await _measured(
                    deployment, lambda: open_inference.infer(request, deployment, version)
                )
            case ["config"] | ["stats"]:
                raise Refusal(501, f"{rest[0]} is not supported")
        raise Refusal(404, f"there is nothing at {'/'.join(rest)} of a model")

    async def _v1(self, request: Request, token: Token, path: list[str]) -> tuple[Answer, str]:
        if path == ["models"]:
            return Answer.of({"models": [d.name for d in self._reachable(token)]}), ""
        if len(path) != 2 or path[0] != "models":
            raise Refusal(404, f"there is nothing at /v1/{'/'.join(path)}")
        name, colon, verb = path[1].partition(":")
        deployment = self._find(token, name)
        if not colon:
            replica = deployment.choose(None)
            return Answer.of({"name": name, "ready": True}), replica.version
        if verb != "predict":
            raise Refusal(501, f"{verb} is not supported")
        _only(request, "POST")
        return await _measured(deployment, lambda: scoring.kserve(request, deployment))

    async def _invocations(self, request: Request, deployment: Deployment) -> tuple[Answer, str]:
        _only(request, "POST")
        return await _measured(deployment, lambda: scoring.invocations(request, deployment))


async def _measured(deployment: Deployment, predictor: Predictor) -> tuple[Answer, str]:
    started = time.perf_counter()
    status = 500
    try:
        answer, version = await predictor()
        status = answer.status
        return answer, version
    except Refusal as refusal:
        status = refusal.status
        raise
    except ClientGone:
        status = 499
        raise
    finally:
        deployment.statistics.record(status, time.perf_counter() - started)


def _only(request: Request, method: str) -> None:
    if request.method != method:
        raise Refusal(405, f"{request.method} is not possible here, {method} is")


def _refused(request: Request, refusal: Refusal) -> Answer:
    if request.path[:1] == ["v2"]:
        body: dict[str, Any] = {"error": refusal.detail}
    else:
        body = {"error": HTTPStatus(refusal.status).phrase, "detail": refusal.detail}
        if refusal.field is not None:
            body["field"] = refusal.field
    return Answer(orjson.dumps(body), refusal.status)


def _mlflow_version() -> str:
    try:
        return metadata.version("mlflow")
    except metadata.PackageNotFoundError:
        return "unknown"
