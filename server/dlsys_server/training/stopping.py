"""Cancels jobs: a waiting one ends at once, a running one through its supervisor."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import select

from dlsys_server.access.principals import Principal
from dlsys_server.access.scopes import Scope
from dlsys_server.core import clock
from dlsys_server.core.database import Database
from dlsys_server.core.errors import Conflict, Forbidden
from jupyter_dlsys.contract.jobs import TERMINAL_STATES

from .announcing import Announcer
from .finding import find_job
from .states import HOLDING, move
from .tables import JobRow


class Stopper:
    """Says in the row that a job is to end; the settler does it."""

    def __init__(self, database: Database, announcer: Announcer) -> None:
        self.database, self.announcer = database, announcer

    def cancel(self, caller: Principal, project: str, job_id: str) -> None:
        """Stop a job; one that has ended stays as it is.

        Raises:
            NotFound: no such job in the project.
            Forbidden: it is somebody else's, and the caller does not maintain the project.
        """
        for _ in range(5):
            with self.database.write() as session:
                job = find_job(session, project, job_id)
                _check_owner(caller, job)
                if job.state in TERMINAL_STATES or job.state == "cancelling":
                    return
                values: dict[str, Any] = {"reason": f"Cancelled by {caller.name}"}
                state = "cancelling"
                if job.state == "queued":
                    state = "cancelled"
                    values.update(_at_once(job))
                if move(session, job, state, **values):
                    self.announcer.changed(session, job_id)
                    return
        raise Conflict("The job changes too fast to be cancelled.", hint="Try again.")

    def cancel_all(self, caller: Principal) -> None:
        """Stop everything that has not ended."""
        with self.database.read() as session:
            rows = session.execute(
                select(JobRow.project, JobRow.id).where(JobRow.state.in_((*HOLDING, "queued")))
            ).all()
        for project, job_id in rows:
            self.cancel(replace(caller, rights={project: caller.scopes}), project, job_id)


def _check_owner(caller: Principal, job: JobRow) -> None:
    if caller.name != job.owner and not caller.may(Scope.MANAGE, job.project):
        raise Forbidden(
            f"The job '{job.name}' belongs to {job.owner}.",
            code="not-your-job",
            hint=f"Ask {job.owner}, or a maintainer of {job.project}, to cancel it.",
        )


def _at_once(job: JobRow) -> dict[str, Any]:
    """Nothing of it runs. One that never ran has nothing to be closed either."""
    return {
        "exit_reason": "cancelled",
        "finished_at": clock.now(),
        "not_before": None,
        "run_closed": job.attempt == 1 and job.run_id is None,
    }
