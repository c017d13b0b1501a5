"""MLflow's calls in the audit log: what changes something, and what was refused."""

from __future__ import annotations

import re

from starlette.requests import Request

from dlsys_server.access.audit import AuditLog
from dlsys_server.access.audited import entry_of

from .bodies import Asgi, Message, Receive, Scope, Send
from .calls import READS, artifact_of, call_of

_WORD = re.compile(r"^[a-z][a-z-]*$")
_QUESTIONS = re.compile(r"(?:^|/)(?:search(?:-[a-z]+)*|get-latest-versions)$")
_OF_A_JOB = frozenset(
    {
        "runs/log-metric",
        "runs/log-batch",
        "runs/log-parameter",
        "runs/log-inputs",
        "runs/log-model",
        "runs/outputs",
        "runs/set-tag",
        "runs/update",
        "upload-artifact",
    }
)
"""What a job writes into its own run while it runs; the run itself tells."""


class AuditedMlflow:
    """ASGI app around MlflowProxy, which says in `request.state` who calls (`principal`), in which
    `project`, and the `code` of a refusal. The row is written before the answer begins.
    """

    def __init__(self, proxy: Asgi, audit: AuditLog) -> None:
        self._proxy, self._audit = proxy, audit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._proxy(scope, receive, send)
            return
        scope.setdefault("state", {})

        async def audited(message: Message) -> None:
            if message["type"] == "http.response.start":
                await self._keep(Request(scope), message["status"])
            await send(message)

        await self._proxy(scope, receive, audited)

    async def _keep(self, request: Request, status: int) -> None:
        below = request.scope["path"].partition("/mlflow")[2]
        job = getattr(getattr(request.state, "principal", None), "kind", "") == "job"
        entry = entry_of(
            request,
            _operation(below),
            status,
            getattr(request.state, "code", ""),
            project=getattr(request.state, "project", None),
            target=f"/mlflow{below}",
            changes=request.method not in READS and is_recorded(below, job=job),
        )
        if entry is not None:
            await self._audit.keep(entry)


def is_recorded(path: str, *, job: bool) -> bool:
    """Whether a call that is not a GET is recorded also when it is allowed."""
    call = call_of(path)
    if call is None:
        return path != "/graphql" and not (job and artifact_of(path) is not None)
    return not _QUESTIONS.search(call) and not (job and call in _OF_A_JOB)


def _operation(path: str) -> str:
    """The call without the ids in it."""
    call = call_of(path)
    if call is None:
        return "mlflow.artifacts" if artifact_of(path) is not None else "mlflow.page"
    return "mlflow." + "/".join(part for part in call.split("/") if _WORD.match(part))
