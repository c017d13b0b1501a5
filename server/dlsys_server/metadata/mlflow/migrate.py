"""Brings MLflow's databases to the installed version, once and before serving. Runs in the
child.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .environment import SCHEMA, Databases

_LOCK_KEY = (
    0x646C7379  # "dlsy": any constant, the same for all platforms on one PostgreSQL database
)


def prepare(folder: Path, database: Databases) -> None:
    """Create or upgrade both databases. Safe when several children start at once."""
    with _locked(folder / "migrate.lock"), _locked_database(database):
        if not database.postgresql:
            for name in ("mlflow.db", "auth.db"):
                _write_ahead(folder / name)
        _upgrade_tracking(database.tracking)
        _upgrade_auth(database.auth)


def revisions(database: Databases) -> dict[str, list[str | None]]:
    """Of both databases: the schema revision that is there (None: no schema yet), and MLflow's own.
    Changes nothing.
    """
    from mlflow.server.auth.db import utils as auth
    from mlflow.store.db import utils as untyped

    tracking: Any = untyped
    auth_head = _head(Path(auth.__file__).parent / "migrations")
    return {
        "tracking": [
            _revision(database.tracking, "alembic_version"),
            tracking._get_latest_schema_revision(),
        ],
        "auth": [_revision(database.auth, "alembic_version_auth"), auth_head],
    }


def _revision(url: str, table: str) -> str | None:
    import sqlalchemy
    from alembic.runtime.migration import MigrationContext

    path = url.removeprefix("sqlite:///")
    if path != url and not Path(path).exists():
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


def _write_ahead(path: Path) -> None:
    """WAL is a property of the file: setting it once is enough, and MLflow never sets it."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    with contextlib.closing(sqlite3.connect(path, timeout=30)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")


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
