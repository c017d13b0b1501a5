"""The PostgreSQL database of a platform: dumped and loaded by PostgreSQL's own programs.

MLflow's tables lie in a schema of the same database, so that one dump has both at one moment.
The password goes to the programs by their environment, never by their arguments.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import NullPool

from dlsys_server.core.errors import Broken, Conflict

from .databases import Databases

DUMP = "platform.dump"
SCHEMAS = ("public", "mlflow")
ASIDE = "dlsys_replaced_"
_TABLES = text(
    "SELECT count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n"
    " ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S')"
    " AND n.nspname <> 'information_schema' AND NOT starts_with(n.nspname, 'pg_')"
    " AND NOT starts_with(n.nspname, :aside)"
)
_LEASES = text("SELECT count(*) FROM lease WHERE until > clock_timestamp()")
_SCHEMA = text("SELECT count(*) FROM pg_catalog.pg_namespace WHERE nspname = :name")


class PostgresDatabase(Databases):
    """One database, which is the platform's alone."""

    dialect = "postgresql"

    def __init__(self, url: str) -> None:
        self._url = make_url(url)
        self.name = f"PostgreSQL database '{self._url.database}'"
        self._engine = create_engine(self._url, poolclass=NullPool)

    def dump(self, folder: Path) -> None:
        """One dump, of one moment."""
        self._run(
            "pg_dump", "--format=custom", "--no-owner", "--no-privileges",
            f"--exclude-schema={ASIDE}*", f"--file={folder / DUMP}",
        )  # fmt: skip
        (folder / DUMP).chmod(0o600)

    def filled(self) -> bool:
        """Whether it has tables, apart from those that were moved aside."""
        with self._engine.connect() as connection:
            return bool(connection.scalar(_TABLES, {"aside": ASIDE}))

    def check_idle(self) -> None:
        """A platform that lives renews its leases, wherever it runs."""
        with self._engine.connect() as connection:
            there = connection.dialect.has_table(connection, "lease")
            alive = connection.scalar(_LEASES) if there else 0
        if alive:
            raise Conflict(
                f"A platform works with the {self.name}.",
                code="platform-runs",
                hint="Stop all platforms of this database; one that was killed is waited for "
                "15 seconds.",
            )

    def move_aside(self, stamp: str) -> None:
        """Rename the schemas, in one transaction."""
        with self._engine.begin() as connection:
            for name in SCHEMAS:
                if connection.scalar(_SCHEMA, {"name": name}):
                    aside = f"{ASIDE}{stamp.lower().replace('-', '_')}_{name}"
                    connection.execute(text(f'ALTER SCHEMA "{name}" RENAME TO "{aside}"'))
            connection.execute(text("CREATE SCHEMA public"))

    def load(self, folder: Path) -> None:
        """In one transaction."""
        with self._engine.begin() as connection:
            _drop_empty(connection)
        self._run(
            "pg_restore", "--single-transaction", "--exit-on-error", "--no-owner",
            "--no-privileges", f"--dbname={self._url.database}", str(folder / DUMP),
        )  # fmt: skip

    def _run(self, program: str, *arguments: str) -> None:
        path = shutil.which(program)
        if path is None:
            raise Broken(
                f"{program} is not installed here.",
                code="postgresql-client-missing",
                hint="Install PostgreSQL's client programs (Debian: postgresql-client), of the "
                "server's version or a newer one.",
            )
        environment = {**os.environ, **connection_variables(self._url)}
        done = subprocess.run(
            [path, "--no-password", *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
        )
        if done.returncode != 0:
            words = " ".join(done.stderr.strip().splitlines()[:4])[:1000]
            raise Broken(
                f"{program} failed: {words}",
                code="postgresql-client-failed",
                hint="Its version must be the server's or newer; the role needs rights on all "
                "of the database.",
            )


def connection_variables(url: URL) -> dict[str, str]:
    """An SQLAlchemy URL as libpq's environment variables, for programs that are started."""
    from psycopg import pq

    names = {o.keyword.decode(): o.envvar for o in pq.Conninfo.get_defaults()}
    values = {name: value for name, value in url.query.items() if isinstance(value, str)}
    own = {
        "host": url.host,
        "port": url.port,
        "user": url.username,
        "password": url.password,
        "dbname": url.database,
    }
    values |= {name: str(value) for name, value in own.items() if value is not None}
    found = ((names.get(keyword), value) for keyword, value in values.items())
    return {name.decode(): value for name, value in found if name}


def _drop_empty(connection: Connection) -> None:
    """The dump makes MLflow's schema itself; an empty one would be in its way."""
    if connection.scalar(_SCHEMA, {"name": "mlflow"}):
        connection.execute(text("DROP SCHEMA mlflow"))
