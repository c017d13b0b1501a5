"""How the kernel of a notebook job is chosen and launched.

Kernels listen on plain TCP by default, which every user of the machine can reach: here they
talk over Unix sockets in a 0700 directory.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty
from typing import Any

import zmq
import zmq.asyncio
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager, NoSuchKernel
from jupyter_client.manager import AsyncKernelManager
from traitlets import Type

from jupyter_dlsys.contract.variables import BEFORE_IMPORT

from .job import Job, JobError

SOCKET_PATH_MAX = 100  # of 107 in sockaddr_un: "/k-5" is added
PYTHON = "python3"
LAUNCHER, PATIENT = "ipykernel_launcher", "jupyter_dlsys.runtime.patient_kernel"
SET_VARIABLE = re.compile(
    r"""(?:environ\[|environ\.setdefault\(|putenv\(|%env\s|%set_env\s)\s*['"]?("""
    + "|".join(f"{prefix}\\w*" for prefix in BEFORE_IMPORT)
    + ")"
)


class PromptClient(AsyncKernelClient):
    """Knows at once that the kernel is ready: jupyter_client's own waits 0.2 s for silence."""

    async def _async_wait_for_ready(self, timeout: float | None = None) -> None:
        end = time.monotonic() + (timeout or float("inf"))
        while True:
            request = self.kernel_info()
            reply = await self._message(self.shell_channel, request, "kernel_info_reply", 1)
            if reply and await self._message(self.iopub_channel, request, "status", 0.1, "idle"):
                self._handle_kernel_info_reply(reply)
                return
            if not await self._async_is_alive():
                raise RuntimeError("Kernel died before replying to kernel_info")
            if time.monotonic() > end:
                raise RuntimeError(f"Kernel didn't respond in {timeout:g} seconds")

    wait_for_ready = _async_wait_for_ready

    async def _message(
        self, channel: Any, request: str, kind: str, seconds: float, state: str | None = None
    ) -> dict[str, Any] | None:
        """The answer of this kind to a request; None when it does not come in time."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                found: dict[str, Any] = await channel.get_msg(timeout=left)
            except Empty:
                return None
            fits = found["msg_type"] == kind and found["parent_header"].get("msg_id") == request
            if fits and state in (None, found["content"].get("execution_state")):
                return found
        return None


class PatientManager(AsyncKernelManager):
    """Its client lets any number of messages wait: by default zmq drops them when a cell puts
    out more than we read, and with them the message that says the cell has ended."""

    client_factory = Type(PromptClient)

    async def _async_finish_shutdown(
        self, waittime: float | None = None, pollinterval: float = 0.01, restart: bool = False
    ) -> None:
        await super()._async_finish_shutdown(waittime, pollinterval, restart)

    def format_kernel_cmd(self, extra_arguments: list[str] | None = None) -> list[str]:
        """A kernel of our own environment is started as one that is patient, too."""
        command = super().format_kernel_cmd(extra_arguments)
        if self.kernel_spec is not None and of_own_environment(self.kernel_spec):
            return [PATIENT if part == LAUNCHER else part for part in command]
        return command

    def client(self, **kwargs: Any) -> Any:
        context = zmq.asyncio.Context()
        context.setsockopt(zmq.RCVHWM, 0)
        return super().client(context=context, **kwargs)


@dataclass(frozen=True)
class Launch:
    """A kernel to be: which one, how its manager is made, which way it starts and why."""

    kernel_name: str
    warning: str | None
    folder: Path = field(repr=False)
    mode: str = "cold"
    reason: str = ""

    def manager(self) -> AsyncKernelManager:
        """Kernel manager that is not started.  The kernel ends when this process dies:
        jupyter_client gives it JPY_PARENT_PID, which ipykernel polls."""
        return PatientManager(
            kernel_name=self.kernel_name,
            transport="ipc",
            ip=str(self.folder / "k"),
            connection_file=str(self.folder / "kernel.json"),
        )

    def close(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def choose_launch(job: Job, notebook: dict[str, Any]) -> Launch:
    """The kernel that waits, if there is one and it is the right one; else a new process."""
    name, warning = choose_kernel(job.kernel_name, notebook.get("metadata") or {})
    mode, reason = job.start.get("mode", "cold"), job.start.get("reason", "")
    if mode != "cold":
        from . import warm_kernel

        unfit = _unfit(name, notebook)
        if not unfit and warm_kernel.parked is not None:
            warm_kernel.install_provisioner()
            return Launch(name, warning, warm_kernel.parked.folder, mode, reason)
        if warm_kernel.parked is not None:
            warm_kernel.parked.discard()
        warm_kernel.parked = None
        reason = unfit
    return Launch(name, warning, socket_folder(job.folder), "cold", reason)


def of_own_environment(spec: KernelSpec) -> bool:
    """Whether it is the plain Python kernel of the environment that we run in."""
    program = Path(spec.argv[0] if spec.argv else "")
    plain = program.parent == Path() and program.name.startswith("python")
    here = plain or program.parent == Path(sys.executable).parent
    return here and LAUNCHER in spec.argv and not spec.env


def _unfit(kernel_name: str, notebook: dict[str, Any]) -> str:
    """Why a kernel that has imported its libraries already will not do; '' when it will."""
    if not of_own_environment(KernelSpecManager().get_kernel_spec(kernel_name)):
        return f"The kernel {kernel_name!r} is of another environment."
    for cell in notebook["cells"]:
        source = cell.get("source", "") if cell.get("cell_type") == "code" else ""
        text = "".join(source) if isinstance(source, list) else str(source)
        if found := SET_VARIABLE.search(text):
            return f"A cell sets {found[1]}, which libraries read when they are imported."
        if "from_polars" in text:
            return "It uses from_polars, which mlflow only has when polars is imported before it."
    return ""


def choose_kernel(requested: str | None, metadata: dict[str, Any]) -> tuple[str, str | None]:
    """Name of an installed kernel, and a warning when it is not the notebook's own.

    Raises JobError when the requested one is missing, or when no Python kernel can stand in.
    """
    specs = KernelSpecManager()
    own = metadata.get("kernelspec") or {}
    name = requested or own.get("name") or PYTHON
    try:
        specs.get_kernel_spec(name)
        return name, None
    except NoSuchKernel:
        pass
    installed = sorted(specs.find_kernel_specs())
    language = own.get("language") or (metadata.get("language_info") or {}).get("name") or "python"
    if requested or language.lower() != "python" or PYTHON not in installed:
        raise JobError(
            f"No kernel named {name!r} is installed where the job ran; there are: "
            + (", ".join(installed) or "none"),
            ename="NoSuchKernel",
            evalue=name,
            reason="launch-failed",
        )
    return PYTHON, f"The notebook's kernel {name!r} is not installed here; {PYTHON!r} is used."


def socket_folder(attempt_dir: Path) -> Path:
    """A new 0700 directory whose path is short enough for Unix sockets."""
    near = attempt_dir / "k"
    if len(os.fsencode(near)) + len("/k-5") <= SOCKET_PATH_MAX:
        near.mkdir(mode=0o700, exist_ok=True)
        return near
    for parent in (tempfile.gettempdir(), os.environ.get("XDG_RUNTIME_DIR"), "/tmp"):  # noqa: S108
        if parent and len(os.fsencode(parent)) + len("/dlsys-12345678/k-5") <= SOCKET_PATH_MAX:
            return Path(tempfile.mkdtemp(prefix="dlsys-", dir=parent))
    raise JobError(
        "No directory with a short enough path for the kernel's sockets",
        ename="OSError",
        reason="launch-failed",
    )
