"""The platform's own client of its MLflow: runs, models, files. Never imports mlflow itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from .connection import Json
from .download import download_folder
from .errors import MlflowError
from .tenancy import Tenancy

_Result = TypeVar("_Result")


class MlflowClient(Tenancy):
    """Verbs on runs, models, users and workspaces. `user` is who acts; None: the platform.

    All verbs raise MlflowError. A project is an MLflow workspace of the same name.
    """

    # --- runs

    async def ensure_experiment(self, project: str, name: str) -> str:
        """Id of the experiment, made when missing."""
        await self.ensure_workspace(project)
        params = {"experiment_name": name}
        try:
            found = await self.request(
                "GET", "experiments/get-by-name", params=params, project=project
            )
        except MlflowError as error:
            if not error.missing:
                raise
        else:
            return str(found["experiment"]["experiment_id"])
        try:
            made = await self.request(
                "POST", "experiments/create", body={"name": name}, project=project
            )
        except MlflowError as error:
            if not error.exists:
                raise
            found = await self.request(
                "GET", "experiments/get-by-name", params=params, project=project
            )
            return str(found["experiment"]["experiment_id"])
        return str(made["experiment_id"])

    async def create_run(
        self,
        project: str,
        user: str,
        experiment: str,
        name: str,
        tags: Mapping[str, str] | None = None,
    ) -> str:
        """Start a run in the named experiment in the name of `user`; gives its id."""
        experiment_id = await self.ensure_experiment(project, experiment)
        await self.ensure_user(user, project, "member", lower=False)
        body = {
            "experiment_id": experiment_id,
            "user_id": user,
            "run_name": name,
            "start_time": _now_ms(),
            "tags": _pairs({"mlflow.user": user, **(tags or {})}),
        }
        answer = await self.request("POST", "runs/create", body=body, project=project, user=user)
        return str(answer["run"]["info"]["run_id"])

    async def finish_run(self, project: str, run_id: str, status: str = "FINISHED") -> None:
        """End a run: FINISHED, FAILED or KILLED."""
        body = {"run_id": run_id, "status": status, "end_time": _now_ms()}
        await self.request("POST", "runs/update", body=body, project=project)

    async def get_run(self, project: str, run_id: str) -> Json:
        """A run as MLflow writes it: `info`, `data`, `inputs`, `outputs`."""
        answer = await self.request("GET", "runs/get", params={"run_id": run_id}, project=project)
        run: Json = answer["run"]
        return run

    async def search_runs(
        self,
        project: str,
        experiment_ids: Iterable[str],
        *,
        filter: str = "",
        order_by: Iterable[str] = (),
        limit: int = 100,
        page_token: str = "",
    ) -> tuple[list[Json], str]:
        """Runs and the token of the next page ("" at the end)."""
        body = {
            "experiment_ids": list(experiment_ids),
            "filter": filter,
            "order_by": list(order_by),
            "max_results": limit,
            "page_token": page_token,
        }
        answer = await self.request("POST", "runs/search", body=body, project=project)
        return answer.get("runs", []), answer.get("next_page_token", "")

    async def list_experiments(self, project: str, limit: int = 1000) -> list[Json]:
        """The experiments of a project."""
        await self.ensure_workspace(project)
        body = {"max_results": limit}
        answer = await self.request("POST", "experiments/search", body=body, project=project)
        return list(answer.get("experiments", []))

    async def log_batch(
        self,
        project: str,
        run_id: str,
        *,
        metrics: Iterable[Json] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Write metrics ({key, value, timestamp (ms), step}), parameters and tags; at most 1000
        together.
        """
        body = {
            "run_id": run_id,
            "metrics": list(metrics),
            "params": _pairs(params or {}),
            "tags": _pairs(tags or {}),
        }
        await self.request("POST", "runs/log-batch", body=body, project=project)

    async def log_params(self, project: str, run_id: str, params: Mapping[str, str]) -> None:
        """Write parameters."""
        await self.log_batch(project, run_id, params=params)

    async def set_tags(self, project: str, run_id: str, tags: Mapping[str, str]) -> None:
        """Write tags."""
        await self.log_batch(project, run_id, tags=tags)

    async def metric_history(
        self, project: str, run_id: str, key: str, *, limit: int = 25_000, page_token: str = ""
    ) -> tuple[list[Json], str]:
        """Points of one metric and the token of the next page ("" at the end)."""
        params = {"run_id": run_id, "metric_key": key, "max_results": limit}
        if page_token:
            params["page_token"] = page_token
        answer = await self.request("GET", "metrics/get-history", params=params, project=project)
        return answer.get("metrics", []), answer.get("next_page_token", "")

    # --- models

    async def get_logged_model(self, project: str, model_id: str) -> Json:
        """A LoggedModel: `info` (source_run_id, artifact_uri, …), `data`."""
        answer = await self.request("GET", f"logged-models/{quote(model_id)}", project=project)
        model: Json = answer["model"]
        return model

    async def search_models(
        self, project: str, *, filter: str = "", limit: int = 100, page_token: str = ""
    ) -> tuple[list[Json], str]:
        """Registered models and the token of the next page."""
        await self.ensure_workspace(project)
        params = {"filter": filter, "max_results": limit, "page_token": page_token}
        answer = await self.request(
            "GET", "registered-models/search", params=_without_blanks(params), project=project
        )
        return answer.get("registered_models", []), answer.get("next_page_token", "")

    async def get_model(self, project: str, name: str) -> Json:
        """A registered model with its aliases and tags."""
        answer = await self.request(
            "GET", "registered-models/get", params={"name": name}, project=project
        )
        model: Json = answer["registered_model"]
        return model

    async def list_versions(
        self, project: str, name: str, *, limit: int = 200, page_token: str = ""
    ) -> tuple[list[Json], str]:
        """Versions of a model, newest first, and the token of the next page."""
        quoted = name.replace("'", "''")
        params = {
            "filter": f"name='{quoted}'",
            "max_results": limit,
            "order_by": "version_number DESC",
            "page_token": page_token,
        }
        answer = await self.request(
            "GET", "model-versions/search", params=_without_blanks(params), project=project
        )
        return answer.get("model_versions", []), answer.get("next_page_token", "")

    async def get_version(self, project: str, name: str, version: str) -> Json:
        """One version."""
        params = {"name": name, "version": version}
        answer = await self.request("GET", "model-versions/get", params=params, project=project)
        found: Json = answer["model_version"]
        return found

    async def get_version_by_alias(self, project: str, name: str, alias: str) -> Json:
        """The version an alias points at."""
        params = {"name": name, "alias": alias}
        answer = await self.request(
            "GET", "registered-models/alias", params=params, project=project
        )
        found: Json = answer["model_version"]
        return found

    async def set_alias(
        self, project: str, name: str, alias: str, version: str, *, user: str | None = None
    ) -> None:
        """Point an alias at a version."""
        body = {"name": name, "alias": alias, "version": version}
        await self.request("POST", "registered-models/alias", body=body, project=project, user=user)

    async def delete_alias(
        self, project: str, name: str, alias: str, *, user: str | None = None
    ) -> None:
        """Remove an alias."""
        body = {"name": name, "alias": alias}
        await self.request(
            "DELETE", "registered-models/alias", body=body, project=project, user=user
        )

    async def set_version_tag(
        self, project: str, name: str, version: str, key: str, value: str
    ) -> None:
        """Write a tag of a version."""
        body = {"name": name, "version": version, "key": key, "value": value}
        await self.request("POST", "model-versions/set-tag", body=body, project=project)

    async def download_version(self, project: str, name: str, version: str, target: Path) -> Path:
        """Bring the files of a version into the folder `target`, all or nothing; kept when it is
        there.
        """
        params = {"name": name, "version": version}
        answer = await self.request(
            "GET", "model-versions/get-download-uri", params=params, project=project
        )
        root = await self._artifact_path(project, answer["artifact_uri"])
        return await download_folder(self._client(), self.headers(project), root, target)

    async def read_version_file(self, project: str, name: str, version: str, path: str) -> bytes:
        """The bytes of one small file of a version, e.g. "MLmodel"."""
        params = {"name": name, "version": version}
        answer = await self.request(
            "GET", "model-versions/get-download-uri", params=params, project=project
        )
        root = await self._artifact_path(project, answer["artifact_uri"])
        return await self.artifact(project, f"{root}/{path}")

    async def _artifact_path(self, project: str, uri: str) -> str:
        if uri.startswith("models:/m-"):
            model = await self.get_logged_model(project, uri.removeprefix("models:/").split("/")[0])
            uri = model["info"]["artifact_uri"]
        elif uri.startswith("runs:/"):
            run_id, _, rest = uri.removeprefix("runs:/").partition("/")
            run = await self.get_run(project, run_id)
            uri = f"{run['info']['artifact_uri']}/{rest}"
        if not uri.startswith("mlflow-artifacts:/"):
            raise MlflowError(
                409, "INVALID_STATE", f"The files of this version are not in our store: {uri}",
                "Register a model that was logged to a run of this platform.",
            )  # fmt: skip
        return uri.removeprefix("mlflow-artifacts:").strip("/")


def blocking(
    socket: Path, secret: str, verbs: Callable[[MlflowClient], Awaitable[_Result]]
) -> _Result:
    """Run verbs from a thread without an event loop: ``blocking(s, k, lambda mlflow:
    mlflow.get_run(p, r))``.
    """

    async def run() -> _Result:
        client = MlflowClient(lambda: socket, secret)
        try:
            return await verbs(client)
        finally:
            await client.close()

    return asyncio.run(run())


def _pairs(values: Mapping[str, str]) -> list[Json]:
    return [{"key": key, "value": str(value)} for key, value in values.items()]


def _without_blanks(params: Json) -> Json:
    return {key: value for key, value in params.items() if value != ""}


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
