"""Runs a `.py` file as a job: one pseudo cell 0, its text as log events."""

from __future__ import annotations

import codecs
import json
import os
import re
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import IO, Any, Protocol

from .events import BATCH_SECONDS, Spool
from .job import Job, JobError
from .supervisor import endings
from .supervisor.processes import die_with_parent

LOG_CAP = 64_000_000  # bytes copied to the attempt's log
TAIL = 16_384  # characters of stderr kept for the error
LAST_LINE = re.compile(r"^([A-Za-z_][\w.]*)(?:: (.*))?$", re.DOTALL)


def arguments(parameters: dict[str, Any]) -> list[str]:
    """`--key=value`; what is no text is written as JSON (`--on=true`, `--sizes=[1, 2]`)."""
    return [
        f"--{key}={value if isinstance(value, str) else json.dumps(value)}"
        for key, value in parameters.items()
    ]


class Process(Protocol):
    """What is needed of a started script."""

    @property
    def stdout(self) -> IO[bytes] | None: ...

    @property
    def stderr(self) -> IO[bytes] | None: ...

    def poll(self) -> int | None: ...

    def wait(self) -> int: ...


def start(job: Job, environment: dict[str, str]) -> Process:
    """A fork of this process where that has the libraries already, else a new one."""
    env = {**environment, "DLSYS_PARAMETERS": json.dumps(job.parameters), "PYTHONUNBUFFERED": "1"}
    if job.start.get("mode") == "forked":
        from .warm_script import fork

        return fork(job.source_path, arguments(job.parameters), job.work, env)
    parent = os.getpid()

    def in_child() -> None:
        die_with_parent(parent)

    return subprocess.Popen(
        [sys.executable, str(job.source_path), *arguments(job.parameters)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=job.work,
        env=env,
        preexec_fn=in_child,
    )


def chunks(process: Process) -> Iterator[tuple[str, bytes]]:
    """(stream, bytes) as they come; ("", b"") when nothing came for a while.  Ends when both
    pipes are closed, or a moment after the script ended (a child may hold them open)."""
    streams: list[tuple[str, IO[bytes] | None]] = [
        ("stdout", process.stdout),
        ("stderr", process.stderr),
    ]
    ended = 0
    with selectors.DefaultSelector() as selector:
        for name, pipe in streams:
            assert pipe is not None
            selector.register(pipe, selectors.EVENT_READ, name)
        while selector.get_map():
            ready = selector.select(BATCH_SECONDS)
            for key, _ in ready:
                if data := os.read(key.fd, 1 << 16):
                    yield key.data, data
                else:
                    selector.unregister(key.fileobj)
            if not ready:
                yield "", b""
                ended += process.poll() is not None
                if ended > 5:
                    return


def run_script(job: Job, spool: Spool, environment: dict[str, str]) -> int:
    """Raises JobError when the script fails."""
    # the group gets the signal, so the script has it; we stay until it has ended
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    spool.started(job.start.get("mode", "cold"), job.start.get("reason", ""))
    spool.phase("running")
    spool.progress(0, 1)
    spool.cell_start(0, job.source_path.read_text(errors="replace"))
    began = time.monotonic()
    process = start(job, environment)
    decoders = {n: codecs.getincrementaldecoder("utf-8")("replace") for n in ("stdout", "stderr")}
    copies = {"stdout": 1, "stderr": 2}
    room = LOG_CAP
    errors = ""
    for name, data in chunks(process):
        if name:
            text = decoders[name].decode(data)
            spool.log(name, text)
            if room > 0:
                os.write(copies[name], data)
                room -= len(data)
            if name == "stderr":
                errors = (errors + text)[-TAIL:]
        if spool.waiting and spool.overdue() <= 0:
            spool.flush()
    code = process.wait()
    spool.cell_end(0, code == 0, time.monotonic() - began)
    if code:
        raise failure(job, spool, code, errors)
    spool.progress(1, 1)
    return 0


def failure(job: Job, spool: Spool, code: int, errors: str) -> JobError:
    lines = errors.strip().splitlines()
    match = LAST_LINE.match(lines[-1]) if lines and "Traceback (most recent" in errors else None
    name = job.source_path.name
    if match:
        ename, evalue = match.group(1), match.group(2) or ""
        message = f"{name} failed: {lines[-1]}"
    elif code < 0:
        ename, evalue = "Killed", f"signal {-code}"
        message = f"{name} was killed by signal {-code}"
        message += " (probably out of memory)" if code == -signal.SIGKILL else ""
    else:
        ename, evalue = "SystemExit", str(code)
        message = f"{name} ended with exit code {code}" + (f": {lines[-1]}" if lines else "")
    spool.error(0, ename, evalue, lines)
    return JobError(
        message,
        ename=ename,
        evalue=evalue,
        cell=0,
        reason=endings.reason(code) if code < 0 and not match else "user-error",
        exit_code=code if code > 0 else 128 - code,
    )
