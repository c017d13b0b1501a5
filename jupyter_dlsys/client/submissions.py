"""What `submit` is given, made into the body that the platform reads."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jupyter_dlsys.client.errors import UsageError
from jupyter_dlsys.client.modules import local_modules, read_source
from jupyter_dlsys.client.resource import checked
from jupyter_dlsys.client.results import Job
from jupyter_dlsys.contract.environment import environment_lock
from jupyter_dlsys.contract.jobs import InputRequest, Resources, SubmitRequest

SIZE = re.compile(r"^(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?$", re.IGNORECASE)
POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def submission(  # noqa: PLR0913  the arguments of Jobs.submit
    path: str | Path,
    *,
    inputs: Mapping[str, str | Mapping[str, Any] | InputRequest] | None = None,
    parameters: Mapping[str, Any] | None = None,
    name: str = "",
    cpus: float = 1,
    gpus: int = 0,
    gpu_share: float = 1,
    memory: str | int | None = None,
    max_memory: str | int | None = None,
    priority: int = 0,
    timeout: float | None = None,
    retries: int = 2,
    after: str | Job | Sequence[str | Job] = (),
    variables: Mapping[str, str] | None = None,
    cold: bool = False,
    capture_environment: bool = True,
) -> SubmitRequest:
    """The file with the local modules that it imports, and how it shall run: see `Jobs.submit`.

    Raises:
        UsageError: the file cannot be read, or an argument cannot be right.
    """
    source = Path(path).expanduser()
    return checked(
        SubmitRequest,
        source=read_source(source),
        modules=local_modules(source),
        name=name,
        parameters=dict(parameters or {}),
        inputs={key: _input(value) for key, value in (inputs or {}).items()},
        resources=checked(
            Resources,
            cpus=cpus,
            gpus=gpus,
            gpu_share=gpu_share,
            memory_bytes=memory_bytes(memory),
        ),
        priority=priority,
        timeout_seconds=timeout,
        retries=retries,
        max_memory_bytes=memory_bytes(max_memory),
        after=_ids(after),
        variables=dict(variables or {}),
        cold=cold,
        environment=environment_lock() if capture_environment else None,
    )


def _ids(jobs: str | Job | Sequence[str | Job]) -> list[str]:
    several = [jobs] if isinstance(jobs, (str, Job)) else jobs
    return [job if isinstance(job, str) else job.id for job in several]


def _input(value: str | Mapping[str, Any] | InputRequest) -> InputRequest:
    if isinstance(value, InputRequest):
        return value
    return checked(InputRequest, **({"dataset": value} if isinstance(value, str) else dict(value)))


def memory_bytes(value: str | int | None) -> int | None:
    """Bytes of '512M', '4G', '1.5 GiB' (powers of 1024) or a plain number."""
    if value is None or isinstance(value, int):
        return value
    found = SIZE.match(value.strip())
    if not found:
        raise UsageError(f"'{value}' is not an amount of memory.", hint="Write it like 512M or 4G.")
    return int(float(found[1]) * 1024 ** POWERS[found[2].lower()])
