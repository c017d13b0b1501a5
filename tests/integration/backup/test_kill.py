"""kill -9 in the middle of a backup or a restore: half of one is never taken for whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dlsys_server.core.database import Database
from dlsys_server.core.store import LocalStore

pytestmark = [pytest.mark.integration, pytest.mark.kill, pytest.mark.slow]

BLOBS, BLOB_BYTES = 400, 500_000


def command(home: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "dlsys_server", "--home", str(home), *arguments],
        env={**os.environ, "DLSYS_HOME": str(home)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(home: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit status of a command, and its last word."""
    with command(home, *arguments, "--json") as process:
        out, err = process.communicate(timeout=120)
    assert out, err
    return process.returncode, json.loads(out.splitlines()[-1])


def killed(home: Path, *arguments: str) -> None:
    """kill -9 once the first files are done."""
    with command(home, *arguments, "--json") as process:
        assert process.stdout is not None
        for line in process.stdout:
            event = json.loads(line)
            assert event["event"] == "progress", "it was done too soon to be killed"
            if event["phase"] == "files":
                break
        process.kill()


@pytest.fixture
def home(dlsys_home: Path) -> Path:
    fill(dlsys_home, 0)
    database = Database(f"sqlite:///{dlsys_home / 'db.sqlite'}")
    database.migrate()
    database.close()
    return dlsys_home


def fill(home: Path, first: int) -> None:
    store = LocalStore(home / "store")
    for number in range(first, first + BLOBS):
        store.put(number.to_bytes(4, "big") + bytes(BLOB_BYTES))


def test_a_backup_that_was_killed_is_none_and_can_be_made_again(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "b"
    killed(home, "backup", str(folder))
    status, said = ended(tmp_path / "new", "restore", str(folder))
    assert (status, said["code"]) == (1, "not-a-backup")
    assert not (tmp_path / "new" / "db.sqlite").exists()
    there = len(list((folder / "objects").glob("??/*")))
    assert there < BLOBS
    status, said = ended(home, "backup", str(folder))
    assert status == 0 and said["copied_files"] == BLOBS - there + 1
    assert not list(folder.rglob(".part-*")) and len(list((folder / "databases").iterdir())) == 1

    fill(home, BLOBS)
    killed(home, "backup", str(folder))  # and the one before it is as it was
    status, said = ended(home, "restore", str(folder), "--check")
    assert (status, said["files"]) == (0, BLOBS + 1)


def test_half_a_restore_is_not_started(home: Path, tmp_path: Path) -> None:
    folder, new = tmp_path / "b", tmp_path / "new"
    assert ended(home, "backup", str(folder))[0] == 0
    killed(new, "restore", str(folder))
    with command(new) as platform:
        _, log = platform.communicate(timeout=60)
    assert platform.returncode == 18 and "restore-unfinished" in log
    assert not (new / "db.sqlite").exists()
    assert ended(new, "backup", str(tmp_path / "c"))[1]["code"] == "restore-unfinished"
    assert ended(new, "restore", str(folder), "--replace")[0] == 0
    assert len(list((new / "store" / "objects").glob("??/*"))) == BLOBS
    assert not (new / "restoring.json").exists()


def test_a_changed_byte_is_found_before_anything_is_touched(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "b"
    assert ended(home, "backup", str(folder))[0] == 0
    blob = next((folder / "objects").glob("??/*"))
    data = bytearray(blob.read_bytes())
    data[1000] ^= 1
    blob.write_bytes(data)
    status, said = ended(home, "restore", str(folder), "--replace")
    assert (status, said["code"]) == (1, "backup-damaged") and blob.name in said["detail"]
    assert not list(home.glob("replaced-*")) and (home / "db.sqlite").exists()


def test_a_backup_of_another_kind_of_database_is_refused(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "b"
    assert ended(home, "backup", str(folder))[0] == 0
    environment = {**os.environ, "DLSYS_DATABASE_URL": "postgresql://x@127.0.0.1:1/y"}
    arguments = ["--home", str(tmp_path / "new"), "restore", str(folder), "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "dlsys_server", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["code"] == "other-database" and "Unset DLSYS_DATABASE_URL" in said["hint"]
