"""A real platform of a data folder, a real Jupyter server before it, and commands against it."""

from __future__ import annotations

import io
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import httpx

from jupyter_dlsys.cli.main import guarded
from jupyter_dlsys.client import embedded
from tests.support import ports


def end_platform(home: Path) -> None:
    """No process may be left behind."""
    found = embedded.read(home)
    if found is None or not embedded.alive(home):
        return
    os.kill(found.pid, signal.SIGTERM)
    assert embedded.wait_until_gone(home, 20), "the platform does not stop"


@dataclass
class Lab:
    """A running Jupyter server."""

    url: str
    token: str
    process: subprocess.Popen[bytes]

    def http(self) -> httpx.Client:
        """With the token, as a program would."""
        headers = {"Authorization": f"token {self.token}"}
        return httpx.Client(
            base_url=self.url, headers=headers, timeout=60, verify=False, trust_env=False
        )

    @contextmanager
    def browser(self) -> Iterator[httpx.Client]:
        """With cookies, as a page would: logged in, and holding an XSRF cookie."""
        with httpx.Client(base_url=self.url, timeout=60, verify=False, trust_env=False) as found:
            found.get("/login", params={"token": self.token}, follow_redirects=True)
            found.get("/login")
            yield found


def start_lab(environment: dict[str, str], folder: Path, *options: str) -> Lab:
    """A Jupyter server under a base URL, with token and XSRF on."""
    port = ports.free_port()
    token = secrets.token_hex(16)
    command = [
        sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root",
        f"--port={port}", "--ServerApp.port_retries=0", "--ServerApp.base_url=/x/",
        f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}",
        "--LabApp.extension_manager=readonly", *options,
    ]  # fmt: skip
    with (folder / "lab.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder)
    url = f"http://127.0.0.1:{port}/x"
    end = time.monotonic() + 120  # a loaded machine is slow
    while time.monotonic() < end:
        assert process.poll() is None, (folder / "lab.log").read_text()
        try:
            if (
                httpx.get(f"{url}/api/status", params={"token": token}, verify=False).status_code
                == 200
            ):
                return Lab(url, token, process)
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    process.kill()
    raise AssertionError((folder / "lab.log").read_text())


def run_cli(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """One `dlsys` command as in a process with this environment, but without its start."""
    out, err = io.StringIO(), io.StringIO()
    with (
        patch.dict(os.environ, environment, clear=True),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        status = guarded(arguments)
    return subprocess.CompletedProcess(arguments, status, out.getvalue(), err.getvalue())


def run_cli_process(
    environment: dict[str, str], *arguments: str
) -> subprocess.CompletedProcess[str]:
    """One `dlsys` command in a process of its own."""
    command = [sys.executable, "-c", "from jupyter_dlsys.cli.main import main; main()", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


def answer(done: subprocess.CompletedProcess[str]) -> object:
    """What a command with --json said."""
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
