"""Health, identity and workers."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from .base import Answer

LauncherName = Literal["platform", "helper", "agent"]
PartState = Literal["ok", "starting", "degraded", "failed", "off"]


class PartHealth(Answer):
    """State of one part of the platform, in plain words."""

    name: str
    state: PartState
    message: str = ""


class Health(Answer):
    """`state` is the worst of the parts that answers depend on."""

    state: PartState
    version: str
    parts: list[PartHealth]


class Whoami(Answer):
    """Who the token belongs to and what it may do."""

    name: str
    kind: Literal["user", "job", "service"]
    project: str
    projects: list[str]
    scopes: list[str] = Field(description="What the token may at most do, in any project.")


class Gpu(Answer):
    """A GPU of a worker; use is null where NVML cannot tell."""

    id: str
    name: str = ""
    memory_bytes: int | None = None
    memory_bytes_used: int | None = None
    utilization: float | None = Field(None, description="0 to 1, over the last sample.")
    jobs: list[str] = Field([], description="Jobs that hold it, wholly or in part.")


class Isolation(Answer):
    """What keeps a job's code apart on this machine, found by trying."""

    launcher: LauncherName = Field("platform", description="Who starts jobs.")
    account: str = Field(description="Which OS account jobs run as, in words.")
    memory: Literal["cgroup", "watched"]
    processes: Literal["cgroup", "rlimit", "watched"]
    sandbox: Literal["bwrap", "off", "missing"]
    words: str = ""


class Warm(Answer):
    """The zygote: a process with the heavy libraries imported, from which jobs are forked."""

    state: PartState
    message: str = ""
    imports: list[str] = []
    parked: int = Field(0, description="Kernels that wait, ready.")
    memory_bytes: int | None = Field(None, description="Proportional set size of all of it.")


class Worker(Answer):
    """A machine that runs jobs: its slots, what jobs hold of them, and how busy it really is."""

    name: str
    cpus: float
    cpus_used: float
    memory_bytes: int
    memory_bytes_used: int
    gpus: list[str]
    gpus_used: int
    jobs: list[str]
    cpu_load: float | None = Field(None, description="CPUs busy now, by anybody.")
    memory_bytes_load: int | None = Field(None, description="Memory in use now, by anybody.")
    gpu_details: list[Gpu] = []
    isolation: Isolation | None = None
    warm: Warm | None = None
    platform: str = Field("", description="Host of its platform, where there are several.")
    url: str = Field("", description="Where the other platforms reach it.")
    seen_at: datetime | None = Field(None, description="When it last said that it lives.")
    leads: bool = Field(False, description="Its scheduler decides what starts, on all of them.")


class UsagePoint(Answer):
    """What a job's processes used at a time."""

    at: datetime
    cpus: float = Field(description="CPUs busy since the point before.")
    memory_bytes: int = Field(description="Proportional set size, shared pages divided.")
    processes: int
    gpu_utilization: float | None = Field(None, description="0 to 1, mean of its GPUs.")
    gpu_memory_bytes: int | None = None


class JobUsage(Answer):
    """What a job used over time, and what that says."""

    job: str
    points: list[UsagePoint] = []
    cpu_seconds: float = 0
    peak_memory_bytes: int = 0
    hints: list[str] = Field([], description="E.g. 'GPU 4 % busy: input-bound.'")


class Upload(Answer):
    """A file on its way: send bytes with PUT at `offset` until complete."""

    id: str
    filename: str
    offset: int
    created_at: datetime
