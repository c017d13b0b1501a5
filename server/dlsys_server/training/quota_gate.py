"""Whether a submission is within the quotas of its owner and project."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from dlsys_server.access.quota_words import CRUMB, Standing, need_words, number
from dlsys_server.access.quotas import QuotaService, exceeded
from dlsys_server.core.database import Database
from dlsys_server.core.errors import Forbidden
from jupyter_dlsys.contract.jobs import Range
from jupyter_dlsys.contract.preflight import Finding

from .durations import Durations
from .gathering import fingerprint
from .gpu_hours import HOUR, promised
from .queueing import Candidate
from .tables import JobRow

CODE = "quota"


@dataclass(frozen=True)
class Need:
    """What a job takes: whether GPUs, and the GPU-hours it will need, where that is known."""

    gpus: bool
    hours: Range | None = None

    @property
    def least(self) -> float:
        """GPU-hours that it surely needs (9 of 10 need more)."""
        return self.hours.low if self.hours is not None else 0.0


class Gate:
    """Asked before a job is queued."""

    def __init__(self, database: Database, quotas: QuotaService, durations: Durations) -> None:
        self.database, self.quotas, self.durations = database, quotas, durations

    def need(self, job: Candidate) -> Need:
        """What the job is expected to need. Not while a session is open."""
        held = job.gpus * job.gpu_share
        found = self.durations.of(job) if held else None
        if found is None:
            return Need(bool(held))
        hours = Range(
            low=found.low * held / HOUR,
            likely=found.likely * held / HOUR,
            high=found.high * held / HOUR,
        )
        return Need(True, hours)

    def admit(self, session: Session, owner: str, project: str, need: Need) -> list[str]:
        """Words of warning, where the job may not get to its end.

        Raises:
            Forbidden: it could not run before the next month, or not at all.
        """
        for standing in self.quotas.standings(session, owner, project, "jobs"):
            if standing.limit < 1:
                raise exceeded(standing, f"{standing.name} may run no jobs.")
        self.quotas.check(session, owner, project, "storage_bytes", 0)
        if not need.gpus:
            return []
        standings = self.quotas.standings(session, owner, project, "gpu_hours")
        return [text for one in standings if (text := _look(session, one, need))]

    def findings(self, job: Candidate) -> list[Finding]:
        """The same for a look before the submission."""
        need = self.need(job)
        try:
            with self.database.read() as session:
                warnings = self.admit(session, job.owner, job.project, need)
        except Forbidden as error:
            text = f"{error.detail} {error.hint}"
            return [Finding(code=CODE, severity="error", message=text)]
        return [Finding(code=CODE, severity="warning", message=text) for text in warnings]


def candidate(job: JobRow, parameters: str) -> Candidate:
    """What a forecast needs of a job that is not queued yet."""
    return Candidate(
        id=job.id,
        name=job.name,
        project=job.project,
        owner=job.owner,
        cpus=job.cpus,
        gpus=job.gpus,
        gpu_share=job.gpu_share,
        source=job.source,
        source_hash=job.source_hash,
        parameters=fingerprint(parameters),
        timeout=job.timeout_seconds,
    )


def _look(session: Session, standing: Standing, need: Need) -> str:
    """A warning where the honest range crosses the limit; a refusal where it lies beyond."""
    others = promised(session, standing.kind, standing.name)
    left = standing.limit - standing.used - others
    words = standing.words()
    if others >= 0.001:
        words += f", and jobs that wait or run will need at least {number(others)} more"
    this = f"this job {need_words(need.hours)}" if need.hours else "this job needs more"
    if left <= need.least + CRUMB:
        raise exceeded(standing, f"{words}; {this}.")
    if need.hours is not None and need.hours.high > left:
        end = "It is stopped at the limit and can go on from its last checkpoint then."
        return f"{words}; {this}. {end} {standing.remedy()}"
    return ""
