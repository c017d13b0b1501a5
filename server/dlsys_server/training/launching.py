"""From a job in state `starting` to a supervisor that runs: MLflow run, token, files, process."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from dlsys_server.access import tokens
from dlsys_server.access.principals import Principal
from dlsys_server.core import clock
from dlsys_server.core.database import Database
from dlsys_server.core.errors import DlsysError
from dlsys_server.datasets.snapshots import SnapshotService
from dlsys_server.metadata.lineage import LineageService
from dlsys_server.metadata.service import MetadataService

from .announcing import Announcer
from .checkpoints import Checkpoints
from .states import move
from .tables import AttemptRow, JobRow

log = logging.getLogger(__name__)
TOKEN_LIFETIME = timedelta(days=30)


class Launcher:
    """Prepares and starts attempts; every step can be repeated."""

    def __init__(
        self,
        database: Database,
        checkpoints: Checkpoints,
        announcer: Announcer,
        snapshots: SnapshotService,
        metadata: MetadataService,
        lineage: LineageService,
        platform_url: Callable[[], str],
    ) -> None:
        self.database, self.checkpoints = database, checkpoints
        self.attempts, self.store = checkpoints.attempts, checkpoints.keeper.store
        self.announcer, self.snapshots = announcer, snapshots
        self.metadata, self.lineage = metadata, lineage
        self.platform_url = platform_url

    def blocked(self) -> str:
        """What all jobs have to wait for; '' when nothing."""
        if not self.metadata.ready():
            return "the metadata store to start"
        return self.attempts.place.waits_for()

    def waits_for(self, owner: str) -> str:
        """What jobs of an owner have to wait for; '' when nothing."""
        return self.attempts.place.waits_for(owner)

    def launch(self, job_id: str) -> None:
        """Bring a `starting` job to its supervisor; one that cannot start fails with the reason."""
        with self.database.read() as session:
            job = session.get(JobRow, job_id)
        if job is None or job.state not in ("starting", "running"):
            return
        if self.attempts.prepared(job):
            self.attempts.launch(job)
            return
        try:
            job = self._with_run(job)
            self._prepare(job)
        except DlsysError as error:
            if error.status == 503:
                log.warning("job waits for a part", extra={"job": job_id, "detail": error.detail})
                return
            self._fail(job, f"{error.detail} {error.hint}".strip())
            return
        except OSError as error:
            self._fail(job, f"The job's folder could not be written: {error.strerror or error}.")
            return
        self.attempts.launch(job)

    def _with_run(self, job: JobRow) -> JobRow:
        if job.run_id is not None:
            return job
        experiment = PurePosixPath(job.source).stem
        own = [b["dataset"] for b in job.inputs.values() if not b.get("project")]
        tags = _tags(job, self.snapshots.names.public(job.project, own) if own else frozenset())
        run_id = self.metadata.start_run(
            job.project, job.owner, experiment, job.name, job.id, tags, job.parameters
        )
        with self.database.write() as session:
            row = session.get(JobRow, job.id)
            if row is None:
                return job
            row.run_id, row.experiment = run_id, experiment
            self._record_lineage(session, row, run_id)
            session.flush()
            self.announcer.changed(session, job.id)
            return row

    def _record_lineage(self, session: Session, job: JobRow, run_id: str) -> None:
        def record(type: Any, name: str, version: str = "", **properties: Any) -> int:
            return self.lineage.record(
                session,
                project=job.project,
                type=type,
                name=name,
                version=version,
                actor=job.owner,
                properties=properties,
            )

        run = record("run", run_id, title=job.name, job=job.id, parameters=job.parameters)
        notebook = record("notebook", job.source, job.source_hash[7:19], hash=job.source_hash)
        self.lineage.link(session, notebook, run, "executed")
        if job.environment_sha:
            environment = record("environment", job.environment_sha[:12], sha=job.environment_sha)
            self.lineage.link(session, environment, run, "used_env")
        for name, bound in job.inputs.items():
            dataset = "/".join(filter(None, (bound.get("project"), bound["dataset"])))
            snapshot = record("snapshot", bound["snapshot"], dataset=dataset, bound=name)
            self.lineage.link(session, snapshot, run, "consumed")

    def _prepare(self, job: JobRow) -> None:
        bundle = json.loads(self.store.get(job.bundle_sha))
        reader = Principal.of(
            job.owner, "job", job.project, (job.project,), frozenset(), job_id=job.id
        )
        inputs = {
            name: self.snapshots.show(reader, job.project, bound["snapshot"]).model_dump(
                mode="json"
            )
            for name, bound in job.inputs.items()
        }
        description = {
            "kind": job.kind,
            "source": f"source/{job.source}",
            "parameters": job.parameters,
            "kernel_name": None,
            "autosave_seconds": 30,
            "inputs": inputs,
        }
        step = self.checkpoints.carry(job)
        with self.database.write() as session:
            session.execute(
                update(AttemptRow)
                .where(AttemptRow.job_id == job.id, AttemptRow.number == job.attempt)
                .values(checkpoint=step)
            )
            account = self.attempts.place.account(job.owner)
            session.execute(
                update(JobRow)
                .where(JobRow.id == job.id)
                .values(account=account.name if account else None)
            )
            tokens.revoke(session, job.project, f"job/{job.id}")
            _, secret = tokens.issue(
                session,
                "job",
                name=f"job {job.id}",
                owner=job.owner,
                project=job.project,
                subject=f"job/{job.id}",
                properties={"run_id": job.run_id or ""},
                lifetime=TOKEN_LIFETIME,
            )
        environment = self._environment(job, secret)
        self.attempts.prepare(job, bundle["files"], description, environment)

    def _environment(self, job: JobRow, secret: str) -> dict[str, str]:
        url = self.platform_url()
        return {
            # Libraries would else start a thread for each core, and jobs side by side then starve.
            "OMP_NUM_THREADS": str(max(1, math.ceil(job.cpus))),
            **_share(job),
            **job.variables,
            "DLSYS_URL": url,
            "DLSYS_TOKEN": secret,
            "DLSYS_PROJECT": job.project,
            "DLSYS_JOB_ID": job.id,
            "DLSYS_ATTEMPT": str(job.attempt),
            "MLFLOW_TRACKING_URI": f"{url}/mlflow",
            "MLFLOW_TRACKING_TOKEN": secret,
            "MLFLOW_WORKSPACE": job.project,
            "MLFLOW_RUN_ID": job.run_id or "",
            "MLFLOW_EXPERIMENT_NAME": job.experiment or "",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_ENABLE_ASYNC_LOGGING": "false",
            "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
            "CUDA_DEVICE_ORDER": "PCI_BUS_ID",  # the order of nvidia-smi, from which the ids are
            "CUDA_VISIBLE_DEVICES": ",".join(job.gpu_ids),
        }

    def _fail(self, job: JobRow, reason: str) -> None:
        with self.database.write() as session:
            row = session.get(JobRow, job.id)
            if row is not None and row.state == "starting":
                tokens.revoke(session, job.project, f"job/{job.id}")
                values = {"exit_reason": "launch-failed", "finished_at": clock.now()}
                if move(session, row, "failed", reason=reason, **values):
                    self.announcer.changed(session, job.id)


def _share(job: JobRow) -> dict[str, str]:
    """What keeps a job to its part of a GPU that others use too; by agreement, not by force."""
    if job.gpu_share >= 1:
        return {}
    share = f"{job.gpu_share:g}"
    return {
        "DLSYS_GPU_SHARE": share,
        "PYTORCH_ALLOC_CONF": f"per_process_memory_fraction:{share}",
        "XLA_PYTHON_CLIENT_MEM_FRACTION": share,
    }


def _tags(job: JobRow, public: frozenset[str]) -> dict[str, str]:
    """For MLflow, which shows them to the whole project: datasets by name only where it may."""
    tags = {
        "dlsys.job": job.id,
        "dlsys.source_hash": job.source_hash,
        "mlflow.source.name": job.source,
        "mlflow.source.type": "NOTEBOOK" if job.kind == "notebook" else "LOCAL",
        "mlflow.user": job.owner,
    }
    for name, bound in job.inputs.items():
        if bound["dataset"] in public and not bound.get("project"):
            tags[f"dlsys.input.{name}"] = f"{bound['dataset']}@v{bound['version']}"
        tags[f"dlsys.snapshot.{name}"] = bound["snapshot"]
    return tags
