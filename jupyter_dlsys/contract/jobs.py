"""Jobs: submission, state, inspection of a notebook."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from .base import Answer, Request
from .plain import check_plain

MOST_BYTES = 2**53

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

    dataset: str = Field(description="name, name@v3, name@tag, name@sha256:…; project/name")
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
    gpu_share: float = Field(
        1, gt=0, le=1, description="Share of its one GPU's memory; below 1 others may use it too."
    )


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
    retries: int = Field(
        2, ge=0, le=20, description="More attempts when the worker is lost; user errors are final."
    )
    max_memory_bytes: int | None = Field(
        None, ge=64 * 2**20, description="Out of memory is retried with more, up to this."
    )
    after: list[str] = Field([], max_length=100, description="Jobs that have to succeed first.")
    variables: dict[str, str] = Field({}, description="Environment variables of the job.")
    cold: bool = Field(False, description="Start a fresh process even where a warm one waits.")
    environment: dict[str, Any] | None = Field(
        None, description="Lock of the environment the source was written in."
    )

    _plain = model_validator(mode="before")(check_plain)

    @field_validator("max_memory_bytes")
    @classmethod
    def _of_this_world(cls, value: int | None) -> int | None:
        if value is not None and value > MOST_BYTES:
            raise ValueError("more than any machine has")
        return value


class JobInput(Answer):
    """A bound snapshot."""

    dataset: str
    version: int
    snapshot: str
    project: str | None = Field(None, description="Of the dataset, where it is another one.")


class JobProgress(Answer):
    """Cells (or steps) done of all."""

    done: int = 0
    total: int = 0


StartMode = Literal["parked", "forked", "cold"]


class JobStart(Answer):
    """Which way the attempt was started, and why that one."""

    mode: StartMode = Field(
        description="parked: a kernel that waited; forked: from the zygote; cold: a new process."
    )
    reason: str = ""


class Range(Answer):
    """Seconds, as a range that held for 8 of 10 jobs in the past, and the middle."""

    low: float
    likely: float
    high: float


class Forecast(Answer):
    """When a job will start and how long it will run, from history."""

    starts_in: Range | None = Field(None, description="Null when it runs, or nothing is known.")
    runs_for: Range | None = Field(None, description="Null when nothing like it has run yet.")
    based_on: int = Field(0, description="Number of past jobs the duration comes from.")
    words: str = Field("", description="The same for people, e.g. 'starts in about 3 min'.")


class Attempt(Answer):
    """One try to run a job."""

    number: int
    state: JobState
    reason: str = ""
    exit_reason: str | None = None
    start: JobStart | None = None
    memory_bytes: int | None = Field(None, description="Limit of this attempt.")
    checkpoint: int | None = Field(None, description="Step of the checkpoint it went on from.")
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None


class Job(Answer):
    """A job. `reason` always tells in plain words why it is in its state."""

    id: str
    name: str
    project: str
    owner: str
    state: JobState
    reason: str = ""
    exit_reason: str | None = Field(
        None, description="cancelled, quota, timeout, lost, user-error, out-of-memory, killed, …"
    )
    queue_position: int | None = None
    forecast: Forecast | None = Field(None, description="Of a job that has not ended.")
    attempt: int = 1
    attempts: list[Attempt] = Field([], description="All tries; only when one job is shown.")
    retries: int = 0
    next_attempt_at: datetime | None = Field(None, description="Back-off before the next try.")
    start: JobStart | None = None
    account: str | None = Field(None, description="OS account it runs as, where that is another.")
    schedule: str | None = Field(None, description="Schedule that submitted it.")
    retry_of: str | None = None
    after: list[str] = []
    variables: dict[str, str] = {}
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
    warnings: list[str] = Field([], description="Only when it is submitted or retried.")


class Artifact(Answer):
    """A file that the job left."""

    path: str
    bytes: int


class InspectRequest(Request):
    """Look at a notebook before it runs."""

    source: SourceFile

    _plain = model_validator(mode="before")(check_plain)


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


class QueueEntry(Answer):
    """A job that waits, in the order in which jobs will start."""

    position: int
    job: str
    name: str
    owner: str
    project: str
    priority: int
    resources: Resources
    reason: str
    waiting_seconds: float
    forecast: Forecast | None = None
