"""A script in a process forked from the runner, which has the heavy libraries imported already."""

from __future__ import annotations

import atexit
import io
import os
import runpy
import signal
import sys
import threading
import traceback
from pathlib import Path
from types import TracebackType
from typing import IO

from .supervisor.processes import die_with_parent
from .warm_kernel import reseed, use_threads


class ForkedScript:
    """Like the `subprocess.Popen` of a script: two pipes, poll and wait."""

    def __init__(self, pid: int, stdout: IO[bytes], stderr: IO[bytes]) -> None:
        self.pid, self.stdout, self.stderr = pid, stdout, stderr
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Exit status, or None while it runs."""
        return self._collect(os.WNOHANG)

    def wait(self) -> int:
        """Exit status, once it has ended."""
        code = self._collect(0)
        assert code is not None
        return code

    def _collect(self, options: int) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, options)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode


def fork(source: Path, arguments: list[str], cwd: Path, env: dict[str, str]) -> ForkedScript:
    """Start it.  The caller has one thread."""
    out_r, out_w = os.pipe()
    err_r, err_w = os.pipe()
    me = os.getpid()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            die_with_parent(me)
            _streams(out_w, err_w)
            for descriptor in (out_r, out_w, err_r, err_w):
                os.close(descriptor)
            os.chdir(cwd)
            os.environ.update(env)
            code = _run(source, arguments)
        finally:
            os._exit(code)
    os.close(out_w)
    os.close(err_w)
    return ForkedScript(pid, os.fdopen(out_r, "rb", 0), os.fdopen(err_r, "rb", 0))


def _streams(out: int, err: int) -> None:
    null = os.open(os.devnull, os.O_RDONLY)
    for target, descriptor in ((0, null), (1, out), (2, err)):
        os.dup2(descriptor, target)
    os.close(null)
    sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False))
    sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), "utf-8", write_through=True)
    sys.stderr = io.TextIOWrapper(
        io.FileIO(2, "w", closefd=False), "utf-8", "backslashreplace", write_through=True
    )


def _run(source: Path, arguments: list[str]) -> int:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    reseed()
    use_threads(int(os.environ.get("OMP_NUM_THREADS") or 0))
    sys.argv = [str(source), *arguments]
    sys.path.insert(0, str(source.parent))
    code = 0
    try:
        runpy.run_path(str(source), run_name="__main__")
    except SystemExit as end:
        code = _status(end)
    except BaseException as error:  # noqa: BLE001  (as the interpreter does)
        traceback.print_exception(type(error), error, _own_frames(error.__traceback__, source))
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]  # what the interpreter does at its end
    atexit._run_exitfuncs()
    return code


def _status(end: SystemExit) -> int:
    if end.code is None:
        return 0
    if isinstance(end.code, int):
        return end.code & 0xFF
    sys.stderr.write(f"{end.code}\n")
    return 1


def _own_frames(found: TracebackType | None, source: Path) -> TracebackType | None:
    """The traceback from the script on, without what ran it."""
    first = found
    while first is not None and first.tb_frame.f_code.co_filename != str(source):
        first = first.tb_next
    return first or found
