"""What widgets show, for people who watch: changed state as `job.widgets` events, not too often."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from .events import Spool

SECONDS_BETWEEN = 0.5
SLOWEST = 10.0
VALUE_CAP = 16 * 1024
EVENT_CAP = 64 * 1024
NAMES = ("_model_name", "_view_name")
DULL = ("_model_module", "_model_module_version", "_view_module", "_view_module_version")

State = dict[str, Any]


class WidgetStates:
    """Gathers what changed since the last event. A closed widget's state is None.

    The longer a cell runs, the rarer its events: a progress bar of a day is no flood.
    """

    def __init__(self, spool: Spool) -> None:
        self.spool = spool
        self._names: dict[str, State] = {}
        self._changed: dict[str, State | None] = {}
        self._began = self._told = 0.0

    def cell_starts(self) -> None:
        self._began = time.monotonic()

    def hear(self, msg: dict[str, Any]) -> None:
        """Take in a comm_open, comm_msg or comm_close of the kernel."""
        content = msg["content"]
        comm, kind = str(content.get("comm_id")), msg["msg_type"]
        if kind == "comm_close":
            if self._names.pop(comm, None) is not None:
                self._changed[comm] = None
            return
        if kind == "comm_open" and content.get("target_name") != "jupyter.widget":
            return
        data = content.get("data") or {}
        state = data.get("state")
        if isinstance(state, dict):
            self.change(comm, state, opened=kind == "comm_open")

    def change(self, comm: str, state: State, opened: bool = False) -> None:
        """Note changed values of a widget; of a new one, those that are set."""
        if opened:
            self._names[comm] = {name: state.get(name) for name in NAMES}
            state = {key: value for key, value in state.items() if value is not None}
        if comm not in self._names:
            return
        known = self._changed.get(comm) or dict(self._names[comm])
        self._changed[comm] = {**known, **dict(_kept(state))}

    def due(self) -> float | None:
        """Seconds until what changed should be told; None when nothing did."""
        if not self._changed:
            return None
        now = time.monotonic()
        pace = min(SLOWEST, max(SECONDS_BETWEEN, (now - self._began) / 200))
        return max(0.0, self._told + pace - now)

    def tell(self, cell: int) -> None:
        """Write what changed."""
        if self._changed:
            changed, self._changed = self._changed, {}
            self._told = time.monotonic()
            for states in _packed(changed):
                self.spool.widgets(cell, states)


def _kept(state: State) -> Iterator[tuple[str, Any]]:
    for key, value in state.items():
        if key in DULL:
            continue
        if isinstance(value, str) and len(value) > VALUE_CAP:
            yield key, value[:VALUE_CAP] + "…"
        elif isinstance(value, (str, int, float, bool, type(None))) or _size(value) <= VALUE_CAP:
            yield key, value


def _packed(changed: dict[str, State | None]) -> Iterator[dict[str, State | None]]:
    pack: dict[str, State | None] = {}
    room = EVENT_CAP
    for comm, state in changed.items():
        size = _size(state)
        if pack and size > room:
            yield pack
            pack, room = {}, EVENT_CAP
        pack[comm] = state
        room -= size
    yield pack


def _size(value: Any) -> int:
    return len(json.dumps(value, default=str))
