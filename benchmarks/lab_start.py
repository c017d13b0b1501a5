"""JupyterLab with our extension beside the same Lab without it: server start and page load.

"Without" keeps everything else: the server extension is switched off, and the page sees a folder
with all federated extensions but ours. A run is one server and one page in headless Chromium.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.figures import Figure, Sample, Target, compared, missing
from benchmarks.measuring import Watch, take_turns

NAME = "jupyter-dlsys"
MORE_SECONDS = 0.3
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
_ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
_LIMIT = 120
_POLL = 0.02


@dataclass
class Side:
    """Lab with or without the extension; `page` and `restored` are measured on the way."""

    folder: Path
    extension: bool
    page: list[Sample] = field(default_factory=list)
    restored: list[Sample] = field(default_factory=list)

    def once(self) -> Sample:
        """Seconds from the start of the process to the first answer of `/api/status`."""
        with Watch(self.folder) as watch, _server(self) as (url, token, began):
            headers = {"authorization": f"token {token}"}
            _first(f"{url}/api/status", headers)
            wall = time.perf_counter() - began
            html = _first(f"{url}/lab", headers)
            self.page.append(Sample(time.perf_counter() - began, wall, watch.cpu))
            _check(self.extension, html, _status(f"{url}/dlsys/local/status", headers))
            start = Sample(wall, wall, watch.cpu)
            if CHROMIUM:
                self.restored.append(_load_page(url, token, self.folder))
        return start


def run(quick: bool) -> list[Figure]:
    """Server start, Lab's page, and the restored application, with less without."""
    folder = Path(tempfile.mkdtemp(prefix="dlsys-bench-"))
    try:
        sides = [_prepare(folder / "with", True), _prepare(folder / "without", False)]
        for side in sides:  # bytecode, Chromium's files
            side.once()
            side.page.clear()
            side.restored.clear()
        starts = take_turns(2 if quick else 5, *(side.once for side in sides))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    limit = Target("difference", high=MORE_SECONDS)
    peer = "without"
    found = [
        compared("Lab: server answers", "s", starts, peer, limit),
        compared("Lab: server answers", "CPU s", _cpu(starts), peer, limit),
        compared("Lab: /lab loaded from start", "s", [s.page for s in sides], peer, limit),
    ]
    if not CHROMIUM:
        return [*found, missing("Lab: page restored", "there is no Chromium here")]
    restored = [side.restored for side in sides]
    return [
        *found,
        compared("Lab: page restored", "s", restored, peer, limit),
        compared("Lab: page restored, browser and server", "CPU s", _cpu(restored), peer, limit),
    ]


def _cpu(sides: list[list[Sample]]) -> list[list[Sample]]:
    """The same samples by their CPU seconds."""
    return [[Sample(s.cpu, s.wall, s.cpu) for s in samples] for samples in sides]


def _prepare(folder: Path, extension: bool) -> Side:
    """Configuration and extension folders of one side, private and complete."""
    for name in ("home", "config", "data", "runtime", "labextensions", "root"):
        (folder / name).mkdir(parents=True, mode=0o700)
    config = {"ServerApp": {"jpserver_extensions": {"jupyter_dlsys": extension}}}
    (folder / "config" / "jupyter_server_config.json").write_text(json.dumps(config))
    installed = Path(sys.prefix) / "share" / "jupyter" / "labextensions"
    if not (installed / NAME).exists():
        raise RuntimeError(f"{NAME} is not installed as a Lab extension: make install")
    for source in installed.iterdir():
        if extension or source.name != NAME:
            (folder / "labextensions" / source.name).symlink_to(source)
    return Side(folder, extension)


@contextmanager
def _server(side: Side) -> Iterator[tuple[str, str, float]]:
    """A Lab server of its own: URL, token, and when it was started."""
    folder, token = side.folder, secrets.token_hex(16)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}",
        "--ServerApp.port_retries=0", "--LabApp.expose_app_in_browser=True",
        "--LabApp.extension_manager=readonly",
        f"--ServerApp.root_dir={folder / 'root'}",
        f"--LabApp.labextensions_path={folder / 'labextensions'}",
    ]  # fmt: skip
    with (folder / "lab.log").open("ab") as log:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env=_environment(folder, token), start_new_session=True
        )
    try:
        yield f"http://127.0.0.1:{port}", token, began
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()
        _end_platform(folder / "home" / "dlsys")


def _environment(folder: Path, token: str) -> dict[str, str]:
    wanted = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "DLSYS_"))}
    return wanted | {
        "HOME": str(folder / "home"),
        "JUPYTER_TOKEN": token,
        "JUPYTER_CONFIG_PATH": str(folder / "config"),  # before the environment's own folders
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "DLSYS_HOME": str(folder / "home" / "dlsys"),
    }


def _end_platform(home: Path) -> None:
    """The page may have started a platform; it would stay until it is idle for long."""
    with contextlib.suppress(OSError, ValueError, KeyError, psutil.Error):
        platform = psutil.Process(json.loads((home / "platform.json").read_text())["pid"])
        platform.terminate()
        platform.wait(40)


def _first(url: str, headers: dict[str, str]) -> str:
    """Body of the first answer."""
    end = time.monotonic() + _LIMIT
    while True:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
                return str(answer.read().decode())
        except (urllib.error.URLError, ConnectionError):
            if time.monotonic() > end:
                raise
            time.sleep(_POLL)


def _status(url: str, headers: dict[str, str]) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def _check(extension: bool, html: str, status: int) -> None:
    """A side must be what it is called."""
    in_page, in_server = f'"name": "{NAME}"' in html, status != 404
    if in_page != extension or in_server != extension:
        raise RuntimeError(f"wanted {extension}, page has it: {in_page}, server: {in_server}")


def _load_page(url: str, token: str, folder: Path) -> Sample:
    """Seconds from the navigation until Lab has restored its workspace; a fresh browser.

    CPU is that of the browser and the server.
    """
    from playwright.sync_api import sync_playwright

    marked: dict[str, str | float | bool] = {**os.environ, "DLSYS_BENCHMARK": str(folder)}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_ARGUMENTS, env=marked)
        watch = Watch(folder)
        try:
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            with watch:
                began = time.perf_counter()
                page.goto(f"{url}/lab?reset&token={token}", wait_until="commit")
                page.wait_for_function("window.jupyterapp !== undefined", timeout=1000 * _LIMIT)
                page.evaluate("() => window.jupyterapp.restored.then(() => null)")
                wall = time.perf_counter() - began
        finally:
            browser.close()
    return Sample(wall, wall, watch.cpu)
