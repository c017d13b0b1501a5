"""The audit log: who did what, from where, as whom, and whether it was allowed."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from dlsys_server.api.paging import Paging
from dlsys_server.core import clock
from dlsys_server.core.database import Database
from dlsys_server.core.errors import Broken, DlsysError, InvalidInput
from jupyter_dlsys.contract.access import AuditEntry, AuditReport
from jupyter_dlsys.contract.base import Page
from jupyter_dlsys.contract.system import PartHealth

from . import audit_export, audit_reading
from .audit_chain import Entry, fits, seal, values_of
from .audit_checking import Check
from .audit_export import AuditFormat
from .audit_files import AuditHead, AuditKey, Head
from .audit_reading import AuditFilter, Row
from .tables import AuditRow

log = logging.getLogger(__name__)
DAMAGED = (ValueError, TypeError)
"""What reading a row raises that the platform has not written."""
LOCK = 7302  # of PostgreSQL's advisory locks; core/events.py has the one before


class _Waiting:
    """An entry on its way to the table."""

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.done = False
        self.error: BaseException | None = None


class AuditLog:
    """Appends to the audit log, reads it, checks it.

    Rows are written one transaction at a time; entries that come while one is being written go
    together into the next one.
    """

    def __init__(self, database: Database, key: AuditKey) -> None:
        self.database, self._key = database, key
        self._head = AuditHead(key.folder / "audit.head")
        self._lock, self._writing = threading.Lock(), threading.Lock()
        self._queue: list[_Waiting] = []
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="audit")
        self._error, self._lost = "", 0
        self._doubt = ""

    def start(self) -> None:
        """Look whether the last row has this platform's key; /health tells when it has not."""
        try:
            with self.database.read() as session:
                rows = audit_reading.newest(session, AuditFilter(), None, 2)
            if not _has_key(self._key.value, rows):
                self._doubt = (
                    "The last row has another key than this platform's, or was changed: see "
                    "`dlsys audit verify`. Platforms on one database share DLSYS_AUDIT_KEY."
                )
        except (DlsysError, OSError, *DAMAGED) as error:
            self._doubt = "The log or its key cannot be read: the platform's log says why."
            log.error("audit", extra={"error": str(error)})

    def close(self) -> None:
        """Wait for what is being written."""
        self._pool.shutdown()

    # -- write

    async def keep(self, entry: Entry) -> None:
        """Record what was done already: never raises, but says in the log and in /health when it
        could not.
        """
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._pool, self._settle, self._enter(entry))
        except Exception as error:  # the answer must be given whatever is wrong here
            self._error = f"The last operation was not recorded: {type(error).__name__}"
            with self._lock:
                self._lost += 1
            log.exception("not recorded", extra={"operation": entry.operation})

    def record(self, entry: Entry) -> None:
        """Append a row. It is in the database when this returns.

        Raises:
            SQLAlchemyError, OSError, Broken: it could not be written.
        """
        self._settle(self._enter(entry))

    def _enter(self, entry: Entry) -> _Waiting:
        waiting = _Waiting(entry)
        with self._lock:
            self._queue.append(waiting)
        return waiting

    def _settle(self, waiting: _Waiting) -> None:
        with self._writing:
            if not waiting.done:  # else it was taken along with another one
                self._write_all()
        if waiting.error is not None:
            raise waiting.error

    def _write_all(self) -> None:
        with self._lock:
            batch, self._queue = self._queue, []
            lost = self._lost
        error: BaseException | None = None
        try:
            self._append([waiting.entry for waiting in batch], lost)
        except BaseException as found:  # noqa: BLE001  raised again by each of those who wait
            error = found
        for waiting in batch:
            waiting.done, waiting.error = True, error
        if error is None:
            self._error = ""
            with self._lock:
                self._lost -= lost

    def _append(self, entries: Sequence[Entry], lost: int) -> None:
        key = self._key.value
        if lost:
            told = {**entries[0].detail, "not_recorded_before": lost}
            entries = [replace(entries[0], detail=told), *entries[1:]]
        rows: list[dict[str, Any]] = []
        with self.database.write() as session:
            seq, previous = self._last(session)
            for entry in entries:
                seq += 1
                values = values_of(entry, seq, clock.now())
                previous = seal(key, values, previous)
                rows.append({**values, "hash": previous})
            session.execute(insert(AuditRow), rows)
        self._head.advance(Head(seq, previous))

    def _last(self, session: Session) -> Head:
        """What the next row goes on from. A number that was used is never used again: when the
        last rows are gone, they stay missing.
        """
        if not self.database.is_sqlite:
            session.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
        query = select(AuditRow.seq, AuditRow.hash).order_by(AuditRow.seq.desc()).limit(1)
        row = session.execute(query).first()
        found = Head(row.seq, row.hash) if row else Head()
        return max(found, self._head.read(), key=lambda head: head.seq)

    # -- read

    def list(self, wanted: AuditFilter, paging: Paging) -> Page[AuditEntry]:
        """Rows, newest first.

        Raises:
            InvalidInput: the cursor is none of ours.
            Broken: a row cannot be read.
        """
        before = None
        if paging.cursor is not None:
            if not paging.cursor.isascii() or not paging.cursor.isdigit():
                raise InvalidInput(
                    "The cursor is not valid.", hint="Pass the next_cursor of the page before."
                )
            before = min(int(paging.cursor), 2**63 - 1)
        try:
            with self.database.read() as session:
                rows = audit_reading.newest(session, wanted, before, paging.limit + 1)
            items = [audit_reading.entry_of(row) for row in rows[: paging.limit]]
        except DAMAGED:
            raise Broken(
                "A row of the audit log cannot be read: somebody has changed it.",
                code="audit-damaged",
                hint="`dlsys audit verify` says which.",
            ) from None
        more = len(rows) > paging.limit
        return Page(items=items, next_cursor=str(items[-1].seq) if more else None)

    def export(self, wanted: AuditFilter, format: AuditFormat) -> Iterator[bytes]:
        """Rows as a file, oldest first."""
        return audit_export.lines(format, audit_reading.oldest_first(self.database, wanted))

    def verify(self) -> AuditReport:
        """Whether all rows are there and as they were written."""
        check = Check(self._key.value, self._head.read())
        check.feed(audit_reading.as_they_are(self.database))
        return check.report(self._head.damaged)

    def health(self) -> PartHealth:
        """Degraded while rows cannot be written, or when the key is not the log's."""
        wrong = self._error or self._doubt
        return PartHealth(name="audit", state="degraded" if wrong else "ok", message=wrong)


def _has_key(key: bytes, rows: Sequence[Row]) -> bool:
    """Of the newest rows; True also where the row before is not there to tell."""
    if len(rows) == 2 and rows[0]["seq"] == rows[1]["seq"] + 1:
        return fits(key, rows[0], rows[1]["hash"])
    return not (rows and rows[0]["seq"] == 1) or fits(key, rows[0], "")
