"""The look at a submission, with what the platform knows of its project and queue."""

from __future__ import annotations

import json
import time
from functools import partial
from pathlib import PurePosixPath

from sqlalchemy import select

from dlsys_server.access.principals import Principal
from dlsys_server.core.database import Database
from dlsys_server.training import sources
from dlsys_server.training.binding import Binder
from dlsys_server.training.explaining import Explainer
from dlsys_server.training.gathering import fingerprint
from dlsys_server.training.queueing import Candidate
from dlsys_server.training.quota_gate import Gate
from dlsys_server.training.tables import JobRow
from jupyter_dlsys.contract.jobs import SubmitRequest
from jupyter_dlsys.contract.preflight import PreflightReport

from .report import Around, examine


class Looker:
    """Looks, and forecasts when the job would start. Nothing is kept."""

    def __init__(
        self, database: Database, binder: Binder, explainer: Explainer, gate: Gate
    ) -> None:
        self.database, self.binder, self.explainer = database, binder, explainer
        self.gate = gate

    def look(self, caller: Principal, project: str, body: SubmitRequest) -> PreflightReport:
        """What would go wrong with a submission."""
        turns = self.explainer.turns
        around = Around(
            capacity=turns.machine(body.resources),
            limits=turns.limits,
            free=self.explainer.free,
            examine_input=partial(self.binder.examine, caller, project),
            dataset_names=lambda: self.binder.snapshots.dataset_names(caller, project),
            job_states=lambda wanted: self._states(project, wanted),
            forecast=lambda: self.explainer.expected(_candidate(caller, project, body)),
            quotas=lambda: self.gate.findings(_candidate(caller, project, body)),
        )
        return examine(body, around)

    def _states(self, project: str, wanted: list[str]) -> dict[str, str]:
        query = select(JobRow.id, JobRow.state).where(JobRow.project == project)
        with self.database.read() as session:
            rows = session.execute(query.where(JobRow.id.in_(wanted))).tuples()
            return dict(rows.all())


def _candidate(caller: Principal, project: str, body: SubmitRequest) -> Candidate:
    source, wanted = PurePosixPath(body.source.path), body.resources
    return Candidate(
        id="",
        name=body.name or source.stem,
        project=project,
        owner=caller.name,
        priority=body.priority,
        cpus=wanted.cpus,
        gpus=wanted.gpus,
        gpu_share=wanted.gpu_share,
        memory_limit=wanted.memory_bytes,
        since=time.time(),
        after=tuple(body.after),
        source=source.name,
        source_hash=sources.canonical_hash(body.source, body.modules),
        parameters=fingerprint(json.dumps(body.parameters)),
        timeout=body.timeout_seconds,
    )
