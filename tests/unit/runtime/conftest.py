"""Real attempts: the real supervisor, runner, papermill and ipykernel in temporary folders."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import jupyter_dlsys
from jupyter_dlsys.contract.spool import tail

PACKAGE = Path(jupyter_dlsys.__file__).parent
SUPERVISOR = PACKAGE / "runtime" / "supervisor"
RUNNER = [sys.executable, "-m", "jupyter_dlsys.runtime.runner"]


def wait_for(condition: Callable[[], Any], seconds: float = 15) -> Any:
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)
    return value


def alive(pid: int) -> bool:
    """Running, and no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


class Attempt:
    """An attempt directory, as the platform writes it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.own = folder, folder / "job"
        self.own.mkdir(exist_ok=True)
        self.process: subprocess.Popen[bytes] | None = None

    def spec(self, command: list[str], **more: Any) -> Attempt:
        env = {"PYTHONPATH": str(PACKAGE.parent), **more.pop("env", {})}
        spec = {"command": command, "env": env, "cwd": None, "timeout": None, "grace": 10, **more}
        (self.folder / "spec.json").write_text(json.dumps(spec))
        return self

    def shell(self, script: str, **more: Any) -> Attempt:
        return self.spec(["/bin/sh", "-c", script], **more)

    def notebook(self, *cells: str | dict[str, Any], **more: Any) -> Attempt:
        kernelspec = more.pop("kernelspec", {"name": "python3", "language": "python"})
        written = [c if isinstance(c, dict) else code(c) for c in cells]
        notebook = {
            "cells": written,
            "metadata": {"kernelspec": {"display_name": "x", **kernelspec}},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        return self.job("notebook", "nb.ipynb", json.dumps(notebook), **more)

    def script(self, text: str, **more: Any) -> Attempt:
        return self.job("script", "train.py", text, **more)

    def job(self, kind: str, name: str, text: str, **more: Any) -> Attempt:
        (self.own / "source").mkdir(exist_ok=True)
        (self.own / "source" / name).write_text(text)
        names = ("parameters", "kernel_name", "autosave_seconds", "inputs")
        job = {key: more.pop(key) for key in names if key in more}
        job |= {"kind": kind, "source": f"source/{name}", "grace": more.get("grace", 10)}
        (self.own / "job.json").write_text(json.dumps(job))
        return self.spec([*RUNNER, str(self.own)], **more)

    def launch(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-S", "-E", str(SUPERVISOR), str(self.folder)]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        return self.process

    def finish(self, seconds: float = 60) -> dict[str, Any]:
        """Wait for the supervisor; the verdict."""
        assert self.process is not None
        assert self.process.wait(seconds) == 0, self.read("log")
        return self.result()

    def run(self, seconds: float = 60) -> dict[str, Any]:
        self.launch()
        return self.finish(seconds)

    def result(self) -> dict[str, Any]:
        return dict(json.loads(self.read("result.json")))

    def read(self, name: str) -> str:
        return (self.folder / name).read_text()

    def number(self, name: str) -> int:
        """Process id that a script wrote, once it did."""
        path = self.folder / name
        return int(wait_for(lambda: path.exists() and path.read_text().strip()))

    def events(self, topic: str = "") -> list[dict[str, Any]]:
        found, offset = [], 0
        while True:
            events, now = tail(self.own / "events.jsonl", offset)
            if now == offset:
                return found
            offset = now
            found += [e["payload"] if topic else e for e in events if topic in ("", e["topic"])]

    def text(self, cell: int | None = None) -> str:
        """All that was printed, as it was streamed."""
        return "".join(
            e["output"]["text"]
            for e in self.events("job.output")
            if e.get("output", {}).get("output_type") == "stream" and cell in (None, e["cell"])
        )

    def executed(self) -> list[dict[str, Any]]:
        return list(json.loads(self.read("job/notebook.ipynb"))["cells"])


def code(source: str, *tags: str) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "id": f"c{abs(hash(source)) % 10**8}",
        "source": source,
        "metadata": {"tags": list(tags)} if tags else {},
        "outputs": [],
        "execution_count": None,
    }


@pytest.fixture
def attempt(tmp_path: Path) -> Iterator[Attempt]:
    folder = tmp_path / "job" / "1"
    folder.mkdir(parents=True, mode=0o700)
    attempt = Attempt(folder)
    yield attempt
    if attempt.process is not None and attempt.process.poll() is None:
        attempt.process.send_signal(signal.SIGKILL)
        attempt.process.wait()
    if (folder / "pgid").exists():
        with contextlib.suppress(ProcessLookupError):
            os.killpg(int((folder / "pgid").read_text().split()[0]), signal.SIGKILL)
