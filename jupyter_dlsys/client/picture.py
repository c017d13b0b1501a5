"""What a watched job looks like now, drawn from its events; terminal and widget show the same."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from jupyter_dlsys.contract.base import Event
from jupyter_dlsys.contract.jobs import TERMINAL_STATES

MAX_POINTS = 2000
MAX_LINES = 200
ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


@dataclass
class Picture:
    """State, progress, curves and the tail of the log of one job."""

    state: str = "queued"
    reason: str = ""
    exit_reason: str | None = None
    done: int = 0
    total: int = 0
    curves: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    lines: deque[str] = field(default_factory=lambda: deque([""], MAX_LINES))

    @property
    def ended(self) -> bool:
        """Whether the job is over."""
        return self.state in TERMINAL_STATES

    def latest(self) -> dict[str, float]:
        """Last value of each metric."""
        return {key: points[-1][1] for key, points in self.curves.items() if points}

    def apply(self, event: Event) -> None:
        """Draw one more event; unknown ones change nothing."""
        payload = event.payload
        match event.topic:
            case "job.changed":
                self._changed(payload)
            case "job.progress":
                self._progress(payload)
            case "job.metric":
                self._metric(payload)
            case "job.log":
                self._text(payload.get("text"))
            case "job.output":
                self._output(payload.get("output"))
            case "job.error":
                self._text(f"\n{payload.get('ename')}: {payload.get('evalue')}\n")

    def _changed(self, payload: dict[str, Any]) -> None:
        self.state = str(payload.get("state") or self.state)
        self.reason = str(payload.get("reason") or "")
        self.exit_reason = payload.get("exit_reason")
        if isinstance(progress := payload.get("progress"), dict):
            self._progress(progress)

    def _progress(self, payload: dict[str, Any]) -> None:
        done, total = payload.get("done"), payload.get("total")
        if isinstance(done, int) and isinstance(total, int):
            self.done, self.total = done, total

    def _metric(self, payload: dict[str, Any]) -> None:
        key, value = payload.get("key"), payload.get("value")
        if not isinstance(key, str) or not isinstance(value, (int, float)):
            return
        points = self.curves.setdefault(key, [])
        step = payload.get("step")
        points.append((float(step) if isinstance(step, (int, float)) else len(points), value))
        if len(points) > MAX_POINTS:
            del points[1::2]  # half as dense, all of its length

    def _output(self, output: Any) -> None:
        if isinstance(output, dict) and output.get("output_type") == "stream":
            self._text(output.get("text"))

    def _text(self, text: Any) -> None:
        """Like a terminal: a carriage return begins the line anew."""
        if not isinstance(text, str):
            return
        first, *rest = ANSI.sub("", text).split("\n")
        self._extend(first)
        for line in rest:
            self.lines.append("")
            self._extend(line)

    def _extend(self, text: str) -> None:
        joined = self.lines[-1] + text
        line = joined.rstrip("\r")
        self.lines[-1] = line.rpartition("\r")[2] + ("\r" if joined != line else "")

    def tail(self, count: int) -> list[str]:
        """The last lines that are not empty at the end."""
        lines = [line.rstrip() for line in self.lines]
        while lines and not lines[-1]:
            lines.pop()
        return lines[-count:]
