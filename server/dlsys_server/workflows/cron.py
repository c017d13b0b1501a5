"""When a cron expression is due in a time zone, and what it says in words.

Fields are parsed, and wall-clock times enumerated, by cronsim. What the wall clock does when it is
put forward or back is decided here, as Debian's cron does it (cron(8), "Notes"):

- An expression with a fixed hour and minute is meant for people: a time that the clock jumps over
  is due when it has jumped, and a time that the clock shows twice is due at the first one only.
- One whose hour or minute begins with `*` is meant for machines: it is due whenever the clock shows
  a time that fits, so a skipped hour has none and a repeated hour has them again.

cronsim's own handling of zones is not used: it steps by whole hours, which loses times where the
clock moves by half an hour (Australia/Lord_Howe).
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from cronsim import CronSim

UTC = timezone.utc
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
FIRST_WINDOW = timedelta(hours=1)
WORKDAYS = "Monday through Friday"
ORDINAL = re.compile(r"\b([2-5][123])th\b")  # cronsim says 31th
ENDINGS = {"1": "st", "2": "nd", "3": "rd"}


@dataclass(frozen=True)
class Cron:
    """Five fields that are known to be right, in a zone; `expressions.parse` makes one."""

    expression: str
    zone: ZoneInfo

    @property
    def words(self) -> str:
        """'At 07:00 on every weekday, Europe/Berlin'."""
        plain = CronSim(self.expression, datetime(2000, 1, 1)).explain()
        plain = ORDINAL.sub(lambda found: found[1] + ENDINGS[found[1][-1]], plain)
        return f"{plain.replace(WORKDAYS, 'every weekday')}, {self.zone.key}"

    def after(self, moment: datetime) -> datetime | None:
        """The first due time later than `moment`, in UTC; None when there is none for 50 years."""
        moment = moment.astimezone(UTC).replace(microsecond=0)
        minute, hour = self.expression.split()[:2]
        if minute.startswith("*") or hour.startswith("*"):
            return self._by_clock(moment)
        return self._at_times(moment)

    def following(self, moment: datetime, count: int) -> list[datetime]:
        """The next `count` due times after `moment`."""
        found: list[datetime] = []
        while len(found) < count and (due := self.after(found[-1] if found else moment)):
            found.append(due)
        return found

    def between(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """Due times from `start` to `end`, both included, oldest first."""
        due = self.after(start - timedelta(microseconds=1) if start.microsecond else start - SECOND)
        while due is not None and due <= end:
            yield due
            due = self.after(due)

    def newest(self, start: datetime, end: datetime, limit: int) -> tuple[list[datetime], bool]:
        """The last `limit` due times from `start` to `end`, oldest first; are there earlier ones?

        Looks back from `end`, so that a long interval costs no more than what is in its end.
        """
        window = FIRST_WINDOW
        while True:
            since = max(start, end - window)
            found = deque(self.between(since, end), maxlen=limit + 1)
            if len(found) > limit:
                found.popleft()
                return list(found), True
            if since == start:
                return list(found), False
            window *= 4

    # -- the clock on the wall

    def _at_times(self, moment: datetime) -> datetime | None:
        for wall in self._walls(self._wall(moment, self._offset(moment))):
            due = self._instant(wall)
            if due > moment:
                return due
        return None

    def _by_clock(self, moment: datetime) -> datetime | None:
        offset = self._offset(moment)
        wall = self._wall(moment, offset)
        found = next(self._walls(wall), None)
        while found is not None:
            due = (found - offset).replace(tzinfo=UTC)
            change = self._change(moment, due, offset)
            if change is None:
                return due
            moment, offset = change, self._offset(change)
            first = self._wall(change, offset)
            if found < first or wall >= first:  # jumped over, or times of before come again
                found = next(self._walls(first - SECOND), None)
            wall = first
        return None

    def _walls(self, after: datetime) -> Iterator[datetime]:
        return CronSim(self.expression, after)

    def _instant(self, wall: datetime) -> datetime:
        """When the clock first shows this time, or has jumped over it."""
        aware = wall.replace(tzinfo=self.zone, fold=0)
        moment = aware.astimezone(UTC)
        if self._wall(moment, self._offset(moment)) == wall:
            return moment
        offset = aware.utcoffset()
        assert offset is not None
        return self._change(moment - 2 * DAY, moment, offset) or moment

    def _change(self, start: datetime, end: datetime, offset: timedelta) -> datetime | None:
        """The first second after `start`, up to `end`, at which the offset is another."""
        low = start
        while low < end:
            high = min(low + DAY, end)
            if self._offset(high) == offset:
                low = high
                continue
            while high - low > SECOND:
                middle = low + timedelta(seconds=(high - low) // SECOND // 2)
                low, high = (middle, high) if self._offset(middle) == offset else (low, middle)
            return high
        return None

    def _offset(self, moment: datetime) -> timedelta:
        offset = moment.astimezone(self.zone).utcoffset()
        assert offset is not None
        return offset

    @staticmethod
    def _wall(moment: datetime, offset: timedelta) -> datetime:
        return (moment + offset).replace(tzinfo=None)
