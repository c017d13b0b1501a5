"""What MLflow calls tell: parse a call's request and answer into facts. Pure, no I/O.

`call` is the API call without prefix and version ("runs/log-batch"), see `calls.call_of`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from dataclasses import field as member
from typing import Any, Literal, Protocol

from dlsys_server.access.principals import Principal

from .calls import READS, field

Json = dict[str, Any]
ENDED = frozenset({"FINISHED", "FAILED", "KILLED"})
_MODEL_SOURCE = re.compile(r"^models:/(m-[^/]+)")


class Tap(Protocol):
    """Hears of successful calls that came through the proxy."""

    def matches(self, method: str, call: str) -> bool:
        """Whether `observed` wants this call; only then is the answer kept in memory."""
        ...

    async def observed(
        self, principal: Principal, project: str, call: str, request: Json, response: Json
    ) -> None:
        """Called after MLflow said yes and before the client hears it."""
        ...


@dataclass(frozen=True)
class MetricPoint:
    """One logged value; `timestamp_ms` since 1970 UTC. `value` may be NaN or infinite."""

    run_id: str
    key: str
    step: int
    timestamp_ms: int
    value: float
    model_id: str | None = None


@dataclass(frozen=True)
class ParamLogged:
    """A parameter of a run."""

    run_id: str
    key: str
    value: str


@dataclass(frozen=True)
class RunChanged:
    """A run was made, renamed or ended (`status` RUNNING, SCHEDULED, FINISHED, FAILED, KILLED)."""

    kind: Literal["created", "updated", "ended", "deleted", "restored"]
    run_id: str
    experiment_id: str = ""
    name: str = ""
    status: str = ""
    parent_run_id: str | None = None
    tags: dict[str, str] = member(default_factory=dict)


@dataclass(frozen=True)
class TagSet:
    """A tag of a run."""

    run_id: str
    key: str
    value: str


@dataclass(frozen=True)
class DatasetUsed:
    """A dataset was logged as input of a run."""

    run_id: str
    name: str
    digest: str
    source_type: str
    source: str


@dataclass(frozen=True)
class ModelLogged:
    """A LoggedModel was made (its files follow)."""

    model_id: str
    run_id: str | None
    experiment_id: str
    name: str


@dataclass(frozen=True)
class ModelVersionCreated:
    """A version was registered. `model_id` is read from the source: MLflow's own field is often
    empty.
    """

    name: str
    version: str
    source: str
    run_id: str | None
    model_id: str | None


@dataclass(frozen=True)
class AliasChanged:
    """An alias points at `version`, or was removed (None)."""

    name: str
    alias: str
    version: str | None


Fact = (
    MetricPoint
    | ParamLogged
    | RunChanged
    | TagSet
    | DatasetUsed
    | ModelLogged
    | ModelVersionCreated
    | AliasChanged
)
_Parser = Callable[[Json, Json], Iterable[Fact]]


def _run_id(request: Json) -> str:
    return str(field(request, "run_id", "run_uuid") or "")


def _point(run_id: str, metric: Json) -> MetricPoint:
    # protobuf writes 64-bit integers as strings and NaN as "NaN"; float() and int() read both.
    return MetricPoint(
        run_id=run_id,
        key=str(field(metric, "key")),
        step=int(field(metric, "step") or 0),
        timestamp_ms=int(field(metric, "timestamp") or 0),
        value=float(metric.get("value", 0.0)),
        model_id=field(metric, "model_id"),
    )


def _log_metric(request: Json, _: Json) -> Iterable[Fact]:
    yield _point(_run_id(request), request)


def _log_param(request: Json, _: Json) -> Iterable[Fact]:
    yield ParamLogged(_run_id(request), str(request["key"]), str(request.get("value", "")))


def _set_tag(request: Json, _: Json) -> Iterable[Fact]:
    yield TagSet(_run_id(request), str(request["key"]), str(request.get("value", "")))


def _log_batch(request: Json, _: Json) -> Iterable[Fact]:
    run_id = _run_id(request)
    for metric in request.get("metrics") or ():
        yield _point(run_id, metric)
    for param in request.get("params") or ():
        yield from _log_param({**param, "run_id": run_id}, {})
    for tag in request.get("tags") or ():
        yield from _set_tag({**tag, "run_id": run_id}, {})


def _create_run(_: Json, response: Json) -> Iterable[Fact]:
    info, data = response["run"]["info"], response["run"].get("data", {})
    tags = {tag["key"]: tag.get("value", "") for tag in data.get("tags", ())}
    yield RunChanged(
        "created",
        info["run_id"],
        str(info.get("experiment_id", "")),
        info.get("run_name", ""),
        info.get("status", ""),
        tags.get("mlflow.parentRunId"),
        tags,
    )


def _update_run(request: Json, response: Json) -> Iterable[Fact]:
    info = response.get("run_info") or {}
    status = str(info.get("status") or field(request, "status") or "")
    yield RunChanged(
        "ended" if field(request, "status") and status in ENDED else "updated",
        str(info.get("run_id") or _run_id(request)),
        str(info.get("experiment_id", "")),
        str(info.get("run_name", "")),
        status,
    )


def _delete_run(request: Json, _: Json) -> Iterable[Fact]:
    yield RunChanged("deleted", _run_id(request))


def _restore_run(request: Json, _: Json) -> Iterable[Fact]:
    yield RunChanged("restored", _run_id(request))


def _log_inputs(request: Json, _: Json) -> Iterable[Fact]:
    for entry in request.get("datasets") or ():
        dataset = entry.get("dataset") or {}
        yield DatasetUsed(
            _run_id(request),
            str(dataset.get("name", "")),
            str(dataset.get("digest", "")),
            str(field(dataset, "source_type") or ""),
            str(dataset.get("source", "")),
        )


def _create_logged_model(_: Json, response: Json) -> Iterable[Fact]:
    info = response["model"]["info"]
    yield ModelLogged(
        info["model_id"],
        info.get("source_run_id") or None,
        str(info.get("experiment_id", "")),
        info.get("name", ""),
    )


def _create_version(_: Json, response: Json) -> Iterable[Fact]:
    version = response["model_version"]
    source = version.get("source", "")
    yield ModelVersionCreated(
        version["name"],
        str(version["version"]),
        source,
        version.get("run_id") or None,
        version.get("model_id") or model_id_of(source),
    )


def _set_alias(request: Json, _: Json) -> Iterable[Fact]:
    yield AliasChanged(str(request["name"]), str(request["alias"]), str(request["version"]))


def _delete_alias(request: Json, _: Json) -> Iterable[Fact]:
    yield AliasChanged(str(request["name"]), str(request["alias"]), None)


_PARSERS: dict[tuple[str, str], _Parser] = {
    ("POST", "runs/log-metric"): _log_metric,
    ("POST", "runs/log-parameter"): _log_param,
    ("POST", "runs/log-batch"): _log_batch,
    ("POST", "runs/set-tag"): _set_tag,
    ("POST", "runs/create"): _create_run,
    ("POST", "runs/update"): _update_run,
    ("POST", "runs/delete"): _delete_run,
    ("POST", "runs/restore"): _restore_run,
    ("POST", "runs/log-inputs"): _log_inputs,
    ("POST", "logged-models"): _create_logged_model,
    ("POST", "model-versions/create"): _create_version,
    ("POST", "registered-models/alias"): _set_alias,
    ("DELETE", "registered-models/alias"): _delete_alias,
}


def tells(method: str, call: str) -> bool:
    """Whether `facts_of` can find anything in this call."""
    return method not in READS and (method, call) in _PARSERS


def facts_of(method: str, call: str, request: Json, response: Json) -> list[Fact]:
    """The facts in one successful call; [] for calls that tell nothing."""
    parser = _PARSERS.get((method, call))
    return list(parser(request, response)) if parser else []


def model_id_of(source: str) -> str | None:
    """The LoggedModel that a model version's source names, if it names one."""
    found = _MODEL_SOURCE.match(source)
    return found[1] if found else None
