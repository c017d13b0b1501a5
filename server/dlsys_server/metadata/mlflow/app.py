"""The ASGI app that the child serves: MLflow's RBAC app behind our policy. Runs only in the child.

Also loadable as ``mlflow server --app-name dlsys`` (entry point group ``mlflow.app``).
"""

from __future__ import annotations

import json
import re
from typing import Any

from .bodies import Asgi, Receive, Scope, Send, read_body, replay
from .calls import (
    READS,
    artifact_of,
    call_of,
    fields,
    forbidden,
    malformed,
    read_json,
    refuse_traversal,
)
from .errors import MlflowError

# What is served; all else, and what a new MLflow adds, is refused until somebody has looked at it.
# MLflow has no switch for the rest (GenAI, gateway, traces, webhooks, jobs), and its user interface
# works without.
_CALLS = re.compile(
    r"^(?:(?:artifacts|experiments|logged-models|metrics|model-versions|registered-models|"
    r"runs(?!/create-promptlab-run)|users|roles|workspaces|datasets)(?:/|$)|"
    r"(?:server-info|upload-artifact|gateway-proxy)$)"
)
_PAGES = re.compile(
    r"^/(?:$|(?:health|version|graphql|get-artifact|model-versions/get-artifact)$|static-files/)"
)


class Policy:
    """ASGI layer in front of MLflow: hides what is not used, refuses storage places chosen by
    callers and path tricks.
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
        closed = call == "gateway-proxy" and scope["method"] not in READS
        if closed or not _served(path, call):
            raise forbidden("This part of MLflow is switched off here.")
        if call == "experiments/create":
            body = await read_body(receive)
            if fields(read_json(body), "artifact_location"):
                raise forbidden(
                    "artifact_location is set by the platform.", "Leave artifact_location out."
                )
            return replay(body, receive)
        if path == "/graphql":
            body = await read_body(receive)
            _refuse_what_is_no_query(scope["method"], read_json(body))
            return replay(body, receive)
        return receive


def _refuse_what_is_no_query(method: str, body: dict[str, Any]) -> None:
    """MLflow itself fails on it."""
    from graphql import GraphQLError, parse

    query, variables = body.get("query"), body.get("variables")
    try:
        if (
            method == "POST"
            and isinstance(query, str)
            and (variables is None or isinstance(variables, dict))
        ):
            parse(query)
            return
    except GraphQLError:
        pass
    raise malformed("this is not a GraphQL query", "POST {query, variables, operationName}.")


def _served(path: str, call: str | None) -> bool:
    if call is not None:
        return _CALLS.search(call) is not None
    return artifact_of(path) is not None or _PAGES.search(path) is not None


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
