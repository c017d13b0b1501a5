"""MLflow's databases are made wholly or not at all, however often their making is broken off."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from dlsys_server.metadata.mlflow.migrate import Draft

MOMENTS = [("mlflow.db", 1), ("mlflow.db", 300_000), ("mlflow.db", 600_000), ("auth.db", 1)]


def migrate(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "dlsys_server.metadata.mlflow", "--only", "migrate"]
    return subprocess.Popen(
        [*command, "--folder", str(folder), "--parent", str(os.getpid())],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    while not condition():
        assert process.poll() is None, process.communicate()[1][-2000:]
        time.sleep(0.001)


def written(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


@pytest.mark.integration
@pytest.mark.slow
def test_a_first_start_that_is_killed_again_and_again_comes_to_its_end(tmp_path: Path) -> None:
    for (name, size), how in zip(MOMENTS, (signal.SIGKILL, signal.SIGTERM) * 2, strict=True):
        process = migrate(tmp_path)
        draft = tmp_path / f"{name}.draft"
        until(lambda at=draft, least=size: written(at) >= least, process)  # type: ignore[misc]
        process.send_signal(how)
        process.communicate(timeout=30)
        assert not (tmp_path / name).exists()
    process = migrate(tmp_path)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err[-2000:]
    told = json.loads(out.splitlines()[-1])
    assert told["after"] == {name: [new, new] for name, (_, new) in told["before"].items()}
    names = {path.name for path in tmp_path.iterdir()}
    assert {"mlflow.db", "auth.db"} < names
    assert not [name for name in names if "draft" in name]


def test_an_upgrade_that_fails_leaves_everything_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE runs (name)")
        connection.execute("INSERT INTO runs VALUES ('kept')")
        connection.commit()

    def breaks(url: str) -> None:
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as draft:
            assert draft.execute("SELECT name FROM runs").fetchall() == [("kept",)]
            draft.execute("DROP TABLE runs")
        raise RuntimeError("the migration is wrong")

    with pytest.raises(RuntimeError, match="wrong"):
        Draft(path).replace_with(breaks)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM runs").fetchall() == [("kept",)]
    assert [p.name for p in tmp_path.iterdir()] == ["runs.db"]


def test_an_upgrade_keeps_what_was_written_before_it(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode=WAL")
        writer.execute("CREATE TABLE runs (name)")
        writer.execute("INSERT INTO runs VALUES ('in the log')")

        def adds(url: str) -> None:
            with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as draft:
                draft.execute("ALTER TABLE runs ADD COLUMN owner")
                draft.commit()

        Draft(path).replace_with(adds)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name, owner FROM runs").fetchall() == [
            ("in the log", None)
        ]
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
