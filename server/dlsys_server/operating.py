"""What the person who operates the platform does on its machine: migrate, backup, restore.

How far it is, and what came of it, goes out by `tell` as plain dicts.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url

from dlsys_server.core import schema
from dlsys_server.core.backup import restoring, verifying
from dlsys_server.core.backup.databases import PLATFORM, Databases, SqliteFiles
from dlsys_server.core.backup.making import BackupMaker
from dlsys_server.core.backup.places import open_place
from dlsys_server.core.backup.postgres import PostgresDatabase
from dlsys_server.core.backup.progress import Progress, Tell
from dlsys_server.core.backup.restoring import Target
from dlsys_server.core.database import Database
from dlsys_server.core.errors import Conflict, NotFound
from dlsys_server.core.locks import held_elsewhere, locked
from dlsys_server.core.settings import Settings
from dlsys_server.metadata.mlflow import operating as mlflow
from dlsys_server.metadata.mlflow.operating import Step
from dlsys_server.training import restored

STATE_FOLDERS = ("attempts", "models", "gateway", "uploads", "cache", "audit.head")
"""What a data folder holds beside databases and store, and belongs to them."""


def migrate(settings: Settings, tell: Tell, *, check: bool) -> bool:
    """Bring both schemas to this program, or only look; True when nothing is left to do.

    Raises:
        Conflict: a platform runs on the data folder (on PostgreSQL that is no matter).
        Broken: a newer program wrote the database.
    """
    databases = databases_of(settings)
    sqlite = databases.dialect == "sqlite"
    if check:
        steps = _look(settings)
    elif sqlite:
        with _alone(settings.home):
            steps = _migrated(settings)
    else:
        steps = _migrated(settings)
    told = [{"database": s.name, "from": s.found, "to": s.wanted, "due": s.due} for s in steps]
    due = any(step.due for step in steps)
    tell({"event": "done", "what": "migrate", "checked": check, "steps": told, "due": due})
    return not (check and due)


def backup(settings: Settings, folder: Path, tell: Tell) -> bool:
    """Back up database and store; True when every blob was sound.

    Raises:
        DlsysError: it could not be made; an earlier one in the folder is as it was.
    """
    databases = databases_of(settings)
    restoring.refuse_half_restored(settings.home)
    if not databases.filled():
        raise NotFound(
            f"There is nothing to back up: {databases.name} is empty or not there.",
            code="nothing-to-back-up",
            hint="Set DLSYS_HOME, DLSYS_DATABASE_URL and DLSYS_STORE_URL as the platform has them.",
        )
    with opened(settings) as database:
        schema = database.revisions()[0] or ""
    maker = BackupMaker(folder, databases, open_place(settings), Progress(tell))
    done = maker.make(_version("jupyter-dlsys"), _version("mlflow"), schema)
    tell({"event": "done", "what": "backup", **vars(done)})
    return not done.damaged


def restore(settings: Settings, source: Path, tell: Tell, *, replace: bool, check: bool) -> bool:
    """Verify a backup and put it in place; with `check` only verify. True when it is sound.

    Raises:
        DlsysError: the backup or the target is not fit for it; then nothing was changed.
    """
    progress = Progress(tell)
    found, digest = verifying.verified(source, progress)
    about: dict[str, Any] = {
        "files": len(found.files()),
        "bytes": found.bytes(),
        "made": found.ended,
        "version": found.version,
        "damaged": found.damaged,
        "manifest": digest,
    }
    if check:
        tell({"event": "done", "what": "verify", **about})
        return True
    with _alone(settings.home):
        target = _target(settings)
        restoring.check(found, _version("mlflow"), target, replace)
        _refuse_living(settings)
        aside = restoring.restore(source, found, digest, target, progress)
        progress.begin("migrating")
        _migrated(settings)
        with opened(settings) as database:
            jobs = restored.take_over(database, attempts_of(settings))
        restoring.finish(settings.home)
    tell({"event": "done", "what": "restore", "jobs": jobs, "aside": aside, **about})
    return True


def databases_of(settings: Settings) -> Databases:
    """The databases that these settings name."""
    url = make_url(settings.effective_database_url)
    if url.get_backend_name() != "sqlite":
        return PostgresDatabase(settings.effective_database_url)
    files = {PLATFORM: Path(url.database or ""), **mlflow.sqlite_files(settings.home / "mlflow")}
    return SqliteFiles(files)


def attempts_of(settings: Settings) -> Path:
    """Where the folders of running jobs are."""
    return settings.attempts_folder or settings.home / "attempts"


@contextmanager
def opened(settings: Settings) -> Iterator[Database]:
    """The platform's database, closed at the end."""
    database = Database(settings.effective_database_url, 2)
    try:
        yield database
    finally:
        database.close()


def _target(settings: Settings) -> Target:
    folders = [settings.home / name for name in STATE_FOLDERS]
    if settings.attempts_folder is not None:
        folders[0] = settings.attempts_folder
    return Target(settings.home, databases_of(settings), open_place(settings), folders)


def _look(settings: Settings) -> list[Step]:
    found: str | None = None
    if databases_of(settings).filled():
        with opened(settings) as database:
            found, _ = database.revisions()
    step = Step("platform", found, schema.newest())
    return [step, *mlflow.look(settings.home / "mlflow", _shared_url(settings))]


def _migrated(settings: Settings) -> list[Step]:
    with opened(settings) as database:
        before, _ = database.revisions()
        database.migrate()
        after, _ = database.revisions()
    steps = mlflow.migrate(settings.home / "mlflow", _shared_url(settings))
    return [Step("platform", before, after), *steps]


def _shared_url(settings: Settings) -> str | None:
    """The database that MLflow shares with the platform; None when each has its own file."""
    url = settings.effective_database_url
    return None if url.startswith("sqlite") else settings.database_url


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with locked(home / "platform.lock") as ours:
        if not ours:
            raise Conflict(
                f"A platform runs on {home}.",
                code="platform-runs",
                hint="Stop it first: `dlsys down`, or by its service manager.",
            )
        yield


def _refuse_living(settings: Settings) -> None:
    """Jobs and the gateway outlive the platform; their files must not go away under them."""
    if count := restored.running(attempts_of(settings)):
        raise Conflict(
            f"Jobs of the old data still run ({count}).",
            code="jobs-running",
            hint="Start the platform and end it with `dlsys down --jobs cancel`.",
        )
    if held_elsewhere(settings.home / "gateway" / "gateway.lock"):
        raise Conflict(
            "The gateway of the old data still answers.",
            code="platform-runs",
            hint="Start the platform and end it with `dlsys down`: that ends the gateway.",
        )


def _version(name: str) -> str:
    return importlib.metadata.version(name)
