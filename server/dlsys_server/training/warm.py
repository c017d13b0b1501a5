"""The platform's side of warm start: keeps a zygote, asks it for jobs, says why a job goes cold.

See `jupyter_dlsys/runtime/zygote.py`. It is started when a job is in sight (somebody looks at a
notebook, submits, or jobs have run here before) and ended when none has run for a while.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import socket
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dlsys_server.core.child import Child
from dlsys_server.core.settings import Settings
from jupyter_dlsys.contract.system import PartHealth
from jupyter_dlsys.contract.system import Warm as WarmInfo
from jupyter_dlsys.contract.variables import needs_fresh_process

from .environment import inherited_environment
from .tables import JobRow

log = logging.getLogger(__name__)
ANSWER_SECONDS = 2.0
LOOK_SECONDS = 10.0
COOKIE = "DLSYS_ATTEMPT_COOKIE"
IMPORT_ENVIRONMENT = {
    # read once, when the libraries load
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ASYNC_LOGGING": "false",
    COOKIE: "0" * 32,  # the place for it; see chain.take_environment
}


class Warm:
    """Keeps a zygote of the platform's own Python environment."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.wanted = settings.warm and settings.launcher == "platform"
        self.folder = settings.home / "zygote"
        self._child = Child(
            "warm start",
            self._command,
            self._environment,
            settings.home / "logs" / "zygote.log",
            self._answers,
            cwd=self.folder,  # `python -m` imports from there first
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._used = 0.0
        self._packages = 0.0
        self.elsewhere: Callable[[], None] = lambda: None
        """Tells the process that keeps the zygote, when this is another one."""

    # -- life

    async def start(self, wanted: bool) -> None:
        """Be ready to start; start now when `wanted`."""
        self._loop = asyncio.get_running_loop()
        self._watcher = asyncio.create_task(self._watch())
        if wanted:
            self.want()

    async def stop(self) -> None:
        """End the zygote; jobs go on."""
        if self._watcher is not None:
            self._watcher.cancel()
        await self._child.stop()

    def want(self) -> None:
        """A job is in sight: have a zygote soon. Callable from any thread."""
        self._used = time.monotonic()
        if self._loop is None:
            self.elsewhere()
        elif self.wanted and self._child.state == "off":
            self._loop.call_soon_threadsafe(self._begin)

    def _begin(self) -> None:
        if self._child.state == "off":
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._packages = _packages_changed()
            self._child.start()

    async def _watch(self) -> None:
        """End it when unused, start it anew when packages were installed."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self._child.state == "off":
                continue
            idle = self.settings.warm_idle_seconds
            if idle and time.monotonic() - self._used > idle:
                await self._child.stop()
            elif _packages_changed() != self._packages:
                log.info("packages changed: a new zygote")
                await self._child.stop()
                self._begin()

    def _command(self) -> list[str]:
        return [
            *(sys.executable, "-m", "jupyter_dlsys.runtime.zygote"),
            *("--socket", str(self._socket)),
            *("--imports", self.settings.warm_imports),
            *("--parent", str(os.getpid())),
        ]

    def _environment(self) -> dict[str, str]:
        return {**inherited_environment(), **IMPORT_ENVIRONMENT}

    @property
    def _socket(self) -> Path:
        return self.folder / "zygote.sock"

    async def _answers(self) -> bool:
        return await asyncio.to_thread(self._ask, {"op": "status"}) is not None

    # -- use

    def why_cold(self, job: JobRow) -> str:
        """Why this job cannot be forked; '' when it can."""
        if job.cold:
            return "A cold start was asked for."
        if variable := needs_fresh_process(job.variables):
            return f"It sets {variable}, which libraries read when they are imported."
        if job.gpu_share < 1:
            return "It shares a GPU; its part is read when torch is imported."
        if self.settings.sandbox != "off":
            return "It runs in a sandbox, which needs a new process."
        if not self.settings.warm:
            return "Warm start is switched off here (DLSYS_WARM)."
        if self._child.state != "ok":
            return "The warm process was not ready yet."
        if _packages_changed() != self._packages:
            return "Packages were installed since the warm process started; it is started anew."
        return ""

    def launch(self, job: JobRow, folder: Path) -> str:
        """Give an attempt folder to the zygote; '' when it has it, else why it must start cold."""
        self._used = time.monotonic()
        if why := self.why_cold(job):
            self.want()
            return why
        request = {"op": "launch", "folder": str(folder), "kernel": job.kind == "notebook"}
        return "" if self._ask(request) else "The warm process did not answer."

    def _ask(self, request: dict[str, Any]) -> dict[str, Any] | None:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(ANSWER_SECONDS)
                _connect_near(connection, self._socket)
                connection.sendall(json.dumps(request).encode() + b"\n")
                with connection.makefile("rb") as file:
                    answer = json.loads(file.readline() or b"null")
        except (OSError, ValueError):
            return None
        return answer if isinstance(answer, dict) else None

    def health(self) -> PartHealth:
        """For /health."""
        return self._child.health()

    def info(self) -> WarmInfo:
        """For the worker's page and /health."""
        health = self._child.health()
        if health.state != "ok":
            words = {"off": "Starts with the next look at a notebook or job."}
            message = health.message or words.get(health.state, "")
            if not self.wanted:
                message = "Switched off (DLSYS_WARM)."
            if self.settings.launcher != "platform":
                message = "Not for jobs of other accounts: a fork would have the platform's rights."
            return WarmInfo(state=health.state, message=message)
        answer = self._ask({"op": "status"}) or {}
        return WarmInfo(
            state="ok",
            imports=answer.get("imports", []),
            parked=answer.get("parked", 0),
            memory_bytes=sum(map(_proportional, answer.get("pids", []))) or None,
        )


def _connect_near(connection: socket.socket, path: Path) -> None:
    """Connect, also where the path is longer than the 107 bytes that a unix socket may have."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        connection.connect(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)


def _packages_changed() -> float:
    """When packages were last installed or removed."""
    paths = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    changed = 0.0
    for path in paths:
        with contextlib.suppress(OSError):
            changed = max(changed, os.stat(path).st_mtime)
    return changed


def _proportional(pid: int) -> int:
    """Bytes, shared pages divided among their users."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0
