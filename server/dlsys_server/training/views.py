"""A job row as the API shows it."""

from __future__ import annotations

from jupyter_dlsys.contract.jobs import Attempt, Job, JobInput, JobProgress, JobStart, Resources

from .explaining import Place
from .states import HOLDING
from .tables import AttemptRow, JobRow


def to_job(
    row: JobRow,
    place: Place | None = None,
    metrics: dict[str, float] | None = None,
    models: list[str] | None = None,
) -> Job:
    """The row with what other rooms know of it."""
    waits = row.state == "queued" and place is not None and place.position is not None
    alive = waits or (row.state in HOLDING and place is not None and place.position is None)
    return Job(
        id=row.id,
        name=row.name,
        project=row.project,
        owner=row.owner,
        state=row.state,
        reason=place.reason if waits and place else row.reason,
        exit_reason=row.exit_reason,
        queue_position=place.position if waits and place else None,
        forecast=place.forecast if alive and place else None,
        attempt=row.attempt,
        retries=row.retries,
        next_attempt_at=row.not_before if row.state == "queued" else None,
        start=_start(row),
        account=row.account,
        schedule=row.schedule,
        retry_of=row.retry_of,
        after=row.after,
        variables=row.variables,
        source=row.source,
        kind=row.kind,
        parameters=row.parameters,
        inputs={name: JobInput(**bound) for name, bound in row.inputs.items()},
        resources=resources_of(row),
        priority=row.priority,
        timeout_seconds=row.timeout_seconds,
        progress=JobProgress(done=row.progress_done, total=row.progress_total),
        run_id=row.run_id,
        experiment=row.experiment,
        source_hash=row.source_hash,
        environment_hash=f"sha256:{row.environment_sha}" if row.environment_sha else None,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        metrics=metrics or {},
        models=models or [],
    )


def resources_of(row: JobRow) -> Resources:
    """What the job asked for."""
    return Resources(
        cpus=row.cpus, gpus=row.gpus, memory_bytes=row.memory_bytes, gpu_share=row.gpu_share
    )


def to_attempt(row: AttemptRow) -> Attempt:
    """One try of a job."""
    return Attempt.model_validate(
        {
            "number": row.number,
            "state": row.state,
            "reason": row.reason,
            "exit_reason": row.exit_reason,
            "start": _start(row),
            "memory_bytes": row.memory_bytes,
            "checkpoint": row.checkpoint,
            "created_at": row.created_at,
            "started_at": row.started_at,
            "finished_at": row.finished_at,
        }
    )


def _start(row: JobRow | AttemptRow) -> JobStart | None:
    if row.start_mode is None:
        return None
    return JobStart.model_validate({"mode": row.start_mode, "reason": row.start_reason})
