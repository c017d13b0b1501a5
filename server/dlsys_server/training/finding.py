"""A job of a project, or the error that there is none."""

from __future__ import annotations

from sqlalchemy.orm import Session

from dlsys_server.core.errors import NotFound

from .tables import JobRow


def find_job(session: Session, project: str, job_id: str) -> JobRow:
    """The row of a job.

    Raises:
        NotFound: no such job in the project.
    """
    job = session.get(JobRow, job_id)
    if job is None or job.project != project:
        raise NotFound(
            f"There is no job '{job_id}' in {project}.", hint="`dlsys jobs list` shows them."
        )
    return job
