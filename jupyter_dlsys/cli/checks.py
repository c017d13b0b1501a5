"""What `dlsys doctor` looks at. Starts nothing and changes nothing."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from jupyter_dlsys._version import __version__
from jupyter_dlsys.client import embedded
from jupyter_dlsys.client.errors import DlsysError
from jupyter_dlsys.client.words import size

LOW_DISK = 2 * 10**9
NETWORK_FILE_SYSTEMS = {"nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p"}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    state: Literal["ok", "warning", "failed"]
    detail: str
    hint: str = ""


def examine(home: Path) -> list[Finding]:
    """Look at everything, the cheap things first."""
    looks: list[Callable[[Path], Iterator[Finding]]] = [_versions, _extension, _folder]
    looks.append(_shared if os.environ.get("DLSYS_URL") else _platform)
    return [found for look in looks for found in look(home)]


def _versions(_home: Path) -> Iterator[Finding]:
    about = f"jupyter-dlsys {__version__}, Python {platform.python_version()}"
    yield Finding("Versions", "ok", about)
    if os.environ.get("DLSYS_URL"):
        return
    try:
        embedded.require_server()
        yield Finding("Platform", "ok", "installed")
    except DlsysError as error:
        yield Finding("Platform", "failed", error.detail, error.hint)


def _extension(_home: Path) -> Iterator[Finding]:
    if importlib.util.find_spec("jupyterlab") is None:
        yield Finding("JupyterLab", "warning", "not installed", "Run `pip install jupyterlab`.")
        return
    from jupyter_core.paths import jupyter_path

    places = [Path(p) / "jupyter-dlsys" for p in jupyter_path("labextensions")]
    found = next((p for p in places if (p / "package.json").is_file()), None)
    if found:
        yield Finding("Lab extension", "ok", str(found))
    else:
        hint = "Run `pip install --force-reinstall --no-deps jupyter-dlsys`."
        yield Finding("Lab extension", "warning", "JupyterLab will not find it", hint)


def _folder(home: Path) -> Iterator[Finding]:
    if not home.exists():
        yield Finding("Data folder", "ok", f"{home} (made at the first start)")
        return
    if not os.access(home, os.W_OK):
        hint = "Choose another with DLSYS_HOME, or correct its owner."
        yield Finding("Data folder", "failed", f"{home} cannot be written", hint)
        return
    if stat.S_IMODE(home.stat().st_mode) & 0o077:
        hint = f"Run `chmod 700 {home}`."
        yield Finding("Data folder", "warning", f"{home} can be read by others", hint)
    else:
        yield Finding("Data folder", "ok", str(home))
    if (home / "restoring.json").exists():
        about = "a restore is under way, or was broken off: no platform starts"
        hint = "If none runs: `dlsys restore SRC --replace`."
        yield Finding("Restore", "failed", about, hint)
    yield from _disk(home)


def _disk(home: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(home).free
    low = free < LOW_DISK
    hint = "Make room, or choose another folder with DLSYS_HOME." if low else ""
    yield Finding("Disk", "warning" if low else "ok", f"{size(free)} free", hint)
    if (kind := _file_system(home)) in NETWORK_FILE_SYSTEMS:
        hint = "Set DLSYS_HOME to a folder on a local disk."
        yield Finding("Disk", "failed", f"{home} is on a network file system ({kind})", hint)


def _file_system(path: Path) -> str:
    try:
        mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    except OSError:
        return ""
    real = str(path.resolve())
    fitting = [m for m in mounts if real == m[0] or real.startswith(m[0].rstrip("/") + "/")]
    return max(fitting, key=lambda m: len(m[0]))[1] if fitting else ""


def _platform(home: Path) -> Iterator[Finding]:
    found = embedded.running(home)
    if found is None and embedded.alive(home):
        about = "a process holds the data folder but does not answer." + embedded.last_words(
            home / "logs" / "platform.log"
        )
        yield Finding("Running", "failed", about, "Wait a moment; else end the process.")
        return
    if found is None:
        yield Finding("Running", "ok", "no (it is started when needed)")
        return
    yield Finding("Running", "ok", f"{found.url}, process {found.pid}")
    if found.version != __version__:
        about = f"the running platform is {found.version}, this is {__version__}"
        yield Finding("Versions", "warning", about, "Run `dlsys down`; the next start is new.")
    yield from _parts(home)


def _shared(_home: Path) -> Iterator[Finding]:
    yield Finding("Running", "ok", f"shared, at {os.environ['DLSYS_URL']}")
    yield from _parts(None)


def _parts(home: Path | None) -> Iterator[Finding]:
    from jupyter_dlsys.client.client import connect

    try:
        with connect(home=home) as client:
            who, health = client.system.whoami(), client.system.health()
    except DlsysError as error:
        yield Finding("Connection", "failed", error.detail, error.hint)
        return
    yield Finding("You", "ok", f"{who.name}, project {who.project}")
    for part in health.parts:
        bad = part.state in ("failed", "degraded")
        hint = "The platform's logs say more." if bad else ""
        detail = f"{part.state} {part.message}".strip()
        yield Finding(f"Part {part.name}", "failed" if bad else "ok", detail, hint)
