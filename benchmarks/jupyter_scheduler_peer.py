"""A Jupyter server with jupyter-scheduler, of the same Python environment as ours.

The package goes into a folder of its own that only this server looks into (`PYTHONPATH`); what it
needs beside that is installed with JupyterLab already.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

from benchmarks.spending import Purse

PACKAGES = ("jupyter_scheduler==2.12.1", "croniter==1.4.1", "pytz==2024.2")
LOOK_SECONDS = 0.1
_START_SECONDS = 90
_JOB_SECONDS = 300


class JupyterScheduler:
    """Starts and stops the server; `run` is one job of it, over its REST API."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "root"
        self.root.mkdir(parents=True)
        self.purse = Purse(folder)
        self._process: subprocess.Popen[bytes] | None = None
        self._port, token = _free_port(), secrets.token_hex(16)
        self._environment = {
            **os.environ,
            **self.purse.environment,
            "PYTHONPATH": str(folder / "packages"),
            "JUPYTER_TOKEN": token,
            "JUPYTER_CONFIG_DIR": str(folder / "config"),
            "JUPYTER_DATA_DIR": str(folder / "data"),
            "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        }
        self.api = httpx.Client(
            base_url=f"http://127.0.0.1:{self._port}",
            headers={"Authorization": f"token {token}"},
            timeout=60,
        )
        self._kind = ""

    def start(self) -> JupyterScheduler:
        """Install, start, wait until it answers."""
        _install(self.folder / "packages")
        extensions = {"jupyter_scheduler": True, "jupyter_dlsys": False, "jupyterlab": False}
        options = {
            "ServerApp.port": self._port,
            "ServerApp.open_browser": False,
            "ServerApp.allow_root": True,
            "ServerApp.root_dir": self.root,
            "ServerApp.jpserver_extensions": extensions,
            "SchedulerApp.db_url": f"sqlite:///{self.folder / 'scheduler.sqlite'}",
        }
        command = [self.purse.python, "-m", "jupyter", "server"]
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *(f"--{name}={value}" for name, value in options.items())],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._kind = self._wait()
        return self

    def _wait(self) -> str:
        """The name of its environment, once it answers."""
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end and self._process and self._process.poll() is None:
            try:
                answer = self.api.get("/scheduler/runtime_environments")
            except httpx.TransportError:
                time.sleep(LOOK_SECONDS)
                continue
            if answer.status_code == 200:
                return str(answer.json()[0]["name"])
            time.sleep(LOOK_SECONDS)
        raise RuntimeError((self.folder / "server.log").read_text()[-1500:])

    def run(self, notebook: dict[str, Any]) -> None:
        """Put the notebook into its folder, create a job, poll until it is done."""
        (self.root / "bench.ipynb").write_text(json.dumps(notebook))
        body = {
            "name": "bench",
            "input_uri": "bench.ipynb",
            "runtime_environment_name": self._kind,
            "output_formats": ["ipynb"],
        }
        answer = self.api.post("/scheduler/jobs", json=body).raise_for_status()
        path = f"/scheduler/jobs/{answer.json()['job_id']}"
        end = time.monotonic() + _JOB_SECONDS
        while (found := self.api.get(path).json())["status"] not in ("COMPLETED", "FAILED"):
            if time.monotonic() > end:
                raise RuntimeError(f"its job is still {found['status']}")
            time.sleep(LOOK_SECONDS)
        if found["status"] != "COMPLETED":
            raise RuntimeError(f"its job has failed: {found.get('status_message', '')[-300:]}")

    def stop(self) -> None:
        """As Ctrl-C does, answered with yes."""
        self.api.close()
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        self.purse.close()


def _install(target: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target),
         "--disable-pip-version-check", *PACKAGES],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"jupyter-scheduler cannot be installed: {done.stderr.strip()[-300:]}")


def _free_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])
