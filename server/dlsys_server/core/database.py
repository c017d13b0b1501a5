"""The database: SQLite in WAL mode or PostgreSQL, one engine, short transactions.

`read()` and `write()` give a session in a transaction. A write on SQLite begins IMMEDIATE, so that
two writers queue up instead of failing half-way.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, create_engine, event, func, select
from sqlalchemy.orm import Session

from . import schema

POOL_SECONDS = 20.0
PATIENCE = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""How long a silent PostgreSQL is waited for: nobody hangs because its machine is gone."""
_MIGRATION_LOCK = 0x646C7378  # any number, the same for all platforms on one PostgreSQL database


class Database:
    """Engine and sessions. Thread-safe; sessions are not.

    A thread that has a session open must not open another one: when all threads do so they wait for
    each other's connections.
    """

    def __init__(self, url: str, connections: int = 30, pool_seconds: float = POOL_SECONDS) -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        options: dict[str, Any] = {"pool_pre_ping": not self.is_sqlite, "pool_use_lifo": True}
        options |= {"pool_size": connections, "max_overflow": 0, "pool_timeout": pool_seconds}
        if self.is_sqlite:
            options["connect_args"] = {"timeout": 30, "check_same_thread": False}
        else:
            options["connect_args"] = PATIENCE
        self.engine = create_engine(url, **options)
        if self.is_sqlite:
            event.listen(self.engine, "connect", _sqlite_pragmas)
            event.listen(self.engine, "begin", _sqlite_begin)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session for reading; rolled back at the end."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session that commits at the end of the block, or rolls everything back."""
        engine = self.engine.execution_options(dlsys_write=True)
        with Session(engine, expire_on_commit=False) as session, session.begin():
            yield session

    def migrate(self) -> None:
        """Bring the schema to this program's revision.

        Raises:
            Broken: the database was written by a newer or foreign program.
        """
        with self.engine.execution_options(dlsys_write=True).begin() as connection:
            if not self.is_sqlite:  # programs that start at once do it one after the other
                connection.execute(select(func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
            found = schema.found(connection)
            schema.refuse_unknown(found)
            if found != schema.newest():
                schema.upgrade(connection)

    def revisions(self) -> tuple[str | None, str]:
        """The schema's revision (None: there is none yet), and this program's."""
        with self.engine.connect() as connection:
            return schema.found(connection), schema.newest()

    def close(self) -> None:
        """Drop all connections."""
        self.engine.dispose()


def _sqlite_pragmas(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA busy_timeout=30000")
    cursor.close()


def _sqlite_begin(connection: Connection) -> None:
    write = connection.get_execution_options().get("dlsys_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
