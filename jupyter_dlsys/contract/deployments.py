"""Deployments: a model version behind an endpoint."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from .base import Answer, Name, Request

DeploymentState = Literal["starting", "ready", "updating", "degraded", "failed", "stopped"]


class DeployRequest(Request):
    """Serve `model`; a reference by alias is followed when the alias moves."""

    name: Name | None = Field(None, description="The model's name when left out.")
    model: str = Field(description="name, name@v3 or name@champion")
    trust: Literal["safe", "code"] = Field(
        "safe", description="'code' lets the worker load pickles and Python code: you vouch for it."
    )
    max_batch: int = Field(32, ge=1, le=4096)
    slo_ms: float | None = Field(None, gt=0, description="Refuse with 503 rather than be later.")


class DeploymentStatistics(Answer):
    """Of the last minutes, from the gateway."""

    requests: int = 0
    errors: int = 0
    requests_per_second: float = 0
    p50_ms: float | None = None
    p99_ms: float | None = None
    restarts: int = 0


class GoldenReport(Answer):
    """Golden examples replayed through the endpoint before traffic moved."""

    examples: int
    matched: int
    max_difference: float


class Deployment(Answer):
    """An endpoint and what it serves."""

    name: str
    project: str
    owner: str
    model: str = Field(description="As asked for, e.g. intent@champion.")
    version: int | None = Field(None, description="The version that answers now.")
    target_version: int
    previous_version: int | None = None
    state: DeploymentState
    message: str = ""
    trust: Literal["safe", "code"]
    url: str = Field(description="Base URL for programs, e.g. http://…/v2/models/intent")
    created_at: datetime
    updated_at: datetime
    contract: dict[str, Any] | None = None
    golden: GoldenReport | None = None
    statistics: DeploymentStatistics = DeploymentStatistics()


class PredictRequest(Request):
    """Inputs by name: lists of equal length, one entry an example."""

    inputs: dict[str, list[Any]]


class Prediction(Answer):
    """Outputs by name, with the version that made them."""

    outputs: dict[str, list[Any]]
    model_version: str
    request_id: str
    milliseconds: float
