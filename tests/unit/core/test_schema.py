"""The schema and its revisions."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dlsys_server.core import schema
from dlsys_server.core.database import Database
from dlsys_server.core.errors import Broken


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    found = Database(f"sqlite:///{tmp_path / 'x.sqlite'}")
    found.migrate()
    yield found
    found.close()


def test_an_unknown_schema_revision_is_refused(database: Database) -> None:
    with database.write() as session:
        from sqlalchemy import text

        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Broken, match="revision 9999"):
        database.migrate()


def test_the_schema_is_what_the_migrations_make(database: Database) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    import dlsys_server.app  # noqa: F401  all tables
    from dlsys_server.core.tables import Base

    with database.engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    assert found == []


def test_revisions_are_those_that_alembic_finds() -> None:
    from alembic.script import ScriptDirectory

    script = ScriptDirectory(str(schema.MIGRATIONS))
    assert sorted(r.revision for r in script.walk_revisions()) == schema.known()
    assert script.get_current_head() == schema.newest()


def test_revisions_of_databases(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'y.sqlite'}")
    assert database.revisions() == (None, schema.newest())
    database.migrate()
    assert database.revisions() == (schema.newest(), schema.newest())
    database.close()


def test_alembic_is_loaded_to_upgrade_only(tmp_path: Path) -> None:
    """It takes a quarter of a second of each start."""
    program = (
        "import sys\nfrom dlsys_server.core.database import Database\n"
        f"Database('sqlite:///{tmp_path / 'z.sqlite'}').migrate()\nprint('alembic' in sys.modules)"
    )
    said = [
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    assert [one.stdout.strip() for one in said] == ["True", "False"]
