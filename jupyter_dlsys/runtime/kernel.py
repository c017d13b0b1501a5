"""How the kernel of a notebook job is chosen and launched.

Kernels listen on plain TCP by default, which every user of the machine can reach: here they
talk over Unix sockets in a 0700 directory.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zmq
import zmq.asyncio
from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
from jupyter_client.manager import AsyncKernelManager

from .job import Job, JobError

SOCKET_PATH_MAX = 100  # of 107 in sockaddr_un: "/k-5" is added
PYTHON = "python3"


class PatientManager(AsyncKernelManager):
    """Its client lets any number of messages wait: by default zmq drops them when a cell puts
    out more than we read, and with them the message that says the cell has ended."""

    def client(self, **kwargs: Any) -> Any:
        context = zmq.asyncio.Context()
        context.setsockopt(zmq.RCVHWM, 0)
        return super().client(context=context, **kwargs)


@dataclass(frozen=True)
class Launch:
    """A kernel to be: which one, and how its manager is made."""

    kernel_name: str
    warning: str | None
    folder: Path = field(repr=False)

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


def choose_launch(job: Job, metadata: dict[str, Any]) -> Launch:
    """The launch for a job whose notebook has this metadata.  Always a new ("cold") process."""
    name, warning = choose_kernel(job.kernel_name, metadata)
    return Launch(name, warning, socket_folder(job.folder))


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
