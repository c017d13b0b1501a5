"""Due times in zones whose clock moves, compared with what a clock on the wall shows."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlsys_server.workflows.cron import Cron
from dlsys_server.workflows.expressions import parse

UTC = timezone.utc
MINUTE = timedelta(minutes=1)
# Day on which the clock is put forward, and back (2026).
CHANGES = {
    "Europe/Berlin": ("2026-03-29", "2026-10-25"),
    "America/New_York": ("2026-03-08", "2026-11-01"),
    "Australia/Lord_Howe": ("2026-10-04", "2026-04-05"),
}


def due_on(expression: str, zone: str, day: str) -> list[str]:
    """Wall-clock times with offset of one local day, as '03:00+02:00'."""
    cron = parse(expression, zone)
    start = datetime.fromisoformat(day).replace(tzinfo=cron.zone)
    end = (start + timedelta(days=1)).astimezone(UTC) - MINUTE
    found = [due.astimezone(cron.zone) for due in cron.between(start.astimezone(UTC), end)]
    return [f"{d:%H:%M}{d.isoformat()[-6:]}" for d in found]


@pytest.mark.parametrize(
    ("zone", "jumped", "forward", "back"),
    [
        ("Europe/Berlin", "30 2 * * *", "03:00+02:00", "02:30+02:00"),
        ("America/New_York", "30 2 * * *", "03:00-04:00", "02:30-05:00"),
        ("America/New_York", "30 1 * * *", "01:30-05:00", "01:30-04:00"),
        ("Australia/Lord_Howe", "15 2 * * *", "02:30+11:00", "02:15+10:30"),
        ("Australia/Lord_Howe", "45 1 * * *", "01:45+10:30", "01:45+11:00"),
    ],
)
def test_a_daily_time_comes_once_on_days_when_the_clock_is_moved(
    zone: str, jumped: str, forward: str, back: str
) -> None:
    assert due_on(jumped, zone, CHANGES[zone][0]) == [forward]
    assert due_on(jumped, zone, CHANGES[zone][1]) == [back]


def test_times_that_are_jumped_over_together_come_together() -> None:
    assert due_on("0,30 2,3 * * *", "Europe/Berlin", "2026-03-29") == ["03:00+02:00", "03:30+02:00"]


@pytest.mark.parametrize(
    ("zone", "forward", "back"),
    [("Europe/Berlin", 23, 25), ("America/New_York", 23, 25), ("Australia/Lord_Howe", 23, 24)],
)
def test_hourly_follows_the_clock(zone: str, forward: int, back: int) -> None:
    """Lord Howe: 02:00 is jumped over to 02:30; back, 02:00 is 01:30 again, so no hour repeats."""
    for expression in ("0 * * * *", "@hourly"):
        found = [due_on(expression, zone, day) for day in CHANGES[zone]]
        assert [len(times) for times in found] == [forward, back]
        assert all(len(set(times)) == len(times) for times in found)


@pytest.mark.parametrize(
    ("zone", "moved"),
    [("Europe/Berlin", 60), ("America/New_York", 60), ("Australia/Lord_Howe", 30)],
)
def test_every_minute_has_every_minute(zone: str, moved: int) -> None:
    forward, back = (due_on("* * * * *", zone, day) for day in CHANGES[zone])
    assert (len(forward), len(back)) == (24 * 60 - moved, 24 * 60 + moved)


def test_a_quarter_hour_is_not_lost_where_the_clock_moves_by_half_an_hour() -> None:
    found = due_on("*/15 2 * * *", "Australia/Lord_Howe", "2026-04-05")
    assert found == [f"02:{minute:02}+10:30" for minute in (0, 15, 30, 45)]
    even = due_on("0 */2 * * *", "Australia/Lord_Howe", "2026-04-05")
    assert even[:3] == ["00:00+11:00", "02:00+10:30", "04:00+10:30"]


def test_a_day_that_a_country_left_out() -> None:
    """Samoa went from 29 to 31 December 2011."""
    cron = parse("0 12 * * *", "Pacific/Apia")
    first, second = cron.following(datetime(2011, 12, 29, 23, tzinfo=UTC), 2)
    assert first.astimezone(cron.zone).isoformat() == "2011-12-31T00:00:00+14:00"
    assert second.astimezone(cron.zone).isoformat() == "2011-12-31T12:00:00+14:00"


minutes = st.sampled_from(["0", "30", "15,45", "*", "*/15", "59", "0-20/10"])
hours = st.sampled_from(["0", "1", "2", "3", "1,2", "*", "*/2", "1-3", "23"])
zones = st.sampled_from(sorted([*CHANGES, "UTC", "Africa/Casablanca", "America/Havana"]))
days = st.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1)).map(lambda d: d.replace(tzinfo=UTC))
changes = st.sampled_from([d for pair in CHANGES.values() for d in pair]).map(
    lambda day: datetime.fromisoformat(day).replace(tzinfo=UTC) - timedelta(hours=16)
)


def shown(cron: Cron, moment: datetime) -> bool:
    """Whether the clock on the wall shows a time that fits, at a whole minute."""
    wall = moment.astimezone(cron.zone)
    fields = zip(cron.expression.split()[:2], (range(60), range(24)), strict=True)
    fits = [_values(text, all_values) for text, all_values in fields]
    return wall.minute in fits[0] and wall.hour in fits[1]


def _values(text: str, everything: range) -> set[int]:
    if "," in text:
        return {int(part) for part in text.split(",")}
    body, _, step = text.partition("/")
    low, _, high = body.partition("-")
    values = everything if body == "*" else range(int(low), int(high or low) + 1)
    return set(values[:: int(step or 1)])


@given(minutes, hours, zones, st.one_of(days, changes))
@settings(max_examples=150, deadline=None)
def test_due_times_are_those_of_the_clock_on_the_wall(
    minute: str, hour: str, zone: str, start: datetime
) -> None:
    cron = parse(f"{minute} {hour} * * *", zone)
    start = start.replace(second=0, microsecond=0)
    end = start + timedelta(hours=40)
    found = list(cron.between(start, end))
    assert found == sorted(set(found))
    every = [start + n * MINUTE for n in range(40 * 60 + 1)]
    fitting = [moment for moment in every if shown(cron, moment)]
    if minute.startswith("*") or hour.startswith("*"):
        assert found == fitting
        return
    # Meant for people: never the second of two equal times; what is jumped over comes right after.
    firsts = [m for m in fitting if m.astimezone(cron.zone).fold == 0]
    extra = [m for m in found if m not in fitting]
    assert [m for m in found if m in fitting] == firsts
    for moment in extra:
        before = (moment - timedelta(seconds=1)).astimezone(cron.zone).utcoffset()
        assert before != moment.astimezone(cron.zone).utcoffset()


@given(minutes, hours, zones, days, st.integers(1, 400))
@settings(max_examples=60, deadline=None)
def test_the_newest_are_the_end_of_all(
    minute: str, hour: str, zone: str, start: datetime, span: int
) -> None:
    cron = parse(f"{minute} {hour} * * *", zone)
    end = start + timedelta(hours=span)
    everything = list(cron.between(start, end))
    assert cron.newest(start, end, 10) == (everything[-10:], len(everything) > 10)


@given(zones, days)
@settings(max_examples=30, deadline=None)
def test_one_after_the_other_never_goes_back(zone: str, start: datetime) -> None:
    found = Cron("30 1-3 * * *", ZoneInfo(zone)).following(start, 50)
    assert start < found[0]
    assert all(a < b for a, b in itertools.pairwise(found))
