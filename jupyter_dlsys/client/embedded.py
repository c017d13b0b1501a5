"""The platform of a data folder: find it, join it, start it. Every door comes through here.

Files in the folder: platform.json tells where it listens, `secret` lets its owner in, start.lock
makes two doors that come at once start one platform, platform.lock is held while it lives.
Uses only the standard library, so that a door may look without loading anything.
"""

from __future__ import annotations

import fcntl
import http.client
import importlib.util
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from jupyter_dlsys.client.errors import NotInstalled, StartFailed, TimedOut

START_TIMEOUT = 90.0
ANSWER_TIMEOUT = 5.0
PREDECESSOR_TIMEOUT = 30.0
ALREADY_RUNNING = 17
POLL_SECONDS = 0.05
SHOWN_LINES = 12
UNWANTED = ("JUPYTERHUB_", "JPY_", "MLFLOW_TRACKING_", "MLFLOW_EXPERIMENT_", "DLSYS_INPUT_")
UNWANTED_NAMES = {
    "JUPYTER_TOKEN",
    "MLFLOW_RUN_ID",
    "MLFLOW_WORKSPACE",
    "MLFLOW_REGISTRY_URI",
    "DLSYS_URL",
    "DLSYS_TOKEN",
    "DLSYS_PROJECT",
    "DLSYS_JOB_ID",
    "DLSYS_ATTEMPT",
    "DLSYS_OUTPUT_DIR",
    "CUDA_VISIBLE_DEVICES",
}


@dataclass(frozen=True)
class Platform:
    """Where a platform listens and how its owner gets in."""

    home: Path
    url: str
    uds: str
    token: str
    pid: int
    version: str
    idle_seconds: float
    """It ends when it is unused for so long; 0: never."""

    def __repr__(self) -> str:
        """Without the token."""
        return f"Platform(home={str(self.home)!r}, url={self.url!r}, pid={self.pid})"


def default_home() -> Path:
    """DLSYS_HOME, else `dlsys` in Jupyter's data folder."""
    if given := os.environ.get("DLSYS_HOME"):
        return Path(given).expanduser().resolve()
    from jupyter_core.paths import jupyter_data_dir

    return Path(jupyter_data_dir()) / "dlsys"


def stamp(home: Path) -> tuple[int, ...]:
    """Changes whenever a platform of this folder starts or ends."""
    try:
        found = (home / "platform.json").stat()
    except OSError:
        return ()
    return (found.st_mtime_ns, found.st_ino)


def read(home: Path) -> Platform | None:
    """What the folder says about its platform, which may be gone."""
    try:
        about = json.loads((home / "platform.json").read_text("utf-8"))
        token = (home / "secret").read_text("utf-8").strip()
        return Platform(
            home=home,
            url=str(about["url"]),
            uds=str(about["uds"]),
            token=token,
            pid=int(about["pid"]),
            version=str(about.get("version", "")),
            idle_seconds=float(about.get("idle_seconds", 900)),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("dlsys", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Open the unix socket instead of a TCP one."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def answers(platform: Platform, timeout: float = ANSWER_TIMEOUT) -> bool:
    """Whether this platform listens and knows its token (a new one may have taken its place)."""
    connection = _UnixConnection(platform.uds, timeout)
    try:
        headers = {"Authorization": f"Bearer {platform.token}"}
        connection.request("GET", "/api/v1/whoami", headers=headers)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def running(home: Path, timeout: float = ANSWER_TIMEOUT) -> Platform | None:
    """The folder's platform if it answers."""
    platform = read(home)
    return platform if platform and answers(platform, timeout) else None


def join(
    home: Path,
    *,
    timeout: float = START_TIMEOUT,
    settings: dict[str, str] | None = None,
    on_start: Callable[[], None] | None = None,
) -> Platform:
    """The folder's platform, started when it does not run.

    Args:
        home: the data folder.
        timeout: seconds to wait for it.
        settings: environment variables for a platform that is started now.
        on_start: called when one is started, to tell the person who waits.

    Raises:
        NotInstalled: the libraries of the platform are missing.
        StartFailed: it ended while it started; the message has its last words.
        TimedOut: it does not answer in time.
    """
    if found := running(home):
        return found
    require_server()
    end = time.monotonic() + timeout
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _locked(home / "start.lock", end):
        if found := running(home):
            return found
        if on_start:
            on_start()
        return _start(home, end, settings or {})


def require_server() -> None:
    """Refuse when the platform cannot be started from this environment."""
    missing = [name for name in ("dlsys_server", "fastapi") if not importlib.util.find_spec(name)]
    if missing:
        raise NotInstalled(
            "The platform is not installed in this environment (no module "
            f"'{missing[-1]}' beside {sys.executable}).",
            hint='Run `pip install "jupyter-dlsys[server]"`, or set DLSYS_URL to join another one.',
        )


def _start(home: Path, end: float, settings: dict[str, str], *, again: bool = True) -> Platform:
    log = home / "logs" / "platform.log"
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if found := _predecessor(home, end):
        return found
    before = log.stat().st_size if log.exists() else 0
    process = _spawn(home, log, settings)
    while time.monotonic() < end:
        if found := running(home):
            _reap_later(process)
            return found
        if process.poll() == ALREADY_RUNNING and again:
            return _start(home, end, settings, again=False)
        if process.returncode is not None:
            raise StartFailed(
                f"The platform ended while it started (exit status {process.returncode})."
                + last_words(log, before),
                hint=f"`dlsys doctor` looks for the cause; the whole log is {log}",
            )
        time.sleep(POLL_SECONDS)
    _reap_later(process)
    raise TimedOut(
        f"The platform (process {process.pid}) does not answer yet." + last_words(log, before),
        hint=f"It may still be starting: try again, or look into {log}",
    )


def _reap_later(process: subprocess.Popen[bytes]) -> None:
    """When it ends before us, it must not stay as a zombie of ours."""
    threading.Thread(target=process.wait, name="dlsys-reaper", daemon=True).start()


def _spawn(home: Path, log: Path, settings: dict[str, str]) -> subprocess.Popen[bytes]:
    environment = {**platform_environment(), **settings}
    with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "dlsys_server", "--home", str(home)],
            env=environment,
            cwd=log.parent,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )


def platform_environment() -> dict[str, str]:
    """Our environment as the platform gets it: without what is meant for a notebook or a job."""
    return {
        name: value
        for name, value in os.environ.items()
        if name not in UNWANTED_NAMES and not name.startswith(UNWANTED)
    }


def last_words(log: Path, offset: int = 0) -> str:
    """The last lines of the log from a byte offset on, ready to be added to a message."""
    try:
        with log.open("rb") as file:
            file.seek(max(offset, log.stat().st_size - 20_000))
            lines = file.read().decode("utf-8", "replace").strip().splitlines()
    except OSError:
        return ""
    if not lines:
        return ""
    return " Its last words:\n" + "\n".join(f"  {line[:500]}" for line in lines[-SHOWN_LINES:])


def alive(home: Path) -> bool:
    """Whether some platform process holds the folder, answering or not."""
    try:
        with (home / "platform.lock").open("r") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def wait_until_gone(home: Path, timeout: float) -> bool:
    """Wait for the platform to let go of the folder; False when it did not in time."""
    end = time.monotonic() + timeout
    while alive(home):
        if time.monotonic() > end:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _predecessor(home: Path, end: float) -> Platform | None:
    """One that holds the folder: it is about to answer, or about to let go."""
    end = min(end, time.monotonic() + PREDECESSOR_TIMEOUT)
    while alive(home):
        if found := running(home):
            return found
        if time.monotonic() > end:
            raise StartFailed(
                "Another platform process holds this data folder but does not answer.",
                hint=f"`dlsys doctor` shows it; its log is {home / 'logs' / 'platform.log'}",
            )
        time.sleep(POLL_SECONDS)
    return None


@contextmanager
def _locked(path: Path, end: float) -> Iterator[None]:
    with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+") as file:
        _lock(file, end)
        yield


def _lock(file: IO[str], end: float) -> None:
    while not _try_lock(file):
        if time.monotonic() > end:
            raise TimedOut(
                "Another program is starting the platform and does not get done.",
                hint="Try again; `dlsys doctor` shows what runs.",
            )
        time.sleep(POLL_SECONDS)


def _try_lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
