"""The ASGI app that the child serves: MLflow's RBAC app behind our policy. Runs only in the child.

Also loadable as ``mlflow server --app-name dlsys`` (entry point group ``mlflow.app``).
"""

from __future__ import annotations

import json
import re

from .bodies import Asgi, Receive, Scope, Send, read_body, replay
from .calls import READS, call_of, fields, forbidden, read_json, refuse_traversal
from .errors import MlflowError

# MLflow has no switch for these. The user interface works without them.
_HIDDEN_CALLS = re.compile(
    r"^(?:gateway|scorers?|prompt-optimization|review-queues|label-schemas|issues|assistant|"
    r"mcp-servers|genai|demo|jobs|webhooks|traces|get-trace-artifact|get-online-trace-details|"
    r"ui-telemetry|runs/create-promptlab-run)(?:/|$)"
)
_HIDDEN_PATHS = re.compile(
    r"^/(?:gateway|signup|v1/traces|(?:ajax-)?api/[\d.]+/mcp-servers)(?:/|$)"
)


class Policy:
    """ASGI layer in front of MLflow: hides GenAI, refuses storage places chosen by callers and path
    tricks.
    """

    def __init__(self, app: Asgi) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            receive = await self._check(scope, receive)
        except MlflowError as refusal:
            await _reply(send, refusal)
            return
        await self._app(scope, receive, send)

    async def _check(self, scope: Scope, receive: Receive) -> Receive:
        path: str = scope["path"]
        raw = scope.get("raw_path") or path.encode()
        refuse_traversal(raw, scope.get("query_string", b""))
        call = call_of(path)
        # The run table asks by GET for gateway endpoints: there are none; a 403 would be shown.
        hidden = _HIDDEN_PATHS.search(path) or (call and _HIDDEN_CALLS.search(call))
        if hidden or (call == "gateway-proxy" and scope["method"] not in READS):
            raise forbidden("This part of MLflow is switched off here.")
        if call == "experiments/create":
            body = await read_body(receive)
            if fields(read_json(body), "artifact_location"):
                raise forbidden(
                    "artifact_location is set by the platform.", "Leave artifact_location out."
                )
            return replay(body, receive)
        return receive


async def _reply(send: Send, refusal: MlflowError) -> None:
    body = json.dumps(refusal.document()).encode()
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def create_app() -> Policy:
    """Build MLflow's RBAC app; the environment must have been set before (see `environment`)."""
    from mlflow.server.auth import create_app as rbac_app

    return Policy(rbac_app())
