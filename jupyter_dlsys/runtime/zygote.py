"""The zygote: imports the heavy libraries once, and forks jobs.  Linux only.

    python -m jupyter_dlsys.runtime.zygote --socket PATH --imports numpy,torch --parent PID

One job is a chain of three new processes: supervisor, runner, kernel, each forked by the one before
it while that has a single thread.  One chain waits ("parked") with its kernel initialised.  A
request is one JSON line on the unix socket, so is the answer:

    {"op": "launch", "folder": A, "kernel": true} -> {"mode": "parked" | "forked"}
    {"op": "status"} -> {"imports": [..], "parked": 0 | 1, "pids": [..], "cuda": false}

It only imports.  A tensor operation, an open client or CUDA here could leave a thread or a lock
behind that deadlocks every child, so it checks itself before each fork and ends when it finds one.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import tempfile
import time
import warnings
import weakref
from dataclasses import dataclass
from typing import Any

from .supervisor.limits import be_nice
from .supervisor.processes import PR_SET_PDEATHSIG, prctl

# jsonschema then skips its IRI checker, which takes over a second to import
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

OURS = (
    "papermill",
    "nbclient",
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "ipykernel.debugger",
    "IPython.core.interactiveshell",
    "matplotlib_inline.backend_inline",
    "jupyter_dlsys.runtime.notebook",
    "jupyter_dlsys.runtime.script",
    "jupyter_dlsys.runtime.chain",
)
STARTS_THREADS = ("polars",)  # by being imported: others that try to import it must do without
ONLY_FOR_IMPORT = ("OPENBLAS_NUM_THREADS",)
PARK_AFTER_S = 0.3  # let the job that was just started have the processors
LOOK_S = 1.0
REQUEST_S = 2.0
MAX_REQUEST = 65536


def load(names: list[str]) -> list[str]:
    """Import what is installed; the names that are there now."""
    found = []
    absent: dict[str, Any] = dict.fromkeys(STARTS_THREADS)
    sys.modules.update(absent)
    for name in (*OURS, *names):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                importlib.import_module(name)
            except ImportError as error:
                if name in OURS:
                    raise
                say(f"{name} is not imported: {error}")
                continue
        if name in names:
            found.append(name)
    for name in STARTS_THREADS:
        del sys.modules[name]
    for name in ONLY_FOR_IMPORT:
        os.environ.pop(name, None)
    return found


def rehearse() -> None:
    """Do once what each job does first, for the sake of what it caches."""
    import nbformat
    from jupyter_client.kernelspec import KernelSpecManager
    from papermill.iorw import load_notebook_node

    notebook = nbformat.v4.new_notebook(  # type: ignore[no-untyped-call]
        cells=[nbformat.v4.new_code_cell("a = 1", metadata={"tags": ["parameters"]})],  # type: ignore[no-untyped-call]
        metadata={"kernelspec": {"name": "python3", "language": "python", "display_name": ""}},
    )
    text = nbformat.writes(notebook)  # type: ignore[no-untyped-call]
    with tempfile.NamedTemporaryFile("w", suffix=".ipynb") as file:
        file.write(text)
        file.flush()
        load_notebook_node(file.name)
    KernelSpecManager().get_all_specs()


def forget_finalizers() -> None:
    """What libraries clean up at the end of a process is the zygote's to do, not its children's."""
    for finalizer in list(weakref.finalize._registry):  # type: ignore[attr-defined]
        finalizer.atexit = False


def unsafe() -> str:
    """Why a fork would not be safe; '' when it is."""
    tasks = os.listdir("/proc/self/task")
    if len(tasks) > 1:
        names = []
        for task in tasks:
            with contextlib.suppress(OSError), open(f"/proc/self/task/{task}/comm") as f:
                names.append(f.read().strip())
        return f"{len(tasks)} threads after the imports: {', '.join(names)}"
    return "CUDA is initialised" if cuda() else ""


def cuda() -> bool:
    """Whether somebody initialised CUDA."""
    torch = sys.modules.get("torch")
    return bool(torch is not None and torch.cuda.is_initialized())


def say(text: str) -> None:
    sys.stderr.write(f"zygote: {text}\n")
    sys.stderr.flush()


@dataclass
class Waiting:
    """A chain that waits for its job."""

    supervisor: int
    door: socket.socket
    ready_fd: int
    ready: bool = False

    def close(self) -> None:
        self.door.close()
        os.close(self.ready_fd)


class Zygote:
    """Listens, forks, reaps."""

    def __init__(self, path: str, imports: list[str], parent: int) -> None:
        self.path, self.imports, self.parent = path, imports, parent
        self.listener = socket.socket(socket.AF_UNIX)
        self.parked: Waiting | None = None
        self.park_at = 0.0
        self.ending = False

    def serve(self) -> None:
        """Until SIGTERM, the end of the platform, or an unsafe state."""
        new = "zygote.new"  # short, and whoever finds the final path can connect
        os.chdir(os.path.dirname(self.path))
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new)
        self.listener.bind(new)
        os.chmod(new, 0o600)
        self.listener.listen(64)
        os.rename(new, self.path)
        signal.signal(signal.SIGTERM, lambda *_: setattr(self, "ending", True))
        signal.signal(signal.SIGCHLD, lambda *_: None)  # only to end the waiting
        while not self.ending and os.getppid() == self.parent:
            self.round()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)

    def round(self) -> None:
        """Wait for something, and do it."""
        waiting = [self.listener.fileno()]
        if self.parked and not self.parked.ready:
            waiting.append(self.parked.ready_fd)
        timeout = LOOK_S
        if self.parked is None:
            timeout = min(LOOK_S, max(0.0, self.park_at - time.monotonic()))
        with contextlib.suppress(InterruptedError):
            found = select.select(waiting, [], [], timeout)[0]
            if self.listener.fileno() in found:
                self.answer()
            if self.parked and self.parked.ready_fd in found:
                self.note_ready(self.parked)
        self.reap()
        if self.parked is None and time.monotonic() >= self.park_at:
            self.parked = self.fork(kernel=True)

    def note_ready(self, chain: Waiting) -> None:
        """The kernel is initialised, or has died trying."""
        if os.read(chain.ready_fd, 1):
            chain.ready = True
        else:
            self.discard(chain)

    def discard(self, chain: Waiting) -> None:
        chain.close()
        if self.parked is chain:
            self.parked, self.park_at = None, time.monotonic() + 5

    def reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while (pid := os.waitpid(-1, os.WNOHANG)[0]) != 0:
                if self.parked and self.parked.supervisor == pid:
                    self.discard(self.parked)

    def answer(self) -> None:
        connection, _ = self.listener.accept()
        with connection:
            connection.settimeout(REQUEST_S)  # a silent client must not block the others
            try:
                with connection.makefile("rb") as file:
                    request = json.loads(file.readline(MAX_REQUEST))
                answer = self.launch(request) if request["op"] == "launch" else self.status()
                connection.sendall(json.dumps(answer).encode() + b"\n")
            except (OSError, ValueError, KeyError, TypeError) as error:
                say(f"request refused: {error!r}")

    def status(self) -> dict[str, Any]:
        pids = [os.getpid()]
        if self.parked:
            pids.append(self.parked.supervisor)
        ready = bool(self.parked and self.parked.ready)
        return {"imports": self.imports, "parked": int(ready), "pids": pids, "cuda": cuda()}

    def launch(self, request: dict[str, Any]) -> dict[str, Any]:
        """Give an attempt folder to the parked chain, or to a new one."""
        chain, mode = None, "forked"
        if request["kernel"] and self.parked:
            chain, self.parked = self.parked, None
            mode = "parked" if chain.ready else "forked"
        self.park_at = time.monotonic() + PARK_AFTER_S
        chain = chain or self.fork(kernel=bool(request["kernel"]))
        try:
            chain.door.sendall(json.dumps({"folder": request["folder"], "mode": mode}).encode())
        finally:
            chain.close()
        return {"mode": mode}

    def fork(self, kernel: bool) -> Waiting:
        """A new chain."""
        if trouble := unsafe():
            say(trouble)
            sys.exit(3)
        ours, theirs = socket.socketpair()
        ready_r, ready_w = os.pipe()
        pid = os.fork()
        if pid == 0:
            self._in_child(theirs, ours, ready_r, ready_w, kernel)
        theirs.close()
        os.close(ready_w)
        return Waiting(pid, ours, ready_r)

    def _in_child(
        self,
        theirs: socket.socket,
        ours: socket.socket,
        ready_r: int,
        ready_w: int,
        kernel: bool,
    ) -> None:
        """Becomes the supervisor of a chain; never returns."""
        from . import chain

        code = 1
        try:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self.listener.close()
            ours.close()
            os.close(ready_r)
            if self.parked:
                self.parked.close()
            code = chain.supervise(theirs, ready_w, kernel)
        except BaseException as error:
            say(f"chain failed: {error!r}")
            raise
        finally:
            os._exit(code)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="zygote")
    parser.add_argument("--socket", required=True)
    parser.add_argument("--imports", default="")
    parser.add_argument("--parent", type=int, required=True)
    options = parser.parse_args()
    os.umask(0o077)
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    sys.path = [path for path in sys.path if path not in ("", os.getcwd())]
    began = time.monotonic()

    from .chain import remember_environment

    gc.disable()  # what is imported is no garbage, and looking for some costs seconds
    imports = load([name for name in options.imports.split(",") if name])
    rehearse()
    forget_finalizers()
    be_nice()
    remember_environment()
    gc.collect()
    gc.freeze()  # collected pages stay shared after the fork
    gc.enable()
    if trouble := unsafe():
        say(trouble)
        sys.exit(3)
    say(f"ready after {time.monotonic() - began:.1f} s with {', '.join(imports)}")
    Zygote(options.socket, imports, options.parent).serve()


if __name__ == "__main__":
    main()
