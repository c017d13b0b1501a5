"""A job row as the API shows it."""

from __future__ import annotations

from jupyter_dlsys.contract.jobs import Job, JobInput, JobProgress, JobStart, Resources

from .tables import JobRow


def to_job(
    row: JobRow,
    position: int | None = None,
    metrics: dict[str, float] | None = None,
    models: list[str] | None = None,
) -> Job:
    """The row with what other rooms know of it."""
    return Job(
        id=row.id,
        name=row.name,
        project=row.project,
        owner=row.owner,
        state=row.state,
        reason=row.reason,
        exit_reason=row.exit_reason,
        queue_position=position,
        attempt=row.attempt,
        retries=row.retries,
        next_attempt_at=row.not_before,
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
        resources=Resources(
            cpus=row.cpus,
            gpus=row.gpus,
            memory_bytes=row.memory_bytes,
            gpu_share=row.gpu_share,
        ),
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


def _start(row: JobRow) -> JobStart | None:
    if row.start_mode is None:
        return None
    return JobStart.model_validate({"mode": row.start_mode, "reason": row.start_reason})
