"""Numbers with units, times as people say them, states in plain words."""

from __future__ import annotations

from datetime import datetime, timezone
from itertools import pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jupyter_dlsys.contract.jobs import Job

STEPS = ((60.0, "s"), (60.0, "min"), (24.0, "h"), (365.0, "d"))


def size(count: float) -> str:
    """Bytes: '1.4 MB'."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(count) < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def memory(count: float) -> str:
    """Bytes of memory, in the powers of 1024 in which it is asked for: '310 MB', '1.5 GB'."""
    value = count / 2**20
    if value < 999.5:
        return f"{value:.3g} MB"
    value /= 2**10
    return f"{value:.3g} GB" if value < 999.5 else f"{value:,.0f} GB"


BARS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], width: int = 40) -> str:
    """A row of bars from zero to the largest value; of many values the largest of each part."""
    parts = min(width, len(values))
    cuts = [len(values) * i // parts for i in range(parts + 1)] if parts else []
    shown = [max(values[a:b]) for a, b in pairwise(cuts)]
    top = max(shown, default=0) or 1
    return "".join(BARS[round(max(0.0, value) / top * (len(BARS) - 1))] for value in shown)


def seconds(value: float) -> str:
    """A duration: '3.2 s', '4 min 10 s', '2 h 5 min'."""
    if value < 10:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def ago(moment: datetime | None) -> str:
    """'just now', '5 min ago', '3 d ago'."""
    if moment is None:
        return ""
    value = (datetime.now(timezone.utc) - moment).total_seconds()
    if value < 10:
        return "just now"
    for step, unit in STEPS:
        if value < step or unit == "d":
            return f"{value:.0f} {unit} ago"
        value /= step
    return ""


def moment(when: datetime, zone: str) -> str:
    """A time on the clock of a zone: 'Mon 23 Nov 2026 07:00'."""
    try:
        shown = when.astimezone(ZoneInfo(zone))
    except (LookupError, ValueError, OSError):  # this machine does not know the zone
        return f"{when.astimezone(timezone.utc):%a %d %b %Y %H:%M} UTC"
    return f"{shown:%a %d %b %Y %H:%M}"


def number(value: float | int | None) -> str:
    """A metric or count in few characters."""
    if value is None:
        return "–"
    if isinstance(value, int) or float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:.4g}"


def short(text: str | None, keep: int = 12) -> str:
    """A hash or id cut for reading: 'sha256:0a1b2c3d4e5f'."""
    if not text:
        return ""
    head, colon, rest = text.partition(":")
    return f"{head}{colon}{rest[:keep]}" if colon else text[:keep]


def elapsed(job: Job) -> float | None:
    """Seconds that a job runs or ran."""
    if job.started_at is None:
        return None
    end = job.finished_at or datetime.now(timezone.utc)
    return max(0.0, (end - job.started_at).total_seconds())


def state(job: Job) -> str:
    """The state of a job as a sentence."""
    plain = {
        "queued": "Waiting",
        "starting": "Starting",
        "running": "Running",
        "cancelling": "Stopping",
        "succeeded": "Done",
        "failed": "Failed",
        "cancelled": "Cancelled",
        "skipped": "Skipped",
        "lost": "Lost",
    }[job.state]
    if job.reason.startswith(plain):
        return job.reason
    says_more = job.reason.lower() not in ("", job.state, plain.lower(), "finished")
    return f"{plain}: {job.reason}" if says_more else plain
