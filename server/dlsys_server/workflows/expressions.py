"""From what a person writes to a `Cron`: the mistakes are named, with what was probably meant."""

from __future__ import annotations

import difflib
from datetime import datetime
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError
from cronsim.cronsim import Field

from dlsys_server.core import clock
from dlsys_server.core.errors import InvalidInput
from jupyter_dlsys.contract.base import FieldProblem

from .cron import Cron

ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
ORDER = "minute, hour, day of the month, month, day of the week"
FIELDS = (
    ("minute", Field.MINUTE, "0 to 59"),
    ("hour", Field.HOUR, "0 to 23"),
    ("day of the month", Field.DAY, "1 to 31, or L for the last"),
    ("month", Field.MONTH, "1 to 12, or JAN to DEC"),
    ("day of the week", Field.DOW, "0 to 7 (0 and 7 are Sunday), or SUN to SAT"),
)
EXAMPLE = "'0 7 * * 1-5' is every weekday at 07:00."
A_DAY = datetime(2000, 1, 1)


def parse(cron: str, timezone: str) -> Cron:
    """An expression in a zone.

    Raises:
        InvalidInput: names the field that is wrong and suggests another.
    """
    zone = _zone(timezone)
    parts = _parts(cron)
    problems = [
        problem
        for part, (name, field, wanted) in zip(parts, FIELDS, strict=True)
        if (problem := _wrong(part, name, field, wanted))
    ]
    if problems:
        raise _bad_cron(problems[0].message, _hint(cron), problems)
    found = Cron(" ".join(parts), zone)
    try:
        CronSim(found.expression, A_DAY)
        never = found.after(clock.now()) is None
    except CronSimError:
        never = True
    if never:
        raise _bad_cron(f"'{cron}' never comes: no month has such a day.", EXAMPLE)
    return found


def _parts(cron: str) -> list[str]:
    text = ALIASES.get(cron.strip().lower(), cron)
    parts = text.upper().split()
    if text.strip().startswith("@"):
        near = difflib.get_close_matches(text.strip().lower(), ALIASES, 1)
        known = near[0] if near else ", ".join(ALIASES)
        raise _bad_cron(f"'{text.strip()}' is not known.", f"Write {known}, or five fields.")
    if len(parts) == len(FIELDS) + 1:
        shorter = " ".join(text.split()[1:])
        raise _bad_cron(
            f"'{cron}' has six fields; five are needed ({ORDER}).",
            f"Seconds are not known here. Without the first: '{shorter}'.",
        )
    if len(parts) != len(FIELDS):
        raise _bad_cron(
            f"'{cron}' has {len(parts)} field{'s' if len(parts) != 1 else ''}; five are needed "
            f"({ORDER}).",
            EXAMPLE,
        )
    return parts


def _wrong(part: str, name: str, field: Field, wanted: str) -> FieldProblem | None:
    try:
        field.parse(part)
    except (CronSimError, AssertionError, ValueError, RecursionError):
        message = f"{name} '{part}' is not {wanted}, a range (a-b), a step (*/n) or a list (a,b)"
        return FieldProblem(field="cron", message=message, expected=wanted, got=part)
    return None


def _hint(cron: str) -> str:
    if "?" in cron:
        return f"Write '*' instead of '?': '{cron.replace('?', '*')}'."
    return f"The fields are {ORDER}. {EXAMPLE}"


def _bad_cron(detail: str, hint: str, problems: list[FieldProblem] | None = None) -> InvalidInput:
    detail = detail[0].upper() + detail[1:]
    problems = problems or [FieldProblem(field="cron", message=detail)]
    if not detail.endswith("."):
        detail += "."
    return InvalidInput(detail, code="bad-cron", hint=hint, errors=problems)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        near = _near(name)
        meant = f"Did you mean {near}?" if near else "Write it like Europe/Berlin, or UTC."
        detail = f"There is no time zone '{name}'."
        raise InvalidInput(
            detail,
            code="bad-timezone",
            hint=meant,
            errors=[FieldProblem(field="timezone", message=detail, expected=near or None)],
        ) from None


def _near(name: str) -> str:
    """The zone that was probably meant: by its whole name, or by its city."""
    wanted = name.strip().lower().replace(" ", "_")
    zones = {zone.lower(): zone for zone in available_timezones()}
    cities = {zone.rpartition("/")[2]: zone for zone in sorted(zones) if "/" in zone}
    if wanted in zones:
        return zones[wanted]
    if wanted in cities:
        return zones[cities[wanted]]
    if near := difflib.get_close_matches(wanted, zones, 1, 0.75):
        return zones[near[0]]
    near = difflib.get_close_matches(wanted.rpartition("/")[2], cities, 1, 0.8)
    return zones[cities[near[0]]] if near else ""


def known(cron: str, timezone: str) -> Cron:
    """An expression that was checked when it was kept.

    Raises:
        InvalidInput: this machine does not have the zone any more.
    """
    return Cron(cron, _zone(timezone))
