"""Looking for rows of the audit log that were changed or removed, and saying so in plain words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jupyter_dlsys.contract.access import AuditReport

from .audit_chain import COLUMNS, fits
from .audit_files import Head
from .audit_reading import Row

MOST_PROBLEMS = 100


class Check:
    """Takes all rows in order, oldest first, then gives the report.

    Args:
        key: of the hashes.
        head: the last row that is known from outside the database, read before the rows.
    """

    def __init__(self, key: bytes, head: Head) -> None:
        self._key, self._head = key, head
        self._expected, self._known = 1, True
        self._previous: Any = ""
        self._rows = self._sealed = 0
        self._first: int | None = None
        self._missing: list[tuple[int, int]] = []
        self._changed: list[list[int]] = []
        self._strange: list[Any] = []
        self._differs = False

    def feed(self, rows: Iterable[Row]) -> None:
        """Look at rows."""
        for row in rows:
            seq = row["seq"]
            if not isinstance(seq, int) or seq < self._expected:
                self._strange.append(seq)
            else:
                self._next(seq, row)

    def _next(self, seq: int, row: Row) -> None:
        self._rows += 1
        if self._first is None:
            self._first = seq
        if seq > self._expected:
            self._missing.append((self._expected, seq - 1))
            self._known = False  # what the row's hash was made of is gone
        if self._known:
            if len(row) > len(COLUMNS) and fits(self._key, row, self._previous):
                self._sealed += 1
            else:
                self._changed_at(seq)
        if seq == self._head.seq and row["hash"] != self._head.hash:
            self._differs = True
        self._previous, self._known, self._expected = row["hash"], True, seq + 1

    def _changed_at(self, seq: int) -> None:
        if self._changed and self._changed[-1][1] == seq - 1:
            self._changed[-1][1] = seq
        else:
            self._changed.append([seq, seq])

    def report(self, damaged_head: bool = False) -> AuditReport:
        """What was found."""
        problems = [*self._removed(), *self._altered()]
        problems += [f"A row has the number {n!r}: not from the platform." for n in self._strange]
        if self._differs and not self._changed:
            problems.append(
                f"Row {self._head.seq} is another one than audit.head knows: the log was written "
                "anew by somebody who has the key, or audit.head is of another log."
            )
        if damaged_head:
            problems.append(
                "audit.head could not be read when this platform started: rows that were removed "
                "at the end before then are not noticed."
            )
        more = len(problems) - MOST_PROBLEMS
        if more > 0:
            problems = [*problems[:MOST_PROBLEMS], f"… and {more} more."]
        return AuditReport(
            ok=not problems,
            rows=self._rows,
            first=self._first,
            last=self._expected - 1 if self._rows else None,
            head=self._previous if isinstance(self._previous, str) else "",
            problems=problems,
        )

    def _removed(self) -> list[str]:
        found = [
            f"{_rows(a, b)} missing{' at the beginning' if a == 1 else ''}."
            for a, b in self._missing
        ]
        if self._head.seq >= self._expected:
            found.append(
                f"{_rows(self._expected, self._head.seq)} missing at the end: audit.head knows "
                f"row {self._head.seq}."
            )
        return found

    def _altered(self) -> list[str]:
        if self._changed and not self._sealed:
            return [
                "No row fits the key: audit.key (or DLSYS_AUDIT_KEY) is not the one that the log "
                "was written with, or every row was changed."
            ]
        return [
            f"Row {a} was changed, or is not in its place."
            if a == b
            else f"Rows {a} to {b} were changed, are not in their places, or have another key."
            for a, b in self._changed
        ]


def _rows(first: int, last: int) -> str:
    return f"Row {first} is" if first == last else f"Rows {first} to {last} are"
