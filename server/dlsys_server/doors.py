"""Where the platform can be reached: its sockets, and the files that tell doors of them."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import tempfile
import time
from pathlib import Path

from dlsys_server.core.errors import DlsysError
from dlsys_server.core.ports import listen
from dlsys_server.core.settings import Settings

log = logging.getLogger(__name__)
LONGEST_SOCKET_PATH = 100
PATIENCE_SECONDS = 1.0


def unix_socket(home: Path, name: str) -> tuple[socket.socket, Path]:
    """A socket for doors on this machine; in the temporary folder when the home's path is long."""
    path = home / name
    if len(os.fsencode(path)) > LONGEST_SOCKET_PATH:
        path = Path(tempfile.mkdtemp(prefix="dlsys-")) / "s"
    path.unlink(missing_ok=True)
    door = socket.socket(socket.AF_UNIX)
    door.bind(str(path))
    return door, path


def tcp_socket(settings: Settings) -> socket.socket:
    """The configured port, else the last one, so that running jobs find a restarted platform."""
    remembered = settings.home / "port"
    last = 0
    with contextlib.suppress(OSError, ValueError):
        last = int(remembered.read_text())
    host, wanted = settings.listens_at
    for port in (wanted,) if wanted else (last, 0):
        try:
            listener = _patiently(host, port)
        except OSError as error:
            log.warning("port is taken", extra={"port": port, "error": str(error)})
            continue
        remembered.write_text(str(listener.getsockname()[1]))
        return listener
    raise DlsysError(
        f"Port {wanted} is taken.", hint="Choose another with DLSYS_PORT, or 0 for any."
    )


def _patiently(host: str, port: int) -> socket.socket:
    """The port; a process of a platform that was killed may still have it for a moment."""
    end = time.monotonic() + (PATIENCE_SECONDS if port else 0)
    while True:
        try:
            return listen(host, port)
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def announce(settings: Settings, secret: str, url: str, door: Path, version: str) -> None:
    """Tell doors where the platform is and how to be believed; 0600 files."""
    _write(settings.home / "secret", secret)
    state = {
        "pid": os.getpid(),
        "url": url,
        "uds": str(door),
        "version": version,
        "started": time.time(),
        "idle_seconds": settings.idle_seconds,
    }
    _write(settings.home / "platform.json", json.dumps(state))


def retract(settings: Settings, *doors: Path | None) -> None:
    """Take back what `announce` said, and the doors."""
    for path in (settings.home / "platform.json", settings.home / "secret"):
        path.unlink(missing_ok=True)
    for door in (one for one in doors if one is not None):
        door.unlink(missing_ok=True)
        if door.parent != settings.home:
            with contextlib.suppress(OSError):
                door.parent.rmdir()


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f"{path.name}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as out:
        out.write(text)
    temporary.rename(path)
