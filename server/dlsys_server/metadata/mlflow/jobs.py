"""What a running job may write: its own run, that run's children, their models and files. Nothing
else.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import Any
from urllib.parse import parse_qsl

from dlsys_server.access.principals import Principal

from .calls import READS, artifact_of, call_of, field, fields, forbidden
from .client import MlflowClient
from .errors import MlflowError

Json = dict[str, Any]
PARENT = "mlflow.parentRunId"
_HINT = (
    "A job writes only to its own run. Do this from a notebook or with the `dlsys` command instead."
)
_DEPTH = 8
_REMEMBERED = 10_000

_READ_CALLS = frozenset(
    {
        "experiments/search", "experiments/search-datasets", "runs/search", "logged-models/search",
        "registered-models/get-latest-versions", "datasets/search",
        "artifacts/presigned-download-url",
    }
)  # fmt: skip
_RUN_CALLS = frozenset(
    "runs/" + verb
    for verb in (
        "log-metric", "log-parameter", "log-batch", "log-inputs", "log-model", "outputs",
        "set-tag", "delete-tag", "update", "delete",
    )
)  # fmt: skip
_MODEL_CALL = re.compile(r"^logged-models/(?P<model>[^/]+)(?:/(?:params|tags(?:/[^/]+)?))?$")
_RUN_FILES = re.compile(
    r"^(?:artifacts|mpu/[a-z]+|presigned)/(?:workspaces/(?P<project>[^/]+)/)?"
    r"\d+/(?:models/(?P<model>m-[^/]+)|(?P<run>[0-9a-f]{32}))/artifacts(?:/|$)"
)


class JobWrites:
    """Checks the writes of job principals; may complete a body so that it refers to the job's
    run.
    """

    def __init__(self, client: MlflowClient) -> None:
        self._client = client
        self._owned: OrderedDict[tuple[str | None, str, str], None] = OrderedDict()

    async def check(
        self, principal: Principal, project: str, method: str, path: str, query: str, body: Json
    ) -> Json:
        """The body to send on. Raises Refused (403) for anything that is not the job's own."""
        call, files = call_of(path), artifact_of(path)
        if method in READS or path == "/graphql" or call in _READ_CALLS:
            return body
        if files is not None:
            await self._files(principal, project, files)
            return body
        if call == "upload-artifact":
            runs = [value for key, value in parse_qsl(query) if key in ("run_uuid", "run_id")]
            await self._runs(principal, project, runs)
            return body
        return await self._call(principal, project, call or path, body)

    async def _call(self, principal: Principal, project: str, call: str, body: Json) -> Json:
        completed = {
            "runs/create": self._child_run,
            "logged-models": self._new_model,
            "model-versions/create": self._new_version,
        }
        if call in completed:
            return await completed[call](principal, project, body)
        if call in _RUN_CALLS:
            await self._runs(principal, project, fields(body, "run_id", "run_uuid"))
        elif model := _MODEL_CALL.match(call):  # MLflow reads the id in the body, too
            for model_id in (model["model"], *fields(body, "model_id")):
                await self._model(principal, project, str(model_id))
        elif call != "registered-models/create":
            raise forbidden(f"A job may not call '{call}'.", _HINT)
        return body

    async def _files(self, principal: Principal, project: str, files: str) -> None:
        place = _RUN_FILES.match(files)
        if place is None or (place["project"] or project) != project:
            raise forbidden("A job may write files only to its own run and models.", _HINT)
        if place["model"]:
            await self._model(principal, project, place["model"])
        else:
            await self._runs(principal, project, [place["run"]])

    async def _child_run(self, principal: Principal, project: str, body: Json) -> Json:
        tags = body.get("tags") or []
        parents = [tag.get("value") for tag in tags if tag.get("key") == PARENT]
        if parents:
            await self._runs(principal, project, parents)
            return body
        return {**body, "tags": [*tags, {"key": PARENT, "value": principal.run_id}]}

    async def _new_model(self, principal: Principal, project: str, body: Json) -> Json:
        runs = fields(body, "source_run_id")
        if not runs:
            return {**body, "source_run_id": principal.run_id}
        await self._runs(principal, project, runs)
        return body

    async def _new_version(self, principal: Principal, project: str, body: Json) -> Json:
        runs = fields(body, "run_id")
        if runs:
            await self._runs(principal, project, runs)
        for model in fields(body, "model_id"):
            await self._model(principal, project, str(model))
        await self._source(principal, project, str(field(body, "source") or ""))
        return body if runs else {**body, "run_id": principal.run_id}

    async def _source(self, principal: Principal, project: str, source: str) -> None:
        scheme, _, rest = source.partition(":")
        rest = rest.strip("/")
        if scheme == "models" and rest.startswith("m-"):
            await self._model(principal, project, rest.split("/")[0])
        elif scheme == "runs":
            await self._runs(principal, project, [rest.split("/")[0]])
        elif scheme == "mlflow-artifacts":
            await self._files(principal, project, f"artifacts/{rest}")
        else:
            raise forbidden("A job may register only models of its own run.", _HINT)

    async def _model(self, principal: Principal, project: str, model_id: str) -> None:
        if self._known(principal, project, model_id):
            return
        try:
            model = await self._client.get_logged_model(project, model_id)
        except MlflowError as error:
            if not error.missing:
                raise
            raise forbidden(f"There is no model '{model_id}' of this job.", _HINT) from None
        await self._runs(principal, project, [model["info"].get("source_run_id")])
        self._remember(principal, project, model_id)

    async def _runs(self, principal: Principal, project: str, runs: list[Any]) -> None:
        if not runs:
            raise forbidden("The call names no run.", _HINT)
        for run in runs:
            if not (isinstance(run, str) and await self._owns(principal, project, run)):
                raise forbidden(f"The run '{run}' is not this job's.", _HINT)

    async def _owns(self, principal: Principal, project: str, run_id: str) -> bool:
        if run_id == principal.run_id or self._known(principal, project, run_id):
            return True
        current = run_id
        for _ in range(_DEPTH):
            try:
                run = await self._client.get_run(project, current)
            except MlflowError as error:
                if error.missing or error.status == 400:
                    return False
                raise
            tags = {tag["key"]: tag.get("value") for tag in run["data"].get("tags", ())}
            parent = tags.get(PARENT)
            if not parent:
                return False
            if parent == principal.run_id:
                self._remember(principal, project, run_id)
                return True
            current = parent
        return False

    def _known(self, principal: Principal, project: str, thing: str) -> bool:
        return (principal.run_id, project, thing) in self._owned

    def _remember(self, principal: Principal, project: str, thing: str) -> None:
        self._owned[principal.run_id, project, thing] = None
        if len(self._owned) > _REMEMBERED:
            self._owned.popitem(last=False)
