"""A job that runs as another account: the launcher starts it, this supervisor watches it from here.

See `jupyter_dlsys/runtime/launcher`. The line to the job's keeper is the supervisor's: when the
supervisor dies, the keeper ends the job.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
from typing import Any

from .processes import KILL_WAIT_S, Tree

START_S = 30.0
DISK_S = 5.0


class Refused(Exception):
    """The launcher would not start it; the words say why."""


class Remote(Tree):
    """The job's first process and all that came from it, by its keeper."""

    def __init__(self, connection: socket.socket) -> None:
        super().__init__(0)
        self.connection = connection
        self.keeper = 0
        self.memory: str | None = None
        self.processes: str | None = None
        self.over: dict[str, bool] = {}
        self._disk = 0
        self._ended = False
        self._read = b""

    def begin(self, request: dict[str, Any], log: int) -> None:
        """Have it started.

        Raises:
            Refused: with the launcher's words.
        """
        line = json.dumps(request).encode() + b"\n"
        self.connection.settimeout(START_S)
        sent = socket.send_fds(self.connection, [line], [log])
        self.connection.sendall(line[sent:])
        self.connection.settimeout(None)
        answer = self._answer(START_S)
        if answer is None or "error" in answer:
            raise Refused((answer or {}).get("error") or "The launcher did not answer")
        self.keeper, self.main = answer["keeper"], answer["pid"]
        self.memory, self.processes = answer["memory"], answer["processes"]

    def reap(self) -> bool:
        """Hear what has ended; False when no process is left."""
        while not self._ended and self._answer(0) is not None:
            pass
        return not self._ended

    def terminate(self, number: int = signal.SIGTERM) -> None:
        """Ask the first process's group."""
        self._ask(b"I" if number == signal.SIGINT else b"T")

    def kill(self) -> None:
        """End everything; the keeper says when that is done."""
        if not self._ended:
            self._ask(b"K")
        while not self._ended and self._answer(KILL_WAIT_S * 2) is not None:
            pass
        self.connection.close()
        self._ended = True

    def disk(self) -> int:
        """Bytes on the disk below the job's own folder, which only its account may see all of."""
        self._ask(b"D")
        self._answer(DISK_S)
        return self._disk

    def _ask(self, verb: bytes) -> None:
        with contextlib.suppress(OSError):
            self.connection.sendall(verb)

    def _answer(self, seconds: float) -> dict[str, Any] | None:
        """The next line, and what it changes; None when none came."""
        while b"\n" not in self._read:
            if not select.select([self.connection], [], [], seconds)[0]:
                return None
            part = b""
            with contextlib.suppress(OSError):
                part = self.connection.recv(1 << 16)
            if not part:
                self._ended = True
                return None
            self._read += part
        line, _, self._read = self._read.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        self._disk = answer.get("disk", self._disk)
        if "exit" in answer:
            self.exit_code, self.over, self._ended = answer["exit"], answer["over"], True
        return answer


def start(spec: Any, why_cold: str, env: dict[str, str]) -> Remote:
    """The job of this attempt, started by the launcher.

    Raises:
        Refused, OSError: it was not.
    """
    about = spec["launcher"]
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(about["socket"])
    tree = Remote(connection)
    request = {
        "verb": "start",
        "job": about["job"],
        "attempt": about["attempt"],
        "user": about["user"],
        "env": {**env, "DLSYS_WHY_COLD": why_cold},
        "limits": spec.get("limits") or {},
    }
    log = os.open("log", os.O_WRONLY | os.O_APPEND)
    try:
        tree.begin(request, log)
    finally:
        os.close(log)
    return tree
