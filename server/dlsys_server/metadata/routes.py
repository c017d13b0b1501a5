"""HTTP of the metadata room: parse, authorise, call one verb, return."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Query

from dlsys_server.access.routing import Caller, RoomRouter, service
from dlsys_server.api.paging import PagingQuery
from jupyter_dlsys.contract.base import Page
from jupyter_dlsys.contract.runs import (
    AliasRequest,
    Lineage,
    MetricSeries,
    Model,
    ModelVersion,
    Run,
)

from .lineage import LineageService
from .service import MetadataService

router = RoomRouter(prefix="/projects/{project}", tags=["metadata"])
Metadata = Annotated[MetadataService, service("metadata")]
LineageRoom = Annotated[LineageService, service("lineage")]


@router.get("/runs", operation_id="runs.list")
def list_runs(
    project: str,
    caller: Caller,
    metadata: Metadata,
    paging: PagingQuery,
    experiment: str | None = None,
    filter: str | None = None,
) -> Page[Run]:
    """Runs, newest first; `filter` in MLflow's words, e.g. metrics.accuracy > 0.8."""
    return metadata.runs(project, paging, experiment, filter)


@router.get("/runs/{run_id}", operation_id="runs.show")
def show_run(project: str, run_id: str, caller: Caller, metadata: Metadata) -> Run:
    """One run."""
    return metadata.run(project, run_id)


@router.get("/runs/{run_id}/metrics", operation_id="runs.metrics")
def read_metrics(
    project: str,
    run_id: str,
    caller: Caller,
    metadata: Metadata,
    key: Annotated[list[str] | None, Query()] = None,
    points: Annotated[int, Query(ge=10, le=5000)] = 500,
) -> list[MetricSeries]:
    """Metric curves of a run, thinned to at most `points` each, spikes kept."""
    return metadata.metrics(project, run_id, key, points)


@router.get("/models", operation_id="models.list")
def list_models(
    project: str, caller: Caller, metadata: Metadata, paging: PagingQuery
) -> Page[Model]:
    """Registered models, most recently changed first."""
    return metadata.models(project, paging)


@router.get("/models/{name}", operation_id="models.show")
def show_model(project: str, name: str, caller: Caller, metadata: Metadata) -> Model:
    """One model with its versions, newest first."""
    return metadata.model(project, name)


@router.get("/models/{name}/versions/{version}", operation_id="models.version")
def show_model_version(
    project: str, name: str, version: str, caller: Caller, metadata: Metadata
) -> ModelVersion:
    """One version: 3, v3, an alias or latest."""
    return metadata.model_version(project, name, version)


@router.put("/models/{name}/aliases/{alias}", operation_id="models.promote")
def promote(
    project: str, name: str, alias: str, body: AliasRequest, caller: Caller, metadata: Metadata
) -> Model:
    """Let an alias name a version; deployments that follow the alias move."""
    return metadata.promote(caller, project, name, alias, body.version)


@router.delete("/models/{name}/aliases/{alias}", operation_id="models.demote")
def demote(project: str, name: str, alias: str, caller: Caller, metadata: Metadata) -> Model:
    """Remove an alias."""
    return metadata.demote(caller, project, name, alias)


@router.get("/lineage", operation_id="lineage.show")
def show_lineage(
    project: str,
    ref: str,
    caller: Caller,
    lineage: LineageRoom,
    direction: Literal["up", "down", "both"] = "both",
    depth: Annotated[int, Query(ge=1, le=8)] = 8,
    limit: Annotated[int, Query(ge=1, le=2000)] = 500,
) -> Lineage:
    """What a thing came from and what came of it.

    `ref`: dataset/name@v1, snapshot/sha256:…, job/ID, run/ID, model/name@v1, deployment/name,
    or the id of a node.
    """
    return lineage.show(caller, project, ref, direction, depth, limit)
