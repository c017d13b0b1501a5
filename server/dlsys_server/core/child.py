"""A supervised child process: started, watched, restarted with back-off, ended with its group."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from jupyter_dlsys.contract.system import PartHealth, PartState

log = logging.getLogger(__name__)
STOP_SECONDS = 8.0


class Child:
    """Keeps one process alive until stopped.

    Args:
        name: shown in health and logs.
        command: argv, or a function that makes it at each start.
        env: the whole environment of the child.
        log_file: stdout and stderr go here.
        probe: resolves to True when the child answers.
        ready_seconds: how long a start may take.
        cwd: its working directory, else ours.
    """

    def __init__(
        self,
        name: str,
        command: Callable[[], list[str]],
        env: Callable[[], dict[str, str]],
        log_file: Path,
        probe: Callable[[], Awaitable[bool]],
        ready_seconds: float = 120,
        cwd: Path | None = None,
    ) -> None:
        self.name = name
        self._command, self._env, self._probe = command, env, probe
        self._log_file, self._ready_seconds, self._cwd = log_file, ready_seconds, cwd
        self.state: PartState = "off"
        self.message = ""
        self.process: subprocess.Popen[bytes] | None = None
        self._task: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()

    def start(self) -> None:
        """Start in the background; returns at once."""
        if self._task is None:
            self.state = "starting"
            self._task = asyncio.create_task(self._keep(), name=f"child-{self.name}")

    async def ready(self, timeout: float | None = None) -> bool:
        """True when it answers within `timeout` seconds."""
        try:
            await asyncio.wait_for(self._ready.wait(), timeout)
        except asyncio.TimeoutError:
            return False
        return True

    def health(self) -> PartHealth:
        """For /health."""
        return PartHealth(name=self.name, state=self.state, message=self.message)

    async def stop(self) -> None:
        """End it and everything it started."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        await self._end_process()
        self.state, self.message = "off", ""
        self._ready.clear()

    async def _keep(self) -> None:
        delay = 0.5
        while True:
            self._ready.clear()
            self._spawn()
            if await self._until_ready():
                self.state, self.message, delay = "ok", "", 0.5
                self._ready.set()
                await self._until_exit()
            code = self.process.returncode if self.process else None
            await self._end_process()
            self.state = "degraded" if delay < 8 else "failed"
            self.message = f"ended with code {code}; starting again in {delay:.0f} s"
            log.warning("child ended", extra={"child": self.name, "code": code})
            await asyncio.sleep(delay)
            delay = min(delay * 2, 30)

    def _spawn(self) -> None:
        self._log_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._log_file.open("ab") as out:
            options = {"stdin": subprocess.DEVNULL, "stdout": out, "stderr": out}
            self.process = subprocess.Popen(
                self._command(),
                env=self._env(),
                cwd=self._cwd,
                start_new_session=True,
                **{**options, **self._options()},
            )

    def _options(self) -> dict[str, Any]:
        """More for Popen, or other than above; for subclasses."""
        return {}

    async def _until_ready(self) -> bool:
        end = asyncio.get_running_loop().time() + self._ready_seconds
        while asyncio.get_running_loop().time() < end:
            if self.process is None or self.process.poll() is not None:
                return False
            with contextlib.suppress(Exception):
                if await self._probe():
                    return True
            await asyncio.sleep(0.1)
        return False

    async def _until_exit(self) -> None:
        while self.process is not None and self.process.poll() is None:
            await asyncio.sleep(0.5)

    async def _end_process(self) -> None:
        process = self.process
        if process is None:
            return
        _signal_group(process.pid, signal.SIGTERM)
        for _ in range(int(STOP_SECONDS / 0.05)):
            if process.poll() is not None:
                break
            await asyncio.sleep(0.05)
        _signal_group(process.pid, signal.SIGKILL)
        await asyncio.to_thread(process.wait)
        self.process = None


def _signal_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
