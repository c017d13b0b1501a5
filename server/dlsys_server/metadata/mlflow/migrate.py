"""Brings MLflow's databases to the installed version, once and before serving. Runs in the
child.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from dlsys_server.core.backup.databases import copy_sqlite
from dlsys_server.core.disk import sync

from .environment import SCHEMA, Databases

_LOCK_KEY = (
    0x646C7379  # "dlsy": any constant, the same for all platforms on one PostgreSQL database
)


def prepare(folder: Path, database: Databases) -> None:
    """Create or upgrade both databases, each wholly or not at all: a process that is killed
    meanwhile leaves what was there before. Safe when several children start at once.
    """
    with _locked(folder / "migrate.lock"), _locked_database(database):
        upgrades = {"tracking": _upgrade_tracking, "auth": _upgrade_auth}
        for name, (found, wanted) in revisions(database).items():
            if found == wanted:
                continue
            if database.postgresql:
                upgrades[name](getattr(database, name))
            else:
                draft = Draft(_file(getattr(database, name)))
                draft.replace_with(upgrades[name])


def revisions(database: Databases) -> dict[str, list[str | None]]:
    """Of both databases: the schema revision that is there (None: no schema yet), and MLflow's own.
    Changes nothing, and loads no server of MLflow's, which takes seconds.
    """
    scripts = _mlflow()
    return {
        "tracking": [
            _revision(database.tracking, "alembic_version"),
            _head(scripts / "store" / "db_migrations"),
        ],
        "auth": [
            _revision(database.auth, "alembic_version_auth"),
            _head(scripts / "server" / "auth" / "db" / "migrations"),
        ],
    }


def _mlflow() -> Path:
    """Where it is installed."""
    found = importlib.util.find_spec("mlflow")
    assert found is not None and found.origin is not None
    return Path(found.origin).parent


def _revision(url: str, table: str) -> str | None:
    import sqlalchemy
    from alembic.runtime.migration import MigrationContext

    if url.startswith("sqlite") and not _file(url).exists():
        return None
    engine = sqlalchemy.create_engine(url)
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"version_table": table})
            return context.get_current_revision()
    finally:
        engine.dispose()


def _head(scripts: Path) -> str | None:
    from alembic.script import ScriptDirectory

    return ScriptDirectory(str(scripts)).get_current_head()


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _locked_database(database: Databases) -> Iterator[None]:
    if not database.postgresql:
        yield
        return
    import sqlalchemy

    engine = sqlalchemy.create_engine(database.tracking, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text(f"SELECT pg_advisory_lock({_LOCK_KEY})"))
        connection.execute(sqlalchemy.text(f'CREATE SCHEMA IF NOT EXISTS "{SCHEMA}"'))
        yield
    engine.dispose()


def _file(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


class Draft:
    """A SQLite file that is upgraded as a copy beside it, which then takes its place.

    MLflow's migrations on SQLite commit statement by statement: one that is broken off in the file
    itself could be neither finished nor undone.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.draft = path, path.with_name(f"{path.name}.draft")

    def replace_with(self, upgrade: Callable[[str], None]) -> None:
        """Copy, `upgrade` the copy (given its URL), and put it in place."""
        self._clear()
        os.close(os.open(self.draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        try:
            with self._frozen():
                upgrade(f"sqlite:///{self.draft}")
                self._settle()
                self.draft.replace(self.path)
        finally:
            self._clear()
        sync(self.path.parent)

    @contextlib.contextmanager
    def _frozen(self) -> Iterator[None]:
        """With the copy made, and nobody writing the original meanwhile."""
        if not self.path.exists():
            yield
            return
        with contextlib.closing(_opened(self.path)) as there:
            there.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            there.execute("BEGIN IMMEDIATE")
            copy_sqlite(self.path, self.draft)
            yield

    def _settle(self) -> None:
        """All in the one file, on disk. WAL is a property of it, which MLflow never sets."""
        with contextlib.closing(_opened(self.draft)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        sync(self.draft)

    def _clear(self) -> None:
        for ending in ("", "-journal", "-wal", "-shm"):
            self.draft.with_name(self.draft.name + ending).unlink(missing_ok=True)


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=30, isolation_level=None)


def _upgrade_tracking(url: str) -> None:
    from mlflow.store.db import utils as untyped

    utils: Any = untyped
    engine = utils.create_sqlalchemy_engine_with_retry(url)
    try:
        if utils._is_empty_database(engine):
            utils._initialize_tables(engine)
        elif utils._get_schema_version(engine) != utils._get_latest_schema_revision():
            utils._upgrade_db(engine)
    finally:
        engine.dispose()


def _upgrade_auth(url: str) -> None:
    import sqlalchemy
    from mlflow.server.auth.db.utils import migrate_if_needed

    engine = sqlalchemy.create_engine(url)
    try:
        migrate_if_needed(engine, "head")
    finally:
        engine.dispose()
