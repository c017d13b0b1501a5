"""What a benchmark reports: a number of ours beside a peer's or a limit, and how it was taken."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

Of = Literal["ratio", "ours", "difference"]


@dataclass(frozen=True)
class Target:
    """What should hold of `ours`, of `ours / other` or of `ours - other`; both bounds count."""

    of: Of
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        """As it stands in the table: `ratio >= 3`, `ours <= 150`, `0.5 <= ratio <= 1.5`."""
        if self.low is not None and self.high is not None:
            return f"{self.low:g} <= {self.of} <= {self.high:g}"
        if self.low is not None:
            return f"{self.of} >= {self.low:g}"
        return f"{self.of} <= {self.high:g}"


@dataclass(frozen=True)
class Sample:
    """One measurement: its value, and what taking it cost in wall and CPU seconds."""

    value: float
    wall: float = 0.0
    cpu: float = 0.0


@dataclass(frozen=True)
class Figure:
    """One row of the table. Make it with `figure` or `missing`."""

    name: str
    unit: str
    ours: float | None
    """Median of our samples; None when it could not be taken, `note` says why."""
    other: float | None
    """Median of the peer's samples, or the limit."""
    other_name: str
    target: Target | None
    n: int
    wall: float
    """Seconds that our samples took (median)."""
    cpu: float
    """CPU seconds of our processes in a sample (median)."""
    spread: float
    """(largest - smallest) / median of our samples: how far to believe the median."""
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """ours / other."""
        return None if self.ours is None or not self.other else self.ours / self.other

    @property
    def met(self) -> bool | None:
        """Whether the target holds; None when there is none, or nothing was measured."""
        value = self._value(self.target.of) if self.target else None
        if self.target is None or value is None:
            return None
        low, high = self.target.low, self.target.high
        return (low is None or value >= low) and (high is None or value <= high)

    def _value(self, of: Of) -> float | None:
        if of == "ratio":
            return self.ratio
        if of == "difference" and self.ours is not None and self.other is not None:
            return self.ours - self.other
        return self.ours if of == "ours" else None


def figure(
    name: str,
    unit: str,
    ours: Sequence[Sample | float],
    other: Sequence[Sample | float] = (),
    other_name: str = "",
    target: Target | None = None,
    note: str = "",
) -> Figure:
    """A figure of the medians of samples; `other` is the peer's, or one number: the limit."""
    mine, theirs = _samples(ours), _samples(other)
    values = [sample.value for sample in mine]
    middle = statistics.median(values)
    return Figure(
        name=name,
        unit=unit,
        ours=middle,
        other=statistics.median(s.value for s in theirs) if theirs else None,
        other_name=other_name,
        target=target,
        n=len(mine),
        wall=statistics.median(s.wall for s in mine),
        cpu=statistics.median(s.cpu for s in mine),
        spread=(max(values) - min(values)) / middle if middle else 0.0,
        note=note,
    )


def compared(
    name: str,
    unit: str,
    sides: Sequence[Sequence[Sample]],
    peer: str,
    target: Target | None = None,
    note: str = "",
) -> Figure:
    """A figure of two sides that took turns, ours first."""
    ours, other = sides
    return figure(name, unit, ours, other, peer, target, note)


def missing(name: str, why: str) -> Figure:
    """A figure that could not be taken."""
    return Figure(name, "", None, None, "", None, 0, 0.0, 0.0, 0.0, why)


def as_json(figures: Sequence[Figure]) -> str:
    """All figures and where they were taken."""
    rows = [
        {
            **asdict(f),
            "ratio": f.ratio,
            "target": str(f.target) if f.target else None,
            "met": f.met,
        }
        for f in figures
    ]
    return json.dumps({"machine": machine(), "figures": rows}, indent=2)


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "cores": os.cpu_count(),
        "load": [round(value, 2) for value in os.getloadavg()],
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "taken": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def print_table(figures: Sequence[Figure], console: Console) -> None:
    """The figures for people."""
    about = machine()
    title = f"{about['cores']} cores, load {about['load'][0]} (1 min), Python {about['python']}"
    table = Table(title=title, title_justify="left")
    for heading in ("figure", "ours", "beside", "ratio", "target", "wall s", "CPU s", "n", "note"):
        right = heading in ("ours", "beside", "ratio", "wall s", "CPU s", "n")
        table.add_column(heading, justify="right" if right else "left")
    for row in figures:
        table.add_row(*_cells(row))
    console.print(table)


def _cells(row: Figure) -> tuple[str, ...]:
    mark = {True: "[green]met[/] ", False: "[red]missed[/] ", None: ""}[row.met]
    spread = f"±{row.spread / 2:.0%} " if row.n > 1 else ""
    return (
        row.name,
        f"{_short(row.ours)} {row.unit}".strip(),
        f"{_short(row.other)} {row.other_name}".strip() if row.other is not None else "",
        _short(row.ratio),
        mark + (str(row.target) if row.target else ""),
        _short(row.wall or None),
        _short(row.cpu or None),
        str(row.n or ""),
        spread + row.note,
    )


def _samples(given: Sequence[Sample | float]) -> list[Sample]:
    return [s if isinstance(s, Sample) else Sample(float(s)) for s in given]


def _short(value: float | None) -> str:
    if value is None:
        return ""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
