"""The Python kernel of a job that starts cold: ipykernel's, which never drops an output.

python -m jupyter_dlsys.runtime.patient_kernel -f CONNECTION_FILE
"""

from __future__ import annotations

from typing import Any

import zmq
from ipykernel.kernelapp import IPKernelApp


class PatientKernelApp(IPKernelApp):
    """By default zmq drops what is published when a thousand messages wait."""

    def init_iopub(self, context: Any) -> None:
        """Any number of messages may wait."""
        context.setsockopt(zmq.SNDHWM, 0)
        super().init_iopub(context)  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    PatientKernelApp.launch_instance()
