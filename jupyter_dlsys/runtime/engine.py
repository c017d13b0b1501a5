"""papermill engine "dlsys": tells events while cells run."""

from __future__ import annotations

import signal
from typing import Any

from nbclient.exceptions import DeadKernelError
from papermill.engines import NBClientEngine

from .events import Spool
from .job import Job, JobError
from .kernel import Launch
from .manager import Manager
from .messages import Client, Stopped
from .supervisor import endings

# after a flood of outputs the reply comes long before the last of them; if the message that
# says "idle" never comes, outputs may be missing, but the cell is done
IOPUB_SECONDS = 60


class DlsysEngine(NBClientEngine):  # type: ignore[misc]
    """papermill engine "dlsys"."""

    @classmethod
    def execute_notebook(cls, nb: Any, kernel_name: str, **kwargs: Any) -> Any:
        job: Job = kwargs["job"]
        spool: Spool = kwargs["spool"]
        launch: Launch = kwargs["launch"]
        manager = Manager(nb, job, spool)
        manager.notebook_start()
        client = Client(
            manager,
            spool,
            launch,
            kernel_name=kernel_name,
            startup_timeout=kwargs["start_timeout"],
            iopub_timeout=IOPUB_SECONDS,
            raise_on_iopub_timeout=False,
            timeout=None,
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, client.stop)
        try:
            spool.phase("starting-kernel")
            client.execute(env=kwargs["environment"])
        except DeadKernelError:
            manager.failure = dead_kernel(manager, client)
        except RuntimeError as error:
            if client.code_cells_executed or client.stopping:
                raise
            killed = (client.kernel_exit or 0) < 0
            manager.failure = (
                dead_kernel(manager, client) if killed else not_started(kernel_name, error)
            )
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            for number in (signal.SIGTERM, signal.SIGINT):  # from here on it only saves and ends
                signal.signal(number, signal.SIG_IGN)
            manager.notebook_complete()
        if client.stopping:
            raise Stopped
        if manager.failure:
            raise manager.failure
        return nb


def not_started(kernel_name: str, error: Exception) -> JobError:
    return JobError(
        f"The kernel {kernel_name!r} did not start: {error}",
        ename="KernelStartError",
        evalue=str(error),
        reason="launch-failed",
    )


def dead_kernel(manager: Manager, client: Client) -> JobError:
    code = client.kernel_exit
    cell = next(
        (
            i
            for i, c in enumerate(manager.nb.cells)
            if c.metadata.papermill.status == Manager.FAILED
        ),
        None,
    )
    where = f" in cell {cell + 1}" if cell is not None else ""
    message = f"The kernel {endings.words(code)}{where}"
    client.spool.error(cell, "DeadKernelError", message, [])
    reason = endings.reason(code)
    return JobError(message, ename="DeadKernelError", evalue=message, cell=cell, reason=reason)
