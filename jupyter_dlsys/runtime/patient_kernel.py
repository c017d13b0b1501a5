"""The Python kernel of a job that starts cold: ipykernel's, which does not drop outputs so soon.

python -m jupyter_dlsys.runtime.patient_kernel -f CONNECTION_FILE
"""

from __future__ import annotations

from typing import Any

import zmq
from ipykernel.kernelapp import IPKernelApp

WAITING = 100_000
"""Messages; by default zmq drops what is published when a thousand wait."""


class PatientKernelApp(IPKernelApp):
    """Keeps outputs while the runner is busy or has no processor."""

    def init_iopub(self, context: Any) -> None:
        """Many messages may wait."""
        context.setsockopt(zmq.SNDHWM, WAITING)
        super().init_iopub(context)  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    PatientKernelApp.launch_instance()
