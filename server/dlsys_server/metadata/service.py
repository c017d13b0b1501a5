"""Verbs of the metadata room: runs and registered models. MLflow keeps them; we know whose."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import select

from dlsys_server.access.principals import Principal
from dlsys_server.api.paging import Paging
from dlsys_server.core.bridge import LoopBridge
from dlsys_server.core.database import Database
from dlsys_server.core.errors import InvalidInput, NotFound, Unavailable
from jupyter_dlsys.contract.base import Page
from jupyter_dlsys.contract.runs import MetricSeries, Model, ModelVersion, Run

from .mlflow.child import MlflowChild
from .mlflow.client import MlflowClient
from .mlflow.elsewhere import ToldMlflow
from .mlflow.errors import MlflowError
from .recording import Recorder
from .series import read_series
from .tables import MetricKeyRow, ModelVersionRow, RunRow
from .views import contract_of, to_model, to_run, to_version

MAX_EXPERIMENTS = 1000
START_SECONDS = 15.0
T = TypeVar("T")


class MetadataService:
    """Runs, metric curves, models and aliases."""

    def __init__(
        self,
        database: Database,
        bridge: LoopBridge,
        child: MlflowChild | ToldMlflow,
        client: MlflowClient,
        recorder: Recorder,
    ) -> None:
        self.database, self.bridge = database, bridge
        self.child, self.client, self.recorder = child, client, recorder
        self._contracts: dict[tuple[str, str, int], dict[str, Any] | None] = {}
        self.deployments_of: Callable[[str, str], Sequence[str]] = lambda _project, _model: ()

    def ready(self) -> bool:
        """Whether MLflow answers."""
        return self.child.state == "ok"

    def _call(self, coroutine: Coroutine[Any, Any, T], timeout: float = 60) -> T:
        """Ask MLflow from a worker thread; waits a while for one that is starting.

        Raises:
            Unavailable: it is not there.
        """
        if not self.ready() and not self.bridge.call(self.child.ready(START_SECONDS)):
            coroutine.close()
            raise Unavailable(
                "The metadata store (MLflow) is starting.",
                code="metadata-starting",
                hint="Try again in a few seconds; `dlsys health` shows its state.",
                retry_after=3,
            )
        return self.bridge.call(coroutine, timeout)

    # -- runs of jobs

    def start_run(
        self,
        project: str,
        owner: str,
        experiment: str,
        name: str,
        job_id: str,
        tags: dict[str, str],
        parameters: dict[str, Any],
    ) -> str:
        """Start the MLflow run of a job; returns its id."""

        async def start() -> str:
            run_id = await self.client.create_run(project, owner, experiment, name, tags)
            if parameters:
                texts = {key: str(value)[:6000] for key, value in parameters.items()}
                await self.client.log_params(project, run_id, texts)
            return run_id

        run_id = self._call(start())
        with self.database.write() as session:
            row = self.recorder.known_run(session, project, run_id, owner)
            row.job_id = job_id
        return run_id

    def finish_run(self, project: str, run_id: str, status: str) -> None:
        """Tell MLflow how a job's run ended: FINISHED, FAILED or KILLED."""
        self._call(self.client.finish_run(project, run_id, status))

    def job_metrics(self, job_ids: Iterable[str]) -> dict[str, dict[str, float]]:
        """Latest value of each metric, by job."""
        found: dict[str, dict[str, float]] = {}
        with self.database.read() as session:
            rows = session.execute(
                select(RunRow.job_id, MetricKeyRow.key, MetricKeyRow.last_value)
                .join(MetricKeyRow, MetricKeyRow.run == RunRow.id)
                .where(RunRow.job_id.in_(list(job_ids)), MetricKeyRow.last_value.is_not(None))
            )
            for job_id, key, value in rows:
                if job_id is not None and value is not None:
                    found.setdefault(job_id, {})[key] = value
        return found

    def job_models(self, job_ids: Iterable[str]) -> dict[str, list[str]]:
        """Registered versions as name@vN, by job."""
        found: dict[str, list[str]] = {}
        with self.database.read() as session:
            rows = session.scalars(
                select(ModelVersionRow).where(ModelVersionRow.job_id.in_(list(job_ids)))
            )
            for row in rows:
                found.setdefault(row.job_id or "", []).append(f"{row.model}@v{row.version}")
        return found

    def _page(self, coroutine: Coroutine[Any, Any, T], paging: Paging) -> T:
        """As `_call`; MLflow breaks on a cursor that it has not made.

        Raises:
            InvalidInput: that was the caller's.
        """
        try:
            return self._call(coroutine)
        except MlflowError as error:
            if paging.cursor and error.status == 500:
                raise InvalidInput(
                    "The cursor is not one of this list.", hint="Take it from next_cursor."
                ) from None
            raise

    # -- runs

    def runs(
        self, project: str, paging: Paging, experiment: str | None, filter: str | None
    ) -> Page[Run]:
        """Runs, newest first."""

        async def search() -> tuple[list[dict[str, Any]], str, dict[str, str]]:
            experiments = await self.client.list_experiments(project, MAX_EXPERIMENTS)
            names = {str(e["experiment_id"]): e["name"] for e in experiments}
            wanted = [i for i, name in names.items() if experiment in (None, name, i)]
            if not wanted:
                return [], "", names
            runs, following = await self.client.search_runs(
                project,
                wanted,
                filter=filter or "",
                order_by=["attributes.start_time DESC"],
                limit=paging.limit,
                page_token=paging.cursor or "",
            )
            return runs, following, names

        runs, following, names = self._page(search(), paging)
        jobs = self._jobs_of([r["info"]["run_id"] for r in runs])
        return Page(items=[to_run(r, names, jobs) for r in runs], next_cursor=following or None)

    def run(self, project: str, run_id: str) -> Run:
        """One run.

        Raises:
            NotFound: no such run in the project.
        """

        async def get() -> tuple[dict[str, Any], list[dict[str, Any]]]:
            run = await self.client.get_run(project, run_id)
            return run, await self.client.list_experiments(project, MAX_EXPERIMENTS)

        run, experiments = self._found(get(), f"run '{run_id}'", "`dlsys runs list` shows them.")
        names = {str(e["experiment_id"]): e["name"] for e in experiments}
        return to_run(run, names, self._jobs_of([run_id]))

    def metrics(
        self, project: str, run_id: str, keys: list[str] | None, points: int
    ) -> list[MetricSeries]:
        """Metric curves of a run."""
        with self.database.read() as session:
            known = session.scalar(
                select(RunRow).where(RunRow.run_id == run_id, RunRow.project == project)
            )
            if known is not None:
                return read_series(session, run_id, keys, points)
        self.run(project, run_id)
        return []

    def _jobs_of(self, run_ids: list[str]) -> dict[str, str]:
        with self.database.read() as session:
            rows = session.execute(
                select(RunRow.run_id, RunRow.job_id).where(
                    RunRow.run_id.in_(run_ids), RunRow.job_id.is_not(None)
                )
            )
            return {run_id: job_id for run_id, job_id in rows if job_id}

    # -- models

    def models(self, project: str, paging: Paging) -> Page[Model]:
        """Registered models with their newest version."""
        asked = self.client.search_models(
            project, limit=paging.limit, page_token=paging.cursor or ""
        )
        found, following = self._page(asked, paging)
        items = [to_model(project, m, []) for m in found]
        for item in items:
            item.deployments = list(self.deployments_of(project, item.name))
        return Page(items=items, next_cursor=following or None)

    def model(self, project: str, name: str) -> Model:
        """One model with its versions, newest first."""

        async def get() -> tuple[dict[str, Any], list[dict[str, Any]]]:
            model = await self.client.get_model(project, name)
            versions, _ = await self.client.list_versions(project, name)
            return model, versions

        model, versions = self._found(get(), f"model '{name}'", MODEL_HINT)
        aliases = _aliases(model)
        found = to_model(project, model, [self._version(project, v, aliases) for v in versions])
        found.deployments = list(self.deployments_of(project, name))
        for version in found.versions:
            if version.aliases or version.version == found.latest:
                version.contract = self._contract(project, name, version.version)
        return found

    def model_version(self, project: str, name: str, version: str) -> ModelVersion:
        """One version: 3, v3, an alias, or latest ('' too).

        Raises:
            NotFound: no such model, version or alias.
        """
        model = self.model(project, name)
        number = _number(model, version)
        for found in model.versions:
            if found.version == number:
                found.contract = self._contract(project, name, found.version)
                return found
        raise NotFound(f"Model '{name}' has no version {version}.", hint=MODEL_HINT)

    def _contract(self, project: str, name: str, version: int) -> dict[str, Any] | None:
        """What the model says of its inputs and outputs; versions never change, so it is kept."""
        key = (project, name, version)
        if key not in self._contracts:
            try:
                text = self._call(
                    self.client.read_version_file(project, name, str(version), "MLmodel")
                )
            except MlflowError:
                return None
            self._contracts[key] = contract_of(text)
        return self._contracts[key]

    def _version(
        self, project: str, found: dict[str, Any], aliases: dict[str, int]
    ) -> ModelVersion:
        run_id = found.get("run_id") or self._run_of(project, found)
        metrics: dict[str, float] = {}
        job = None
        if run_id:
            job = self._jobs_of([run_id]).get(run_id)
            metrics = self._run_metrics(run_id)
        return to_version(found, aliases, run_id, job, metrics)

    def _run_of(self, project: str, found: dict[str, Any]) -> str | None:
        with self.database.read() as session:
            return session.scalar(
                select(ModelVersionRow.run_id).where(
                    ModelVersionRow.project == project,
                    ModelVersionRow.model == found["name"],
                    ModelVersionRow.version == int(found["version"]),
                )
            )

    def _run_metrics(self, run_id: str) -> dict[str, float]:
        with self.database.read() as session:
            rows = session.execute(
                select(MetricKeyRow.key, MetricKeyRow.last_value)
                .join(RunRow, RunRow.id == MetricKeyRow.run)
                .where(RunRow.run_id == run_id, MetricKeyRow.last_value.is_not(None))
            )
            return {key: value for key, value in rows if value is not None}

    def promote(
        self, caller: Principal, project: str, name: str, alias: str, version: int
    ) -> Model:
        """Let an alias name a version."""
        if not alias or not alias.replace("-", "").replace("_", "").isalnum() or alias[0] == "v":
            raise InvalidInput(
                f"'{alias}' cannot be an alias.",
                hint="Use letters, digits, '-' and '_', not starting with 'v', e.g. champion.",
            )
        self.model_version(project, name, str(version))
        self._call(self.client.set_alias(project, name, alias, str(version)))
        self.recorder.alias_changed(caller.name, project, name, alias, version)
        return self.model(project, name)

    def demote(self, caller: Principal, project: str, name: str, alias: str) -> Model:
        """Remove an alias."""
        model = self.model(project, name)
        if alias not in model.aliases:
            raise NotFound(f"Model '{name}' has no alias '{alias}'.", hint=MODEL_HINT)
        self._call(self.client.delete_alias(project, name, alias))
        self.recorder.alias_changed(caller.name, project, name, alias, None)
        return self.model(project, name)

    def download(self, project: str, name: str, version: int, target: Path) -> Path:
        """Bring the files of a version into `target`, all or nothing."""
        return self._call(
            self.client.download_version(project, name, str(version), target), timeout=1800
        )

    def _found(self, coroutine: Any, what: str, hint: str) -> Any:
        try:
            return self._call(coroutine)
        except MlflowError as error:
            if error.missing:
                raise NotFound(f"There is no {what}.", hint=hint) from None
            raise


MODEL_HINT = "`dlsys models list` shows models; `dlsys models show NAME` their versions."


def _aliases(model: dict[str, Any]) -> dict[str, int]:
    return {a["alias"]: int(a["version"]) for a in model.get("aliases", [])}


def _number(model: Model, version: str) -> int | None:
    if version in ("", "latest"):
        return model.latest
    if version in model.aliases:
        return model.aliases[version]
    text = version.removeprefix("v")
    return int(text) if text.isdigit() else None
