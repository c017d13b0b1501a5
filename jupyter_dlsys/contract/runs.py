"""Runs, metric series, registered models, lineage."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from .base import Answer, Request


class Run(Answer):
    """An MLflow run with the job that made it."""

    run_id: str
    name: str
    experiment: str
    status: str
    job: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    parameters: dict[str, str] = {}
    metrics: dict[str, float] = {}
    tags: dict[str, str] = {}


class MetricPoint(Answer):
    """One value of a metric; `at` in epoch seconds."""

    step: int
    value: float | None = Field(description="null for NaN and infinities")
    at: float


class MetricSeries(Answer):
    """A metric over steps, thinned to at most the asked number of points, spikes kept."""

    key: str
    count: int
    points: list[MetricPoint]


class ModelVersion(Answer):
    """One version of a registered model."""

    model: str
    version: int
    created_at: datetime
    run_id: str | None = None
    job: str | None = None
    aliases: list[str] = []
    metrics: dict[str, float] = {}
    parameters: dict[str, str] = {}
    description: str = ""
    source: str = ""
    contract: dict[str, Any] | None = Field(
        None, description="Inputs, outputs and labels that the endpoint speaks."
    )


class Model(Answer):
    """A registered model."""

    name: str
    project: str
    created_at: datetime
    updated_at: datetime
    description: str = ""
    latest: int | None = None
    aliases: dict[str, int] = {}
    versions: list[ModelVersion] = []
    deployments: list[str] = []


class AliasRequest(Request):
    """Which version an alias names from now on."""

    version: int


class LineageNode(Answer):
    """A thing with a past or a future."""

    id: str = Field(description="dlsys://project/type/name@version")
    type: Literal[
        "dataset_version",
        "snapshot",
        "notebook",
        "environment",
        "run",
        "model_version",
        "deployment",
    ]
    name: str
    created_at: datetime
    actor: str
    properties: dict[str, Any] = {}
    more: int = Field(0, description="Neighbours that the caps left out.")


class LineageEdge(Answer):
    """`source` was there first."""

    source: str
    target: str
    kind: str


class Lineage(Answer):
    """A part of the graph around `root`."""

    root: str
    nodes: list[LineageNode]
    edges: list[LineageEdge]
    truncated: bool = False
