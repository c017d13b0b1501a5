"""The audit log: who did what, from where, and whether it was allowed."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Literal

import httpx

from jupyter_dlsys.client.connection import API
from jupyter_dlsys.client.resource import Resource
from jupyter_dlsys.client.views import Listing
from jupyter_dlsys.contract.access import AuditEntry, AuditReport, Outcome

PATIENCE = httpx.Timeout(3600, connect=10)


class Audit(Resource):
    """Rows of the projects that you manage; of all for an administrator of the platform."""

    def list(
        self,
        limit: int | None = 50,
        *,
        project: str | None = None,
        actor: str | None = None,
        operation: str | None = None,
        outcome: Outcome | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        text: str | None = None,
    ) -> Listing[AuditEntry]:
        """What was done or refused, newest first.

        Args:
            limit: rows at most; None: all.
            project: only there.
            actor: only this user or program.
            operation: only these, by prefix: "datasets.", "mlflow.".
            outcome: "allowed", "refused" or "failed".
            since: not before.
            until: before.
            text: part of the target, which is the path of the request.
        """
        wanted = {k: _sent(v) for k, v in locals().items() if k not in ("self", "limit")}
        return self._all(AuditEntry, f"{API}/audit", wanted, limit)

    def export(  # noqa: PLR0913  the filters of `list`
        self,
        to: str | Path,
        format: Literal["jsonl", "csv"] = "jsonl",
        *,
        project: str | None = None,
        actor: str | None = None,
        operation: str | None = None,
        outcome: Outcome | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        text: str | None = None,
    ) -> Path:
        """The same as a file at `to`, all of them, oldest first."""
        wanted = {k: _sent(v) for k, v in locals().items() if k not in ("self", "to")}
        return self._connection.download(f"{API}/audit/export", Path(to), wanted)

    def verify(self) -> AuditReport:
        """Whether rows were changed or removed since they were written; a minute for a million."""
        with self._connection.stream(f"{API}/audit/verify", timeout=PATIENCE) as answer:
            return AuditReport.model_validate_json(answer.read())


def _sent(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value
