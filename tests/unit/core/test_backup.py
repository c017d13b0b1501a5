"""The folder of a backup: what its manifest promises, and what is found when that does not hold."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from dlsys_server.core.backup import manifest, verifying
from dlsys_server.core.backup.databases import PLATFORM, SqliteFiles
from dlsys_server.core.backup.making import BackupMaker, Outcome
from dlsys_server.core.backup.manifest import Entry, Manifest
from dlsys_server.core.backup.places import FolderPlace
from dlsys_server.core.backup.postgres import connection_variables
from dlsys_server.core.backup.progress import Progress
from dlsys_server.core.errors import Conflict, Refused
from dlsys_server.core.store import LocalStore

SHA = hashlib.sha256(b"x").hexdigest()


class Platform:
    """A database and a store, as a platform leaves them."""

    def __init__(self, home: Path) -> None:
        self.home = home
        home.mkdir()
        self.store = LocalStore(home / "store")
        self.databases = SqliteFiles({PLATFORM: home / "db.sqlite"})
        self.say("CREATE TABLE t (x)")
        self.told: list[dict[str, object]] = []

    def say(self, statement: str) -> None:
        with closing(sqlite3.connect(self.home / "db.sqlite")) as connection, connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(statement)

    def artifact(self, path: str, data: bytes) -> None:
        target = self.home / "store" / "mlflow" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)

    def backup(self, folder: Path) -> Outcome:
        place = FolderPlace(self.home / "store")
        return BackupMaker(folder, self.databases, place, self.progress()).make("1", "3.17", "0001")

    def progress(self) -> Progress:
        return Progress(self.told.append)


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return Platform(tmp_path / "home")


def verified(folder: Path) -> Manifest:
    return verifying.verified(folder, Progress(lambda event: None))[0]


def an_empty_manifest(**values: object) -> Manifest:
    return Manifest("1", "3.17", "0001", "sqlite", "now", **{"place": "databases/x", **values})


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    made = an_empty_manifest(objects={SHA: 1}, artifacts={"1/a b": Entry(1, SHA, "s")})
    digest = manifest.write(tmp_path, made)
    assert manifest.read(tmp_path) == (made, digest)
    assert (tmp_path / manifest.NAME).stat().st_mode & 0o777 == 0o600


def test_a_folder_without_manifest_is_no_backup(tmp_path: Path) -> None:
    (tmp_path / ".manifest.json.part").write_text("{}")
    with pytest.raises(Refused) as refused:
        manifest.read(tmp_path)
    assert refused.value.code == "not-a-backup"


@pytest.mark.parametrize("cut", [0, 1, 40, 300])
def test_a_manifest_that_was_cut_off_is_damaged(tmp_path: Path, cut: int) -> None:
    manifest.write(tmp_path, an_empty_manifest(objects={SHA: 1}))
    path = tmp_path / manifest.NAME
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(Refused) as refused:
        manifest.read(tmp_path)
    assert refused.value.code == "backup-damaged"


def test_a_changed_number_in_the_manifest_is_found(tmp_path: Path) -> None:
    manifest.write(tmp_path, an_empty_manifest(objects={SHA: 1}))
    path = tmp_path / manifest.NAME
    path.write_text(path.read_text().replace(f'"{SHA}": 1', f'"{SHA}": 2'))
    with pytest.raises(Refused) as refused:
        manifest.read(tmp_path)
    assert refused.value.code == "backup-damaged"


@pytest.mark.parametrize("path", ["../../etc/passwd", "/etc/passwd", "a/../../b", ""])
def test_a_manifest_leads_nowhere_else(tmp_path: Path, path: str) -> None:
    manifest.write(tmp_path, an_empty_manifest(artifacts={path: Entry(1, SHA)}))
    with pytest.raises(Refused) as refused:
        manifest.read(tmp_path)
    assert refused.value.code == "backup-damaged"


def test_a_backup_of_a_newer_program_is_refused_by_its_version(tmp_path: Path) -> None:
    manifest.write(tmp_path, an_empty_manifest())
    path = tmp_path / manifest.NAME
    body = json.loads(path.read_text())
    path.write_text(json.dumps({**body, "format_version": 99, "version": "9.9", "new": {}}))
    with pytest.raises(Refused, match=r"9\.9") as refused:
        manifest.read(tmp_path)
    assert refused.value.code == "backup-of-newer-version"


def test_database_blobs_and_artifacts_are_in_it(platform: Platform, tmp_path: Path) -> None:
    blob = platform.store.put(b"a blob")
    platform.artifact("1/run/artifacts/model", b"a model")
    (platform.home / "store/objects" / blob[:2] / ".part-x").write_bytes(b"on its way")
    platform.say("INSERT INTO t VALUES (7)")
    done = platform.backup(tmp_path / "b")
    found = verified(tmp_path / "b")
    assert found.objects == {blob: 6}
    assert list(found.artifacts) == ["1/run/artifacts/model"]
    assert done.files == 3 and not done.damaged
    with closing(sqlite3.connect(tmp_path / "b" / found.place / PLATFORM)) as copy:
        assert copy.execute("SELECT x FROM t").fetchall() == [(7,)]
    for path in (tmp_path / "b").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_the_second_one_copies_only_what_is_new(platform: Platform, tmp_path: Path) -> None:
    platform.store.put(b"first")
    platform.artifact("a", b"one")
    platform.artifact("b", b"two")
    platform.backup(tmp_path / "b")
    platform.store.put(b"second")
    platform.artifact("b", b"three")
    done = platform.backup(tmp_path / "b")
    assert done.copied_files == 3  # the database, a blob, an artifact
    found = verified(tmp_path / "b")
    assert len(found.objects) == 2 and found.artifacts["b"].bytes == 5
    assert len(list((tmp_path / "b" / "databases").iterdir())) == 1


def test_one_changed_byte_is_found(platform: Platform, tmp_path: Path) -> None:
    blob = platform.store.put(b"some bytes")
    platform.backup(tmp_path / "b")
    path = tmp_path / "b" / "objects" / blob[:2] / blob
    path.write_bytes(b"sOme bytes")
    with pytest.raises(Refused, match=blob) as refused:
        verified(tmp_path / "b")
    assert refused.value.code == "backup-damaged"


def test_a_missing_file_is_found(platform: Platform, tmp_path: Path) -> None:
    blob = platform.store.put(b"some bytes")
    platform.backup(tmp_path / "b")
    (tmp_path / "b" / "objects" / blob[:2] / blob).unlink()
    with pytest.raises(Refused, match="is missing"):
        verified(tmp_path / "b")


def test_a_blob_that_is_damaged_in_the_store_is_told(platform: Platform, tmp_path: Path) -> None:
    good, bad = platform.store.put(b"good"), platform.store.put(b"bad")
    path = platform.store.open_path(bad)
    assert path is not None
    path.chmod(0o600)
    path.write_bytes(b"BAD")
    done = platform.backup(tmp_path / "b")
    assert done.damaged == [bad]
    assert list(verified(tmp_path / "b").objects) == [good]


def test_a_folder_with_other_things_is_left_alone(platform: Platform, tmp_path: Path) -> None:
    folder = tmp_path / "b"
    folder.mkdir(mode=0o755)
    (folder / "thesis.tex").write_text("dear")
    with pytest.raises(Conflict, match=r"thesis\.tex"):
        platform.backup(folder)
    assert [p.name for p in folder.iterdir()] == ["thesis.tex"]
    assert folder.stat().st_mode & 0o777 == 0o755


def test_progress_ends_with_all_files(platform: Platform, tmp_path: Path) -> None:
    for number in range(5):
        platform.store.put(b"%d" % number)
    platform.backup(tmp_path / "b")
    last = platform.told[-1]
    assert (last["phase"], last["files"], last["bytes"]) == ("files", 5, 5)


def test_the_password_of_a_url_goes_by_the_environment() -> None:
    from sqlalchemy.engine import make_url

    url = make_url("postgresql+psycopg://ann:p%40ss@db.example:5433/lab?sslmode=require")
    assert connection_variables(url) == {
        "PGHOST": "db.example",
        "PGPORT": "5433",
        "PGUSER": "ann",
        "PGPASSWORD": "p@ss",
        "PGDATABASE": "lab",
        "PGSSLMODE": "require",
    }
