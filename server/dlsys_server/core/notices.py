"""Bells between platforms on one PostgreSQL database: NOTIFY and LISTEN.

An event is told of in its own transaction (`core/events.py`); other rings go out from here.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from .bells import CHANNEL, EVENTS, ROLLOUTS, SCHEDULER, SCHEDULES, Bells
from .database import Database

if TYPE_CHECKING:
    import psycopg

log = logging.getLogger(__name__)
LOOK_SECONDS = 1.0
RETRY_SECONDS = 2.0
ALL = (EVENTS, SCHEDULER, SCHEDULES, ROLLOUTS)


class Notices:
    """Of the main process of a home; `worker` tells homes apart."""

    def __init__(self, database: Database, worker: str, bells: Bells) -> None:
        self.database, self.worker, self.bells = database, worker, bells
        self._out: queue.Queue[str] = queue.Queue()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin, where there may be others."""
        if self.database.is_sqlite:
            return
        self.bells.carry(self.carry)
        self._threads = [
            threading.Thread(target=work, name=name, daemon=True)
            for name, work in (("notices-in", self._listen), ("notices-out", self._tell))
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End both threads."""
        self._stopping.set()
        self._out.put("")
        for thread in self._threads:
            thread.join(5)

    def carry(self, name: str) -> None:
        """A carrier of bells."""
        if name in (SCHEDULER, SCHEDULES, ROLLOUTS):
            self._out.put(name)

    def _tell(self) -> None:
        while not self._stopping.is_set():
            names = {self._out.get()}
            with contextlib.suppress(queue.Empty):
                while True:
                    names.add(self._out.get_nowait())
            with contextlib.suppress(SQLAlchemyError), self.database.write() as session:
                for name in sorted(names - {""}):
                    told = {"channel": CHANNEL, "text": f"{self.worker} {name}"}
                    session.execute(text("SELECT pg_notify(:channel, :text)"), told)

    def _listen(self) -> None:
        import psycopg  # 60 ms that a platform on SQLite need not pay

        url = make_url(self.database.url).set(drivername="postgresql")
        while not self._stopping.is_set():
            try:
                place = url.render_as_string(hide_password=False)
                with psycopg.connect(place, autocommit=True) as connection:
                    connection.execute(f"LISTEN {CHANNEL}")
                    for name in ALL:  # something may have been missed
                        self.bells.heard(name, self.carry)
                    self._follow(connection)
            except psycopg.Error as error:
                log.warning("no notices from the database", extra={"error": str(error)})
                time.sleep(RETRY_SECONDS)

    def _follow(self, connection: psycopg.Connection[tuple[object, ...]]) -> None:
        while not self._stopping.is_set():
            for notice in connection.notifies(timeout=LOOK_SECONDS):
                sender, _, name = notice.payload.rpartition(" ")
                if sender != self.worker and name in ALL:
                    self.bells.heard(name, self.carry)
