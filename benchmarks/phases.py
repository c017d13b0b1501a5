"""Where the seconds of a job of ours go, from the times in its events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.support.platform import RunningPlatform

PHASES = (
    "submission, until it is queued",
    "until the scheduler starts it",
    "MLflow's run is made",
    "folder, token, hand-over to the parked chain",
    "inputs",
    "papermill, until the kernel is ready",
    "cells",
    "end of the kernel",
    "saving, verdict, row",
    "until the client sees it",
)


@dataclass(frozen=True)
class Seen:
    """A job with the client's clock when it submitted it and when it saw its end."""

    job: str
    submitted: float
    ended: float


def phases_of(platform: RunningPlatform, seen: Seen) -> dict[str, float]:
    """Seconds of each phase; {} for a job whose events tell another story (a retry, say)."""
    marks: list[float] = [seen.submitted]
    events = platform.get(f"/jobs/{seen.job}/events")
    changed = [e for e in events if e["topic"] == "job.changed"]
    starting = [e for e in changed if e["payload"]["state"] == "starting"]
    told = {e["payload"]["phase"]: e for e in events if e["topic"] == "job.phase"}
    ends = [e for e in events if e["topic"] == "job.cell" and e["payload"]["phase"] == "end"]
    wanted = ("preparing-inputs", "starting-kernel", "running", "saving")
    if len(starting) != 2 or not ends or any(phase not in told for phase in wanted):
        return {}
    marks += [_row(changed[0]), _row(starting[0]), _row(starting[1])]
    marks += [told[phase]["payload"]["at"] for phase in wanted[:3]]
    marks += [ends[-1]["payload"]["at"], told["saving"]["payload"]["at"]]
    marks += [_row(changed[-1]), seen.ended]
    return {name: marks[i + 1] - marks[i] for i, name in enumerate(PHASES)}


def _row(event: dict[str, Any]) -> float:
    """When the platform wrote it."""
    return datetime.fromisoformat(event["at"].replace("Z", "+00:00")).timestamp()
