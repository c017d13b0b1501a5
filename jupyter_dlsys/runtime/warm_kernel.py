"""A kernel that was forked and initialised before it was known for which job.

The runner's side is `Parked` and a provisioner for jupyter_client; the kernel's side is `become`.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import json
import os
import signal
import socket
import sys
import threading
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from jupyter_client.connect import KernelConnectionInfo, write_connection_file
from jupyter_client.provisioning.factory import KernelProvisionerFactory
from jupyter_client.provisioning.provisioner_base import KernelProvisionerBase

from .patient_kernel import PatientKernelApp
from .supervisor.account import Account

PROVISIONER = "dlsys-warm"
POLL_S = 0.02
parked: Parked | None = None
"""The kernel that waits for the job of this process."""


# ---- the runner's side -----------------------------------------------------------------------
class Parked:
    """A kernel that waits."""

    def __init__(self, pid: int, door: socket.socket, folder: Path) -> None:
        self.pid, self.door, self.folder = pid, door, folder
        self.exit_code: int | None = None
        self.rights: dict[str, Any] = {"rlimits": [], "account": None}

    @property
    def connection_file(self) -> Path:
        return self.folder / "kernel.json"

    def limits(self, rlimits: list[Any], account: Account | None) -> None:
        """What the kernel has to give up; to be called while we may still change owners."""
        self.rights = {"rlimits": rlimits, "account": account}
        if account is not None:
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, account.uid, account.gid, follow_symlinks=False)

    def release(self, env: dict[str, str], cwd: str | None) -> None:
        """Let it go, with this environment and folder.  Of one that has ended `poll` says how."""
        message = {**self.rights, "env": env, "cwd": cwd}
        with contextlib.suppress(ConnectionError):
            socket.send_fds(self.door, [b"!"], [1])
            self.door.sendall(json.dumps(message).encode())
        self.door.close()

    def discard(self) -> None:
        """It is not needed: another kernel is."""
        self.door.close()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)

    def poll(self) -> int | None:
        """Exit status, or None while it lives."""
        if self.exit_code is None:
            with contextlib.suppress(ChildProcessError):
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    self.exit_code = os.waitstatus_to_exitcode(status)
        return self.exit_code


def park(others: socket.socket, ready_w: int, folder: Path) -> Parked:
    """Fork a kernel that waits, with its sockets in `folder`, which is the caller's to remove.  The
    caller has one thread and no event loop yet."""
    (folder / "ipython").mkdir()
    write_connection_file(
        str(folder / "kernel.json"),
        transport="ipc",
        ip=str(folder / "k"),
        key=os.urandom(32).hex().encode(),
        shell_port=1,
        iopub_port=2,
        stdin_port=3,
        control_port=4,
        hb_port=5,
    )
    ours, theirs = socket.socketpair()
    me = os.getpid()
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            others.close()
            ours.close()
            code = become(theirs, ready_w, folder, me)
        finally:
            os._exit(code)
    theirs.close()
    return Parked(pid, ours, folder)


class WarmProvisioner(KernelProvisionerBase):
    """Launches nothing: releases the kernel that is parked.  It cannot be restarted."""

    kernel: Parked | None = None

    @property
    def has_process(self) -> bool:
        return self.kernel is not None

    async def poll(self) -> int | None:
        return self.kernel.poll() if self.kernel else 0

    async def wait(self) -> int | None:
        while (code := await self.poll()) is None:
            await asyncio.sleep(POLL_S)
        self.kernel = None
        return code

    async def send_signal(self, signum: int) -> None:
        if self.kernel and self.kernel.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.kernel.pid, signum)

    async def kill(self, restart: bool = False) -> None:
        await self.send_signal(signal.SIGKILL)

    async def terminate(self, restart: bool = False) -> None:
        await self.send_signal(signal.SIGTERM)

    async def cleanup(self, restart: bool = False) -> None:
        pass

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        manager: Any = self.parent
        manager.load_connection_file()
        self.connection_info = manager.get_connection_info()
        kwargs.pop("extra_arguments", None)
        return dict(await super().pre_launch(cmd=[], **kwargs))

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        global parked
        self.kernel, parked = parked, None
        if self.kernel is None:
            raise RuntimeError("there is no kernel waiting any more")
        self.kernel.release(kwargs.get("env") or dict(os.environ), kwargs.get("cwd") or os.getcwd())
        return self.connection_info


def install_provisioner() -> None:
    """Make jupyter_client of this process use it."""
    factory = KernelProvisionerFactory.instance()
    value = f"{WarmProvisioner.__module__}:{WarmProvisioner.__qualname__}"
    factory.provisioners[PROVISIONER] = EntryPoint(PROVISIONER, value, factory.GROUP_NAME)
    factory.default_provisioner_name = PROVISIONER


# ---- the kernel's side -----------------------------------------------------------------------
class WarmKernelApp(PatientKernelApp):
    """Everything of the kernel is set up but what runs code: that waits for the job."""

    def init_extensions(self) -> None:
        """Later."""

    def init_code(self) -> None:
        """Later."""

    def finish(self) -> None:
        """Now that we are the job's."""
        super().init_extensions()  # type: ignore[no-untyped-call]
        super().init_code()  # type: ignore[no-untyped-call]


def become(door: socket.socket, ready_w: int, folder: Path, runner: int) -> int:
    """Be a kernel; returns its exit status."""
    from .chain import receive, take_environment, take_rights
    from .supervisor.processes import die_with_parent

    os.setpgid(0, 0)  # an interrupt reaches what a cell has started, and not the runner
    die_with_parent(runner)
    app = WarmKernelApp.instance()
    app.initialize(  # type: ignore[no-untyped-call]
        [
            *("-f", str(folder / "kernel.json")),
            f"--IPKernelApp.parent_handle={runner}",
            f"--ipython-dir={folder / 'ipython'}",
            "--HistoryManager.enabled=False",
        ]
    )
    say_ready(ready_w)
    message, log = receive(door)
    if message is None:
        return 0
    take_streams(log)
    take_environment(message["env"])
    account = message["account"]
    take_rights(message["rlimits"], Account(*account) if account else None, runner)
    if message["cwd"]:
        os.chdir(message["cwd"])
    reseed()
    use_threads(int(os.environ.get("OMP_NUM_THREADS") or 0))
    sys.argv = ["ipykernel_launcher", "-f", str(folder / "kernel.json")]
    atexit.unregister(app.close)  # joins threads that end with this process anyway
    app.finish()
    app.start()  # type: ignore[no-untyped-call]
    threading._shutdown()  # type: ignore[attr-defined]  # what the interpreter does at its end
    atexit._run_exitfuncs()
    return 0


def say_ready(descriptor: int) -> None:
    """Tell the zygote, if it still wants to know."""
    with contextlib.suppress(BrokenPipeError):
        os.write(descriptor, b"1")
    os.close(descriptor)


def take_streams(log: int) -> None:
    """Low-level output goes to the job's log; ipykernel keeps copies of the first streams."""
    for stream in (sys.stdout, sys.stderr):
        copy = getattr(stream, "_original_stdstream_copy", None)
        if copy is not None:
            os.dup2(log, copy)
    os.close(log)


def reseed() -> None:
    """Generators that were seeded at import would give every job the same numbers."""
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()
    if torch := sys.modules.get("torch"):
        torch.default_generator.seed()


def use_threads(count: int) -> None:
    """What OMP_NUM_THREADS does for libraries that are imported after it is set."""
    if count < 1:
        return
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(count)
    if count > 1 and (threadpoolctl := sys.modules.get("threadpoolctl")):
        threadpoolctl.threadpool_limits(count)
