"""A real platform process on a data folder of its own, as a door would start it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

from tests.support.mlflow_databases import give_databases

START_SECONDS = 60
PROJECT = "/projects/default"


class RunningPlatform:
    """Starts, stops, kills `python -m dlsys_server`; `api` is an HTTP client of its owner."""

    def __init__(self, home: Path, **environment: str) -> None:
        self.home, self.environment = home, environment
        self.python = sys.executable
        self.popen: dict[str, Any] = {}
        self.process: subprocess.Popen[bytes] | None = None
        self.api = httpx.Client(verify=False)

    def start(self, wait_for_mlflow: bool = True) -> RunningPlatform:
        """Start it and wait until it answers."""
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / "platform.json").unlink(missing_ok=True)
        if not self.popen and "DLSYS_DATABASE_URL" not in self.environment:
            give_databases(self.home)
        with (self.home / "platform.log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.python, "-m", "dlsys_server", "--home", str(self.home)],
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self.popen,
            )
        self.wait(lambda: (self.home / "platform.json").exists(), "the platform to start")
        self.connect()
        if wait_for_mlflow:
            self.wait(lambda: self.part("mlflow") == "ok", "MLflow to start", 120)
        return self

    def connect(self) -> None:
        """Read where it is and make a client."""
        state = json.loads((self.home / "platform.json").read_text())
        self.url = str(state["url"])
        self.secret = (self.home / "secret").read_text()
        self.api.close()
        self.api = httpx.Client(
            transport=httpx.HTTPTransport(verify=False, uds=state["uds"]),
            base_url="http://dlsys/api/v1",
            headers={"Authorization": f"Bearer {self.secret}"},
            timeout=60,
        )

    def part(self, name: str) -> str:
        """State of a part, as /health tells it."""
        parts = self.api.get("/health").json()["parts"]
        return str(next(p["state"] for p in parts if p["name"] == name))

    def stop(self) -> None:
        """As `kill PID` does; waits for a clean end."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(40)
            self.process = None
        self.api.close()

    def kill(self) -> None:
        """kill -9, of this process only."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)
        self.process = None

    def wait(self, condition: Any, what: str, seconds: float = START_SECONDS) -> Any:
        """Until `condition()` is true; its value."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if found := condition():
                return found
            if self.process is not None and self.process.poll() is not None:
                break
            time.sleep(0.05)
        log = (self.home / "platform.log").read_text()[-3000:]
        raise AssertionError(f"waited for {what} in vain; the platform's log ends:\n{log}")

    # -- the verbs that tests use most

    def get(self, path: str, **params: Any) -> Any:
        """JSON of a project route."""
        answer = self.api.get(PROJECT + path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def submit(self, notebook: dict[str, Any] | str, name: str = "t.ipynb", **body: Any) -> Any:
        """Submit a notebook (dict) or script (text); the job."""
        content = notebook if isinstance(notebook, str) else json.dumps(notebook)
        answer = self.api.post(
            f"{PROJECT}/jobs", json={"source": {"path": name, "content": content}, **body}
        )
        assert answer.status_code == 201, answer.text
        return answer.json()

    def job(self, job_id: str) -> Any:
        """A job as it is now."""
        return self.get(f"/jobs/{job_id}")

    def wait_for(self, job_id: str, *states: str, seconds: float = 120) -> Any:
        """The job, once it is in one of the states (default: ended)."""
        wanted = states or ("succeeded", "failed", "cancelled", "lost", "skipped")

        def look() -> Any:
            job = self.job(job_id)
            return job if job["state"] in wanted else None

        return self.wait(look, f"job {job_id} to be {' or '.join(wanted)}", seconds)


def notebook(*cells: str, parameters: str = "", kernel: str = "python3") -> dict[str, Any]:
    """A notebook of code cells; `parameters` becomes the first one, tagged."""
    sources = ([(parameters, ["parameters"])] if parameters else []) + [(c, []) for c in cells]
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {
            "kernelspec": {"name": kernel, "display_name": "Python 3", "language": "python"},
            "language_info": {"name": "python"},
        },
        "cells": [
            {
                "cell_type": "code",
                "id": f"cell{index}",
                "metadata": {"tags": tags},
                "source": source,
                "outputs": [],
                "execution_count": None,
            }
            for index, (source, tags) in enumerate(sources)
        ],
    }
