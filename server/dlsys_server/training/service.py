"""Verbs of the training room."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from dlsys_server.access.principals import Principal
from dlsys_server.api.paging import Paging
from dlsys_server.core import clock, idempotency
from dlsys_server.core.events import EventFilter
from dlsys_server.core.ids import new_id
from jupyter_dlsys.contract.base import Page
from jupyter_dlsys.contract.environment import environment_lock
from jupyter_dlsys.contract.jobs import (
    TERMINAL_STATES,
    InputRequest,
    InspectRequest,
    Job,
    NotebookInfo,
    QueueEntry,
    SubmitRequest,
)
from jupyter_dlsys.contract.preflight import PreflightReport
from jupyter_dlsys.contract.system import Worker

from . import admission, sources
from .binding import Binder
from .finding import find_job
from .preflight.looking import Looker
from .quota_gate import candidate
from .reading import JobReading
from .room import TrainingRoom
from .states import HOLDING
from .stopping import Stopper
from .tables import AttemptRow, JobRow
from .views import to_attempt, to_job


class TrainingService(JobReading):
    """Submit, look, cancel."""

    def __init__(self, room: TrainingRoom) -> None:
        near = room.near
        self.places = near.places
        self.database, self.store, self.snapshots = near.database, near.store, near.snapshots
        self.metadata, self.scheduler = near.metadata, room.scheduler
        self.binder = Binder(near.snapshots)
        self.keeper, self.announcer, self.compute = room.keeper, room.announcer, room.compute
        self.repeater, self.stopper = room.repeater, Stopper(near.database, room.announcer)
        self.explainer, self.warm, self.gate = room.explainer, room.warm, room.gate
        self.looker = Looker(near.database, self.binder, room.explainer, room.gate)
        self._environment: dict[str, Any] | None = None

    # -- submit

    def submit(
        self,
        caller: Principal,
        project: str,
        body: SubmitRequest,
        key: str | None,
        *,
        run_key: str | None = None,
        schedule: str | None = None,
    ) -> Job:
        """Keep everything the job needs, then queue it in one transaction.

        Args:
            run_key: there is one job with this key in the project; asking again answers with it.
            schedule: that submits it.

        Raises:
            InvalidInput, Refused: the source, an input or the resources cannot work.
            Forbidden: it would go over a quota.
        """
        asked = idempotency.fingerprint("jobs.submit", project, body)
        with self.database.read() as session:
            if first := idempotency.recall(session, caller.name, key, asked):
                return Job.model_validate(first)
            if same := _of_run_key(session, project, run_key):
                return to_job(same)
        turns = self.explainer.turns
        machine = turns.machine(body.resources)
        info = admission.check(body, machine, turns.limits, self.explainer.free)
        inputs = self.binder.bind(caller, project, body.inputs)
        job = self._row(caller, project, body, inputs)
        job.reason, job.run_key, job.schedule = "Waiting to start", run_key, schedule
        need = self.gate.need(candidate(job, json.dumps(body.parameters)))
        note = admission.unknown_parameters(body, info)
        with self.database.write() as session:
            if first := idempotency.recall(session, caller.name, key, asked):
                return Job.model_validate(first)
            if same := _of_run_key(session, project, run_key):
                return to_job(same)
            known = _in_project(session, project, body.after)
            admission.check_upstreams(body.after, known, project)
            warnings = self.gate.admit(session, caller.name, project, need)
            job.gpu_hours = need.least or None
            answer = self._add(session, job, warnings, note)
            idempotency.remember(session, caller.name, key, asked, answer)
        self.scheduler.wake()
        return answer

    def _add(self, session: Session, job: JobRow, warnings: list[str], note: str) -> Job:
        session.add(job)
        session.flush()
        self.announcer.changed(session, job.id)
        for text in (note, *warnings):
            if text:
                self.announcer.note(session, job, text)
        answer = to_job(job)
        answer.warnings = warnings
        return answer

    def _row(
        self, caller: Principal, project: str, body: SubmitRequest, inputs: dict[str, Any]
    ) -> JobRow:
        name = Path(body.source.path).name
        files = {name: body.source.content, **{m.path: m.content for m in body.modules}}
        environment = body.environment or self._own_environment()
        return JobRow(
            id=new_id(),
            project=project,
            owner=caller.name,
            name=body.name or Path(name).stem,
            state="queued",
            kind=sources.kind_of(name),
            source=name,
            source_hash=sources.canonical_hash(body.source, body.modules),
            bundle_sha=self.store.put(_json({"files": files})),
            environment_sha=self.store.put(_json(environment)),
            parameters=body.parameters,
            inputs=inputs,
            cpus=body.resources.cpus,
            gpus=body.resources.gpus,
            memory_bytes=body.resources.memory_bytes,
            gpu_ids=[],
            artifacts=[],
            priority=body.priority,
            timeout_seconds=body.timeout_seconds,
            gpu_share=body.resources.gpu_share,
            retries=body.retries,
            max_memory_bytes=body.max_memory_bytes,
            after=body.after,
            variables=body.variables,
            cold=body.cold,
            start_reason="",
            attempt=1,
            revision=0,
            spool_offset=0,
            run_closed=False,
            progress_done=0,
            progress_total=0,
            created_at=clock.now(),
        )

    def _own_environment(self) -> dict[str, Any]:
        """Where the job will run, for doors that cannot say where it was written (a browser)."""
        if self._environment is None:
            self._environment = environment_lock()
        return self._environment

    def check(self, body: SubmitRequest) -> None:
        """Refuse what `submit` would refuse by its source, names or resources.

        Raises:
            InvalidInput, Refused: as `submit`.
        """
        admission.check(body, self.explainer.turns.machine(body.resources))

    def check_inputs(
        self, caller: Principal, project: str, inputs: dict[str, InputRequest]
    ) -> None:
        """Refuse inputs that the caller cannot read now, as far as that is known without reading.

        Raises:
            NotFound, InvalidInput: as `submit`.
        """
        for name, wanted in inputs.items():
            self.binder.examine(caller, project, name, wanted)

    def inspect(self, body: InspectRequest) -> NotebookInfo:
        """Parameters, inputs and imports of a source, without running it."""
        self.warm.want()
        return sources.inspect(body.source)

    def preflight(self, caller: Principal, project: str, body: SubmitRequest) -> PreflightReport:
        """What would go wrong with a submission; nothing is kept or run."""
        return self.looker.look(caller, project, body)

    # -- look

    def page(self, project: str, paging: Paging, states: Sequence[str] | None) -> Page[Job]:
        """Jobs, newest first."""
        query = select(JobRow).where(JobRow.project == project).order_by(JobRow.id.desc())
        if states:
            query = query.where(JobRow.state.in_(states))
        if paging.cursor:
            query = query.where(JobRow.id < paging.cursor)
        with self.database.read() as session:
            rows = session.scalars(query.limit(paging.limit + 1)).all()
        more = len(rows) > paging.limit
        rows = rows[: paging.limit]
        return Page(items=self._views(rows), next_cursor=rows[-1].id if more else None)

    def show(self, project: str, job_id: str) -> Job:
        """One job.

        Raises:
            NotFound: no such job in the project.
        """
        tries = select(AttemptRow).where(AttemptRow.job_id == job_id).order_by(AttemptRow.number)
        with self.database.read() as session:
            row = find_job(session, project, job_id)
            attempts = [to_attempt(one) for one in session.scalars(tries)]
        job = self._views([row])[0]
        job.attempts = attempts
        return job

    def _views(self, rows: Sequence[JobRow]) -> list[Job]:
        ids = [row.id for row in rows]
        metrics, models = self.metadata.job_metrics(ids), self.metadata.job_models(ids)
        alive = [row.id for row in rows if row.state not in TERMINAL_STATES]
        picture = self.explainer.picture(max(alive)) if alive else None
        return [
            to_job(
                row,
                place=picture.place(row.id) if picture else None,
                metrics=metrics.get(row.id, {}),
                models=models.get(row.id, []),
            )
            for row in rows
        ]

    def queue(self, project: str, limit: int) -> list[QueueEntry]:
        """Jobs of the project that wait, the next one first."""
        return self.explainer.picture().entries(project, limit)

    def event_filter(self, project: str, job_id: str) -> EventFilter:
        """Which events tell of this job."""
        with self.database.read() as session:
            find_job(session, project, job_id)
        return EventFilter((project,), subjects=(f"job/{job_id}",))

    def has_snapshot(self, job_id: str | None, snapshot: str) -> bool:
        """Whether a job's token may read a snapshot."""
        if job_id is None:
            return False
        with self.database.read() as session:
            job = session.get(JobRow, job_id)
            return job is not None and any(
                bound["snapshot"] == snapshot for bound in job.inputs.values()
            )

    def workers(self) -> list[Worker]:
        """Machines that run jobs, what jobs hold of them, and how busy they are."""
        self.places.need_main()
        return self.compute.workers()

    def used(self) -> bool:
        """Whether any job was ever submitted here."""
        with self.database.read() as session:
            return session.scalar(select(JobRow.id).limit(1)) is not None

    def active(self) -> int:
        """Jobs that have not ended."""
        with self.database.read() as session:
            query = select(func.count()).select_from(JobRow)
            return session.scalar(query.where(JobRow.state.in_((*HOLDING, "queued")))) or 0

    # -- stop, run again

    def cancel(self, caller: Principal, project: str, job_id: str) -> Job:
        """Stop a job; one that has ended stays as it is."""
        self.stopper.cancel(caller, project, job_id)
        self.scheduler.wake()
        return self.show(project, job_id)

    def cancel_all(self, caller: Principal) -> None:
        """Stop everything that has not ended."""
        self.stopper.cancel_all(caller)
        self.scheduler.wake()

    def retry(self, caller: Principal, project: str, job_id: str, key: str | None) -> Job:
        """Run a job that has ended again, as a new one with its last checkpoint."""
        self._check_bound(caller, project, job_id)
        made = self.repeater.retry(caller, project, job_id, key)
        self.scheduler.wake()
        return made

    def _check_bound(self, caller: Principal, project: str, job_id: str) -> None:
        """Who runs a job again must see the data that it was bound to.

        Raises:
            NotFound: no such job, or the caller does not see its data.
        """
        with self.database.read() as session:
            inputs = find_job(session, project, job_id).inputs
        for bound in inputs.values():
            place = bound.get("project", project)
            self.binder.snapshots.show(caller, place, bound["snapshot"])


def _of_run_key(session: Session, project: str, run_key: str | None) -> JobRow | None:
    query = select(JobRow).where(JobRow.project == project, JobRow.run_key == run_key)
    return session.scalar(query) if run_key else None


def _in_project(session: Session, project: str, jobs: list[str]) -> set[str]:
    query = select(JobRow.id).where(JobRow.id.in_(jobs), JobRow.project == project)
    return set(session.scalars(query)) if jobs else set()


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False).encode()
