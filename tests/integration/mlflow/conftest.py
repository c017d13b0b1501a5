from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.ports import free_port

HOST = Path(__file__).with_name("host.py")
ROOT = HOST.parents[3]


@dataclass
class Host:
    """The running host and calls to it in the name of its people."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def state(self) -> dict[str, Any]:
        answer: dict[str, Any] = httpx.get(f"{self.url}/state", verify=False).json()
        return answer

    def call(self, who: str | None, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {**({"authorization": f"Bearer {who}"} if who else {}), **more.pop("headers", {})}
        return httpx.request(
            method, f"{self.url}/mlflow/{path}", headers=headers, timeout=60, verify=False, **more
        )

    def api(self, who: str | None, method: str, call: str, **more: Any) -> httpx.Response:
        return self.call(who, method, f"api/2.0/mlflow/{call}", **more)

    def new_run(self, name: str) -> str:
        """A run of alice in the experiment "intents" of ws-a, as the platform makes a job's."""
        run_id: str = httpx.post(f"{self.url}/run", params={"name": name}, verify=False).json()[
            "run_id"
        ]
        return run_id

    def run(self, run_id: str) -> dict[str, Any]:
        answer = self.api("alice", "GET", "runs/get", params={"run_id": run_id})
        assert answer.status_code == 200, answer.text
        run: dict[str, Any] = answer.json()["run"]
        return run

    def program(self, source: str, token: str, **variables: str) -> str:
        """Run a Python program with the stock MLflow client; gives what it printed."""
        env = {
            **os.environ,
            "MLFLOW_TRACKING_URI": f"{self.url}/mlflow",
            "MLFLOW_TRACKING_TOKEN": token,
            **variables,
        }
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", source],
            env=env, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    def wait(self, condition: Callable[[dict[str, Any]], bool], seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not condition(self.state()):
            assert time.monotonic() < end, self.state()
            time.sleep(0.2)

    def wait_ready(self) -> None:
        self.wait(lambda state: state["state"] == "ok")


def begin(folder: Path) -> Host:
    port = free_port()
    env = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'server'}"}
    with (folder / "host.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, str(HOST), str(folder), str(port)], env=env, stdout=log, stderr=log
        )
    end = time.monotonic() + 30
    while True:
        try:
            httpx.get(f"http://127.0.0.1:{port}/state", verify=False)
            return Host(folder, port, process)
        except httpx.TransportError:
            assert process.poll() is None, (folder / "host.log").read_text()
            assert time.monotonic() < end
            time.sleep(0.05)


def finish(host: Host) -> None:
    host.process.send_signal(signal.SIGTERM)
    try:
        host.process.wait(20)
    except subprocess.TimeoutExpired:
        host.process.kill()
        host.process.wait()
        raise


@pytest.fixture(scope="package")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    running = begin(tmp_path_factory.mktemp("mlflow"))
    running.wait_ready()
    yield running
    finish(running)
