"""What the processes of one home tell each other about themselves, each second."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

from jupyter_dlsys.contract.system import PartHealth, PartState

TELL_SECONDS = 1.0
OLD_SECONDS = 10.0


class FromMain:
    """What an answering process knows of the main one."""

    def __init__(self) -> None:
        self._parts: list[PartHealth] = []
        self._at = time.monotonic()

    def hear(self, parts: Sequence[dict[str, Any]]) -> None:
        """The newest."""
        self._parts = [PartHealth.model_validate(part) for part in parts]
        self._at = time.monotonic()

    def parts(self) -> list[PartHealth]:
        """Health of what the main process has."""
        age = time.monotonic() - self._at
        if age < OLD_SECONDS:
            return self._parts
        words = f"The main process has not been heard for {age:.0f} s."
        return [p.model_copy(update={"state": "degraded", "message": words}) for p in self._parts]

    def part(self, name: str) -> PartHealth:
        """One of them."""
        unknown = PartHealth(name=name, state="starting")
        return next((part for part in self.parts() if part.name == name), unknown)


class FromAnswerers:
    """What the main process knows of the answering ones, by name."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._told: dict[str, dict[str, Any]] = {}
        self._used = 0.0
        self.wanted = 0
        """How many there should be."""

    def hear(self, name: str, told: dict[str, Any]) -> None:
        """The newest of one: `idle` seconds, `followers`, health of its `audit`."""
        with self._lock:
            self._told[name] = told
            self._used = max(self._used, time.monotonic() - float(told["idle"]))

    def forget(self, name: str) -> None:
        """It has ended."""
        with self._lock:
            self._told.pop(name, None)

    @property
    def used(self) -> float:
        """When any of them was asked last, on the monotonic clock."""
        return self._used

    @property
    def followers(self) -> int:
        """Open event streams."""
        with self._lock:
            return sum(int(told["followers"]) for told in self._told.values())

    def health(self) -> list[PartHealth]:
        """Whether all are there; nothing when there are to be none."""
        if not self.wanted:
            return []
        with self._lock:
            there = len(self._told)
        words = f"{there} of {self.wanted} answer"
        state: PartState = "ok" if there == self.wanted else "starting"
        return [PartHealth(name="answering", state=state, message=words)]

    def audit(self, own: PartHealth) -> PartHealth:
        """Of all processes: the first that is not well."""
        with self._lock:
            found = [PartHealth.model_validate(told["audit"]) for told in self._told.values()]
        return next((part for part in (own, *found) if part.state != "ok"), own)
