"""Revisions of the database's schema.  Alembic makes the way between two of them, and is loaded for
that only: most starts find the newest one.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from .errors import Broken

MIGRATIONS = Path(__file__).parent / "migrations"


def known() -> list[str]:
    """All revisions of this program, oldest first: each is the number its file begins with."""
    return sorted(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("*_*.py"))


def newest() -> str:
    """This program's revision."""
    return known()[-1]


def found(connection: Connection) -> str | None:
    """The revision of a database; None: it has no schema yet."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if revision is None else str(revision)


def refuse_unknown(revision: str | None) -> None:
    """Refuse a schema revision that this program does not know.

    Raises:
        Broken: a newer or foreign program made it.
    """
    if revision is not None and revision not in known():
        raise Broken(
            f"The database has schema revision {revision}, which this version does not know.",
            code="unknown-schema-revision",
            hint="Install the jupyter-dlsys version that wrote it, or use another data folder.",
        )


def upgrade(connection: Connection) -> None:
    """Bring the schema to the newest revision, in the connection's transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
