"""Quotas in words that people can act on, and the calendar behind them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal

from jupyter_dlsys.contract.jobs import Range
from jupyter_dlsys.contract.quotas import Level, QuotaKind, Resource

NEAR = 0.8
"""From this part of a limit on people are warned."""
CRUMB = 1e-6
"""Less than anybody means, more than the rounding of sums."""
MONTHS = "January February March April May June July August September October November December"
THINGS: dict[Resource, tuple[str, str]] = {
    "gpu_hours": ("GPU-hour", "GPU-hours"),
    "jobs": ("job at once", "jobs at once"),
    "storage_bytes": ("", ""),
    "endpoints": ("endpoint", "endpoints"),
}
UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


@dataclass(frozen=True)
class Standing:
    """How much of a limited resource a user or a project has used, and who set the limit."""

    kind: QuotaKind
    name: str
    resource: Resource
    used: float
    limit: float
    set_by: str
    now: datetime

    @property
    def left(self) -> float:
        """What may still be used; never less than nothing."""
        return max(0.0, self.limit - self.used)

    @property
    def level(self) -> Level:
        """ok, near or full."""
        return level(self.used, self.limit)

    def holds(self, amount: float) -> bool:
        """Whether so much more is within the limit."""
        return self.used + amount <= self.limit + CRUMB

    def until(self) -> str:
        """'1 December': the day on which GPU-hours are counted anew."""
        return day(month_after(self.now))

    def words(self) -> str:
        """'ann has used 9.5 of 10 GPU-hours in November'."""
        share = shares(self.resource, self.used, self.limit)
        if self.resource == "gpu_hours":
            return f"{self.name} has used {share} in {month_name(self.now)}"
        verb = {"jobs": "runs", "storage_bytes": "keeps", "endpoints": "has"}[self.resource]
        return f"{self.name} {verb} {share}"

    def remedy(self) -> str:
        """'Ask ada for more, or wait until 1 December.'"""
        ask = f"Ask {self.set_by or 'an administrator of the platform'} for more"
        if self.kind == "user" and self.set_by == self.name:
            ask = f"Give yourself more (`dlsys quotas set user {self.name} …`)"
        return f"{ask}, or {self._other_way()}."

    def _other_way(self) -> str:
        if self.resource == "gpu_hours":
            return f"wait until {self.until()}"
        return {
            "jobs": "work in another project",
            "storage_bytes": "remove datasets that nobody needs",
            "endpoints": "undeploy one: `dlsys endpoints list` shows them",
        }[self.resource]


def level(used: float, limit: float | None) -> Level:
    """How near to the limit."""
    if limit is None:
        return "free"
    if used >= limit - CRUMB:
        return "full"
    return "near" if used >= NEAR * limit else "ok"


def use_words(resource: Resource, used: float, limit: float | None, now: datetime) -> str:
    """'7.5 of 10 GPU-hours; anew on 1 December'."""
    if limit is None:
        return f"{amount(resource, used)}, no limit"
    again = f"; anew on {day(month_after(now))}" if resource == "gpu_hours" else ""
    return shares(resource, used, limit) + again


def shares(resource: Resource, used: float, limit: float) -> str:
    """'9.5 of 10 GPU-hours', '1.2 of 2 GB'."""
    if resource == "storage_bytes":
        unit = _unit(max(used, limit))
        return f"{_in(used, unit)} of {_in(limit, unit)} {UNITS[unit]}"
    one, many = THINGS[resource]
    return f"{number(used)} of {number(limit)} {one if limit == 1 else many}"


def amount(resource: Resource, value: float) -> str:
    """'9.5 GPU-hours', '1.2 GB'."""
    if resource == "storage_bytes":
        unit = _unit(value)
        return f"{_in(value, unit)} {UNITS[unit]}"
    one, many = THINGS[resource]
    return f"{number(value)} {one if value == 1 else many}"


def need_words(need: Range) -> str:
    """GPU-hours of a job: 'is expected to need 0.8 (0.5 to 1.2)'."""
    return f"is expected to need {number(need.likely)} ({number(need.low)} to {number(need.high)})"


def number(value: float) -> str:
    """Three digits that matter, never as a power of ten."""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{Decimal(f'{value:.3g}'):f}"


def month(now: datetime) -> datetime:
    """The beginning of the month, UTC."""
    there = now.astimezone(timezone.utc)
    return there.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def month_after(now: datetime) -> datetime:
    """The beginning of the next month, UTC."""
    first = month(now)
    years, following = divmod(first.month, 12)
    return first.replace(year=first.year + years, month=following + 1)


def month_name(now: datetime) -> str:
    """'November'."""
    return MONTHS.split()[month(now).month - 1]


def day(moment: datetime) -> str:
    """'1 December'."""
    return f"{moment.day} {month_name(moment)}"


def _unit(value: float) -> int:
    unit = 0
    while value >= 1000 and unit < len(UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return unit


def _in(value: float, unit: int) -> str:
    return number(value / 1000**unit)
