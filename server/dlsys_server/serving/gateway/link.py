"""One worker process and the channel to it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections import deque
from collections.abc import Callable
from pathlib import Path

import dlsys_server
from dlsys_server.serving.worker import frames
from jupyter_dlsys.contract import encoding

_log = logging.getLogger(__name__)
_GRACE = 2.0
SCRATCH_PREFIX = "dlsys-worker-"
Handler = Callable[[frames.Header, bytes], None]


class WorkerLink(asyncio.Protocol):
    """Speaks frames with a worker. `on_message` gets each frame; `closed` is done at end of
    file.
    """

    def __init__(self, scratch: Path) -> None:
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.on_message: Handler = _ignore
        self.process: asyncio.subprocess.Process | None = None
        self.tail: deque[str] = deque(maxlen=40)
        self._reader = frames.FrameReader()
        self._transport: asyncio.Transport | None = None
        self._scratch = scratch
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    async def start(cls, home: Path, threads: int) -> WorkerLink:
        """Start a worker that has nothing loaded yet. `home` is the gateway's folder."""
        ours, theirs = socket.socketpair()
        scratch = Path(tempfile.mkdtemp(prefix=scratch_prefix(home)))
        link = cls(scratch)
        loop = asyncio.get_running_loop()
        try:
            ours.setblocking(False)
            fd = theirs.fileno()
            command = ["-m", "dlsys_server.serving.worker", "--fd", str(fd)]
            link.process = await asyncio.create_subprocess_exec(
                sys.executable, *command, "--parent", str(os.getpid()),
                pass_fds=(fd,), env=_environment(scratch, threads), cwd=scratch,
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
            await loop.create_unix_connection(lambda: link, sock=ours)
        except BaseException:
            ours.close()
            shutil.rmtree(scratch, ignore_errors=True)
            raise
        finally:
            theirs.close()
        link._tasks = [loop.create_task(link._read_output()), loop.create_task(link._reap())]
        return link

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process else None

    def send(self, header: frames.Header, blob: bytes = b"") -> None:
        """Send a frame; a dead worker shows as `closed`, not here."""
        if self._transport and not self._transport.is_closing():
            self._transport.write(frames.pack(header, blob))

    def kill(self) -> None:
        """End the worker and what it started, now."""
        if self.process and self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)

    async def stop(self) -> None:
        """Close the channel, which ends the worker; kill it if that takes too long."""
        if self._transport:
            self._transport.close()
        if self.process and self.process.returncode is None:
            try:
                await asyncio.wait_for(asyncio.shield(self._tasks[1]), _GRACE)
            except asyncio.TimeoutError:
                self.kill()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def explain(self) -> str:
        """How the process ended, with its last words; waits for its end."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        code = self.process.returncode if self.process else None
        if code is not None and code < 0:
            with contextlib.suppress(ValueError):
                return f"the worker was ended by {signal.Signals(-code).name}{self._last_words()}"
        return f"the worker ended with status {code}{self._last_words()}"

    def _last_words(self) -> str:
        return f": {self.tail[-1]}" if self.tail else ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        try:
            messages = self._reader.feed(data)
        except frames.BadFrame:
            _log.exception("worker %s sent nonsense", self.pid)
            self.kill()
            return
        for header, blob in messages:
            self.on_message(header, blob)

    def connection_lost(self, exc: Exception | None) -> None:
        # The process may live on without its channel; it must not. First let it end by itself,
        # so that
        # its exit status tells why.
        asyncio.get_running_loop().call_later(_GRACE, self.kill)
        if not self.closed.done():
            self.closed.set_result(None)

    async def _read_output(self) -> None:
        assert self.process
        assert self.process.stdout
        with contextlib.suppress(ValueError, OSError):
            while chunk := await self.process.stdout.read(65536):
                lines = chunk.decode(errors="replace").splitlines()
                self.tail.extend(line[:500] for line in lines[-40:] if line.strip())

    async def _reap(self) -> None:
        assert self.process
        await self.process.wait()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)  # what it may have started
        await asyncio.to_thread(shutil.rmtree, self._scratch, ignore_errors=True)


def _ignore(header: frames.Header, blob: bytes) -> None:
    """Nobody listens yet."""


def scratch_prefix(home: Path) -> str:
    """Prefix of this gateway's scratch folders, so that a new one can remove what a killed one
    left.
    """
    stat = home.stat()
    return f"{SCRATCH_PREFIX}{os.getuid()}-{stat.st_dev:x}-{stat.st_ino:x}-"


def remove_left_scratch(home: Path) -> None:
    """Remove scratch folders of a gateway that was killed; only with the gateway's lock held."""
    for path in Path(tempfile.gettempdir()).glob(scratch_prefix(home) + "*"):
        shutil.rmtree(path, ignore_errors=True)


def _environment(scratch: Path, threads: int) -> dict[str, str]:
    """Nothing of ours: no tokens, no DLSYS_*, no registry."""
    roots = {
        str(Path(str(dlsys_server.__file__)).parents[1]),
        str(Path(str(encoding.__file__)).parents[2]),
    }
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": str(threads),
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "PYTHONPATH": os.pathsep.join(sorted(roots)),
        "PYTHONSAFEPATH": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
