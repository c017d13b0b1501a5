"""Jobs: submission, state, inspection of a notebook."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from .base import Answer, Request

JobState = Literal[
    "queued",
    "starting",
    "running",
    "cancelling",
    "succeeded",
    "failed",
    "cancelled",
    "skipped",
    "lost",
]
TERMINAL_STATES: frozenset[str] = frozenset({"succeeded", "failed", "cancelled", "skipped", "lost"})


class SourceFile(Request):
    """A file of the job's source: path relative to the notebook's folder, and its text."""

    path: str = Field(min_length=1, max_length=255)
    content: str


class InputRequest(Request):
    """A dataset bound to a name of the job. Every field but `dataset` as in a snapshot."""

    dataset: str = Field(description="name, name@v3, name@tag or name@sha256:…")
    tags: dict[str, str] = {}
    where: str | None = None
    columns: list[str] | None = None
    split: dict[str, float] | None = None
    seed: int = 0


class Resources(Request):
    """What one attempt needs while it runs."""

    cpus: float = Field(1, gt=0, le=1024)
    gpus: int = Field(0, ge=0, le=64)
    memory_bytes: int | None = Field(None, ge=64 * 2**20, description="Hard limit; none when null.")


class SubmitRequest(Request):
    """A notebook or a .py file as a job. The platform keeps all of it, so the file may change."""

    source: SourceFile
    modules: list[SourceFile] = Field([], description="Local modules that the source imports.")
    name: str = Field("", max_length=200)
    parameters: dict[str, Any] = {}
    inputs: dict[str, InputRequest] = {}
    resources: Resources = Resources()
    priority: int = Field(0, ge=-100, le=100)
    timeout_seconds: float | None = Field(None, gt=0)
    environment: dict[str, Any] | None = Field(
        None, description="Lock of the environment the source was written in."
    )


class JobInput(Answer):
    """A bound snapshot."""

    dataset: str
    version: int
    snapshot: str


class JobProgress(Answer):
    """Cells (or steps) done of all."""

    done: int = 0
    total: int = 0


class Job(Answer):
    """A job. `reason` always tells in plain words why it is in its state."""

    id: str
    name: str
    project: str
    owner: str
    state: JobState
    reason: str = ""
    exit_reason: str | None = Field(
        None, description="cancelled, timeout, lost, user-error, out-of-memory, killed, …"
    )
    queue_position: int | None = None
    attempt: int = 1
    source: str = Field(description="File name of the notebook or script.")
    kind: Literal["notebook", "script"]
    parameters: dict[str, Any] = {}
    inputs: dict[str, JobInput] = {}
    resources: Resources
    priority: int = 0
    timeout_seconds: float | None = None
    progress: JobProgress = JobProgress()
    run_id: str | None = Field(None, description="MLflow run.")
    experiment: str | None = None
    source_hash: str
    environment_hash: str | None = None
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    metrics: dict[str, float] = Field({}, description="Latest value of each metric.")
    models: list[str] = Field([], description="Registered by this job, as name@v1.")


class Artifact(Answer):
    """A file that the job left."""

    path: str
    bytes: int


class InspectRequest(Request):
    """Look at a notebook before it runs."""

    source: SourceFile


class Parameter(Answer):
    """A name assigned in the cell tagged `parameters`."""

    name: str
    type: str = Field("", description="int, float, str, bool, list, dict, or the annotation.")
    default: Any = None
    comment: str = ""


class NotebookInfo(Answer):
    """What the submit form shows of a notebook."""

    kind: Literal["notebook", "script"]
    language: str
    kernel: str | None = None
    code_cells: int
    parameters: list[Parameter] = []
    inputs: list[str] = Field([], description="Names given to dlsys.input(…).")
    imports: list[str] = Field([], description="Top-level modules that the source imports.")
    findings: list[str] = []
