"""Which programs may call which endpoints: what the gateway is told, and what it tells of them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from dlsys_server.access.issued import endpoint_of
from dlsys_server.access.programs import ProgramTokens
from dlsys_server.access.tables import TokenRow
from dlsys_server.core.errors import Unavailable

UNSURE_SECONDS = 900.0


class Keys:
    """Programs' tokens as the gateway reads them, by their digest.

    An owner who lost the right to predict has keys that open nothing. Where it cannot be found out
    what an owner may do, a key that worked goes on for a bounded time.
    """

    def __init__(self, programs: ProgramTokens, unsure_seconds: float = UNSURE_SECONDS) -> None:
        self._programs, self._unsure = programs, unsure_seconds
        self._asked: dict[str, float] = {}

    def current(self, before: Mapping[str, Any]) -> dict[str, Any]:
        """What opens what now; `before` is what the gateway has been told."""
        rows = list(self._programs.predicting())
        for gone in self._asked.keys() - {row.sha256 for row in rows}:
            del self._asked[gone]
        return {row.sha256: _entry(row) for row in rows if self._opens(row, row.sha256 in before)}

    def used(self, uses: Mapping[str, float]) -> None:
        """Note when tokens were used, as the gateway says (seconds since 1970)."""
        if uses:
            at = {key: datetime.fromtimestamp(value, timezone.utc) for key, value in uses.items()}
            self._programs.note_uses(at)

    def _opens(self, row: TokenRow, worked: bool) -> bool:
        try:
            may = self._programs.may_predict(row)
        except Unavailable:
            since = self._asked.setdefault(row.sha256, time.monotonic())
            return worked and time.monotonic() - since < self._unsure
        self._asked.pop(row.sha256, None)
        return may


def _entry(row: TokenRow) -> dict[str, Any]:
    endpoint = endpoint_of(row)
    return {
        "subject": row.name,
        "project": row.project,
        "deployments": "*" if endpoint is None else [endpoint],
        "expires_at": row.expires_at.timestamp() if row.expires_at else None,
    }
