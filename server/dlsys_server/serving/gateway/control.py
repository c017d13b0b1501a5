"""The control door: a unix socket that only the owner of the folder can open.

No token is needed there.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from dlsys_server.serving.gateway.errors import Refusal, RoutesFault
from dlsys_server.serving.gateway.inputs import from_columns
from dlsys_server.serving.gateway.predictions import predict
from dlsys_server.serving.gateway.requests import (
    Answer,
    ClientGone,
    Receive,
    Request,
    Send,
    send_answer,
)
from dlsys_server.serving.gateway.supervisor import Supervisor

import orjson  # isort: skip

_log = logging.getLogger(__name__)
_APPLY_SECONDS = 300.0


class ControlApp:
    """GET /status, POST /apply, /replay, /used, /stop. Bodies and answers are JSON."""

    def __init__(
        self, supervisor: Supervisor, about: dict[str, Any], stop: Callable[[], None]
    ) -> None:
        self._supervisor = supervisor
        self._about = about
        self._stop = stop

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        try:
            answer = await self._answer(request)
        except Refusal as refusal:
            answer = Answer.of({"error": refusal.detail, "field": refusal.field}, refusal.status)
        except RoutesFault as fault:
            answer = Answer.of({"error": str(fault)}, 400)
        except ClientGone:
            return
        except Exception as error:  # noqa: BLE001
            _log.exception("control request failed")
            answer = Answer.of({"error": repr(error)}, 500)
        await send_answer(send, answer, [])

    async def _answer(self, request: Request) -> Answer:
        doors: dict[tuple[str, str], Callable[[Request], Awaitable[Answer]]] = {
            ("GET", "status"): self._status,
            ("POST", "apply"): self._apply,
            ("POST", "replay"): self._replay,
            ("POST", "used"): self._used,
            ("POST", "stop"): self._end,
        }
        door = doors.get((request.method, "/".join(request.path)))
        if door is None:
            raise Refusal(404, "GET /status, POST /apply, /replay, /used or /stop is expected")
        return await door(request)

    async def _status(self, request: Request) -> Answer:
        return Answer.of({**self._about, **self._supervisor.status()})

    async def _apply(self, request: Request) -> Answer:
        """Body (may be empty): {"timeout": seconds, "retry": [deployment, …]}."""
        body = await request.body()
        asked = orjson.loads(body) if body else {}
        timeout = float(asked.get("timeout", _APPLY_SECONDS))
        return Answer.of(await self._supervisor.apply(timeout, list(asked.get("retry", []))))

    async def _replay(self, request: Request) -> Answer:
        """Body: {"deployment", "version", "inputs": {name:

        [one entry a row]}}; answer: outputs by name.
        """
        asked = await request.json()
        name, version = str(asked.get("deployment")), str(asked.get("version"))
        deployment = self._supervisor.deployments.get(name)
        if deployment is None:
            raise Refusal(404, f"there is no deployment {name!r}", field="deployment")
        if not isinstance(asked.get("inputs"), dict):
            raise Refusal(400, "inputs must be an object of columns", field="inputs")
        replica = deployment.warmed(version)
        contract = replica.contract
        rows = from_columns(contract["inputs"], asked["inputs"])
        began = time.perf_counter()
        parts = await predict(request, replica, rows, "rows")
        records = orjson.loads(b"[" + b",".join(part[0] for part in parts) + b"]")
        names = [output["name"] for output in contract["outputs"]]
        if names == ["output"]:
            outputs = {"output": records}
        else:
            outputs = {key: [record[key] for record in records] for key in names}
        return Answer.of(
            {
                "outputs": outputs,
                "model_version": replica.version,
                "request_id": request.id,
                "milliseconds": (time.perf_counter() - began) * 1000,
            }
        )

    async def _used(self, request: Request) -> Answer:
        """When each token was used since this was asked last; forgotten with the answer."""
        used, self._supervisor.used = self._supervisor.used, {}
        return Answer.of({"tokens": used})

    async def _end(self, request: Request) -> Answer:
        self._stop()
        return Answer.of({"stopping": True})
