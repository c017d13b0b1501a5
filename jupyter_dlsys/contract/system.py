"""Health, identity, projects and workers."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from .base import Answer

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
    scopes: list[str]


class Project(Answer):
    """A space of names; also the MLflow workspace of that name."""

    name: str
    created_at: datetime


class Worker(Answer):
    """A machine that runs jobs: what it has and what is in use."""

    name: str
    cpus: float
    cpus_used: float
    memory_bytes: int
    memory_bytes_used: int
    gpus: list[str]
    gpus_used: int
    jobs: list[str]


class Upload(Answer):
    """A file on its way: send bytes with PUT at `offset` until complete."""

    id: str
    filename: str
    offset: int
    created_at: datetime
