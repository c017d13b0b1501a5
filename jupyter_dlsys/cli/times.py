"""`--every weekday --at 7` as a cron expression."""

from __future__ import annotations

import re

from jupyter_dlsys.cli.options import usage

DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
DATES = {
    "day": "* * *",
    "weekday": "* * 1-5",
    "week": "* * 1",
    "weekend": "* * 6,0",
    "month": "1 * *",
    **{day: f"* * {number}" for number, day in enumerate(DAYS)},
}
AT = re.compile(r"^(\d{1,2})(?::(\d{2}))?$")
STEP = re.compile(r"^(\d{1,2})\s*(min|minutes?|h|hours?)$")
MEANT = "Write --every day, weekday, weekend, week, month, monday … sunday, hour, or 15min."


def cron_of(cron: str | None, every: str | None, at: str | None) -> str:
    """The expression of `--cron`, or of `--every` with `--at`.

    Raises:
        UsageError: none of them, both, or words that mean nothing.
    """
    if bool(cron) == bool(every) or (cron and at):
        raise usage(
            "When should it run? Give either --cron or --every.",
            'Write --cron "0 7 * * 1-5", or --every weekday --at 7.',
        )
    if cron:
        return cron
    assert every is not None
    word = every.strip().lower()
    if word in DATES:
        minute, hour = _time(at or "0:00")
        return f"{minute} {hour} {DATES[word]}"
    if at:
        raise usage(f"--every {every}: this has no --at.", MEANT)
    if word in ("hour", "minute"):
        return "0 * * * *" if word == "hour" else "* * * * *"
    return _step(every, word)


def _time(at: str) -> tuple[int, int]:
    """Minute and hour of '7' or '07:30'."""
    found = AT.match(at.strip())
    hour, minute = (int(found[1]), int(found[2] or 0)) if found else (24, 0)
    if hour > 23 or minute > 59:
        raise usage(f"--at {at}: this is no time of day.", "Write it like 7, 07:30 or 19:00.")
    return minute, hour


def _step(every: str, word: str) -> str:
    found = STEP.match(word)
    if not found:
        raise usage(f"--every {every}: this is not known.", MEANT)
    count, whole = int(found[1]), 60 if found[2].startswith("m") else 24
    if not count or whole % count:
        raise usage(
            f"--every {every}: {whole} cannot be divided by it, so the steps would be uneven.",
            "Take a number that divides it, e.g. 15min or 6h.",
        )
    if whole == 24:
        return f"0 */{count} * * *" if count < whole else "0 0 * * *"
    return f"*/{count} * * * *" if count < whole else "0 * * * *"
