"""Verbs of the training room."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from dlsys_server.access.principals import Principal
from dlsys_server.api.paging import Paging
from dlsys_server.core import clock, idempotency
from dlsys_server.core.database import Database
from dlsys_server.core.errors import Conflict, InvalidInput, NotFound
from dlsys_server.core.events import EventFilter
from dlsys_server.core.ids import new_id
from dlsys_server.core.store import ObjectStore
from dlsys_server.datasets.snapshots import SnapshotService
from dlsys_server.metadata.service import MetadataService
from jupyter_dlsys.contract.base import Page
from jupyter_dlsys.contract.datasets import SnapshotRequest
from jupyter_dlsys.contract.environment import environment_lock
from jupyter_dlsys.contract.jobs import (
    TERMINAL_STATES,
    Artifact,
    InspectRequest,
    Job,
    NotebookInfo,
    SubmitRequest,
)
from jupyter_dlsys.contract.references import parse_reference
from jupyter_dlsys.contract.system import Worker

from . import admission, sources
from .announcing import Announcer
from .keeping import Keeper, outputs
from .scheduler import Scheduler
from .slots import Slots
from .states import HOLDING, move
from .tables import JobRow
from .views import to_job

LOG_WINDOW = 2**20


class TrainingService:
    """Submit, look, cancel."""

    def __init__(
        self,
        database: Database,
        store: ObjectStore,
        snapshots: SnapshotService,
        metadata: MetadataService,
        scheduler: Scheduler,
        keeper: Keeper,
        announcer: Announcer,
    ) -> None:
        self.database, self.store, self.snapshots = database, store, snapshots
        self.metadata, self.scheduler = metadata, scheduler
        self.keeper, self.announcer = keeper, announcer
        self._environment: dict[str, Any] | None = None

    # -- submit

    def submit(self, caller: Principal, project: str, body: SubmitRequest, key: str | None) -> Job:
        """Keep everything the job needs, then queue it in one transaction.

        Raises:
            InvalidInput, Refused: the source, an input or the resources cannot work.
        """
        asked = idempotency.fingerprint("jobs.submit", project, body)
        with self.database.read() as session:
            if first := idempotency.recall(session, caller.name, key, asked):
                return Job.model_validate(first)
        info = admission.check(body, self.scheduler.capacity)
        inputs = self._bind(caller, project, body)
        job = self._row(caller, project, body, inputs)
        job.reason = "Waiting to start"
        note = admission.unknown_parameters(body, info)
        with self.database.write() as session:
            if first := idempotency.recall(session, caller.name, key, asked):
                return Job.model_validate(first)
            session.add(job)
            session.flush()
            self.announcer.changed(session, job.id)
            if note:
                self.announcer.note(session, job, note)
            answer = to_job(job)
            idempotency.remember(session, caller.name, key, asked, answer)
        self.scheduler.wake()
        return answer

    def _bind(self, caller: Principal, project: str, body: SubmitRequest) -> dict[str, Any]:
        bound: dict[str, Any] = {}
        for name, wanted in body.inputs.items():
            dataset, ref = _reference(name, wanted.dataset)
            request = SnapshotRequest(
                ref=ref,
                tags=wanted.tags,
                where=wanted.where,
                columns=wanted.columns,
                split=wanted.split,
                seed=wanted.seed,
            )
            snapshot = self.snapshots.create(caller, project, dataset, request)
            bound[name] = {
                "dataset": snapshot.dataset,
                "version": snapshot.version,
                "snapshot": snapshot.hash,
            }
        return bound

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

    def inspect(self, body: InspectRequest) -> NotebookInfo:
        """Parameters, inputs and imports of a source, without running it."""
        return sources.inspect(body.source)

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
            return Page(
                items=self._views(session, list(rows)), next_cursor=rows[-1].id if more else None
            )

    def show(self, project: str, job_id: str) -> Job:
        """One job.

        Raises:
            NotFound: no such job in the project.
        """
        with self.database.read() as session:
            return self._views(session, [_find(session, project, job_id)])[0]

    def _views(self, session: Session, rows: list[JobRow]) -> list[Job]:
        ids = [row.id for row in rows]
        metrics, models = self.metadata.job_metrics(ids), self.metadata.job_models(ids)
        return [
            to_job(
                row,
                position=_position(session, row) if row.state == "queued" else None,
                metrics=metrics.get(row.id, {}),
                models=models.get(row.id, []),
            )
            for row in rows
        ]

    def event_filter(self, project: str, job_id: str) -> EventFilter:
        """Which events tell of this job."""
        with self.database.read() as session:
            _find(session, project, job_id)
        return EventFilter((project,), subjects=(f"job/{job_id}",))

    def log(self, project: str, job_id: str, offset: int) -> tuple[str, int]:
        """At most 1 MB of the log from a byte offset, and the offset after it."""
        with self.database.read() as session:
            job = _find(session, project, job_id)
        if job.log_sha:
            data = self.keeper.read(job.log_sha)[offset : offset + LOG_WINDOW]
        else:
            data = _window(self.keeper.attempts.folder(job) / "log", offset)
        data = _whole_characters(data)
        return data.decode("utf-8", "replace"), offset + len(data)

    def notebook(self, project: str, job_id: str) -> bytes:
        """The executed notebook so far; the source as submitted before it starts."""
        with self.database.read() as session:
            job = _find(session, project, job_id)
        if job.notebook_sha:
            return self.keeper.read(job.notebook_sha)
        live = self.keeper.attempts.folder(job) / "notebook.ipynb"
        if live.exists():
            return live.read_bytes()
        if job.kind == "script":
            raise NotFound(
                f"{job.source} is a script; it has no notebook.", hint="Read its log instead."
            )
        files: dict[str, str] = json.loads(self.store.get(job.bundle_sha))["files"]
        return files[job.source].encode()

    def artifacts(self, project: str, job_id: str) -> list[Artifact]:
        """Files that the job left, or has written so far."""
        with self.database.read() as session:
            job = _find(session, project, job_id)
        if job.state in TERMINAL_STATES:
            return [Artifact(path=a["path"], bytes=a["bytes"]) for a in job.artifacts]
        found = outputs(self.keeper.attempts.folder(job) / "outputs")
        return [Artifact(path=path, bytes=file.stat().st_size) for path, file in found]

    def artifact(self, project: str, job_id: str, path: str) -> Path:
        """One of these files on this machine.

        Raises:
            NotFound: the job left no such file.
        """
        with self.database.read() as session:
            job = _find(session, project, job_id)
        for kept in job.artifacts:
            if kept["path"] == path:
                return self.keeper.local(kept["sha256"])
        for name, file in outputs(self.keeper.attempts.folder(job) / "outputs"):
            if name == path:
                return file
        raise NotFound(
            f"The job left no file '{path}'.", hint="`dlsys jobs artifacts ID` lists its files."
        )

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
        """This machine."""
        with self.database.read() as session:
            holding = session.scalars(select(JobRow).where(JobRow.state.in_(HOLDING))).all()
        capacity = self.scheduler.capacity
        left = Slots.left(capacity, holding)
        return [
            Worker(
                name=platform.node() or "local",
                cpus=capacity.cpus,
                cpus_used=capacity.cpus - left.cpus,
                memory_bytes=capacity.memory_bytes,
                memory_bytes_used=capacity.memory_bytes - left.memory_bytes,
                gpus=list(capacity.gpus),
                gpus_used=len(capacity.gpus) - len(left.gpus),
                jobs=[job.id for job in holding],
            )
        ]

    def active(self) -> int:
        """Jobs that have not ended."""
        with self.database.read() as session:
            query = select(func.count()).select_from(JobRow)
            return session.scalar(query.where(JobRow.state.in_((*HOLDING, "queued")))) or 0

    # -- cancel

    def cancel(self, caller: Principal, project: str, job_id: str) -> Job:
        """Stop a job; one that has ended stays as it is."""
        for _ in range(5):
            with self.database.write() as session:
                job = _find(session, project, job_id)
                if job.state in TERMINAL_STATES or job.state == "cancelling":
                    break
                queued = job.state == "queued"
                values: dict[str, Any] = {"reason": f"Cancelled by {caller.name}"}
                if queued:
                    values.update(exit_reason="cancelled", finished_at=clock.now(), run_closed=True)
                if move(session, job, "cancelled" if queued else "cancelling", **values):
                    self.announcer.changed(session, job_id)
                    break
        else:
            raise Conflict("The job changes too fast to be cancelled.", hint="Try again.")
        self.scheduler.wake()
        return self.show(project, job_id)

    def cancel_all(self, caller: Principal) -> None:
        """Stop everything that has not ended."""
        with self.database.read() as session:
            rows = session.execute(
                select(JobRow.project, JobRow.id).where(JobRow.state.in_((*HOLDING, "queued")))
            ).all()
        for project, job_id in rows:
            self.cancel(caller, project, job_id)


def _find(session: Session, project: str, job_id: str) -> JobRow:
    job = session.get(JobRow, job_id)
    if job is None or job.project != project:
        raise NotFound(
            f"There is no job '{job_id}' in {project}.", hint="`dlsys jobs list` shows them."
        )
    return job


def _reference(name: str, reference: str) -> tuple[str, str]:
    try:
        return parse_reference(reference)
    except ValueError as error:
        raise InvalidInput(
            f"Input '{name}': {error}", hint="`dlsys datasets list` shows the datasets."
        ) from None


def _position(session: Session, job: JobRow) -> int:
    ahead = select(func.count()).select_from(JobRow)
    ahead = ahead.where(
        JobRow.state == "queued",
        or_(
            JobRow.priority > job.priority,
            (JobRow.priority == job.priority) & (JobRow.id < job.id),
        ),
    )
    return (session.scalar(ahead) or 0) + 1


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False).encode()


def _whole_characters(data: bytes) -> bytes:
    """Without a UTF-8 character that a window's end cut in two."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 != 0x80:
            length = 1 + (byte >= 0xC0) + (byte >= 0xE0) + (byte >= 0xF0)
            return data[:-back] if length > back else data
    return data


def _window(path: Path, offset: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(LOG_WINDOW)
    except FileNotFoundError:
        return b""
