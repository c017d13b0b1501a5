"""MLflow's answers as our contract shows them."""

from __future__ import annotations

import json
from typing import Any

import yaml

from dlsys_server.core import clock
from jupyter_dlsys.contract.runs import Model, ModelVersion, Run

from .series import finite

Json = dict[str, Any]


def to_run(run: Json, experiments: dict[str, str], jobs: dict[str, str]) -> Run:
    """A run."""
    info, data = run["info"], run.get("data") or {}
    tags = {t["key"]: t.get("value", "") for t in data.get("tags", [])}
    metrics = {m["key"]: finite(float(m.get("value", 0))) for m in data.get("metrics", [])}
    return Run(
        run_id=info["run_id"],
        name=info.get("run_name") or tags.get("mlflow.runName", info["run_id"][:8]),
        experiment=experiments.get(str(info.get("experiment_id")), ""),
        status=info.get("status", ""),
        job=jobs.get(info["run_id"]),
        started_at=_time(info.get("start_time")),
        finished_at=_time(info.get("end_time")),
        parameters={p["key"]: p.get("value", "") for p in data.get("params", [])},
        metrics={key: value for key, value in metrics.items() if value is not None},
        tags=tags,
    )


def to_model(project: str, model: Json, versions: list[ModelVersion]) -> Model:
    """A registered model."""
    aliases = {a["alias"]: int(a["version"]) for a in model.get("aliases", [])}
    numbers = [int(v["version"]) for v in model.get("latest_versions", [])]
    numbers += [v.version for v in versions]
    return Model(
        name=model["name"],
        project=project,
        created_at=clock.from_epoch(int(model.get("creation_timestamp", 0)) / 1000),
        updated_at=clock.from_epoch(int(model.get("last_updated_timestamp", 0)) / 1000),
        description=model.get("description", ""),
        latest=max(numbers, default=None),
        aliases=aliases,
        versions=versions,
    )


def to_version(
    found: Json,
    aliases: dict[str, int],
    run_id: str | None,
    job: str | None,
    metrics: dict[str, float],
) -> ModelVersion:
    """A model version."""
    number = int(found["version"])
    return ModelVersion(
        model=found["name"],
        version=number,
        created_at=clock.from_epoch(int(found.get("creation_timestamp", 0)) / 1000),
        run_id=run_id,
        job=job,
        aliases=sorted(alias for alias, version in aliases.items() if version == number),
        metrics=metrics,
        description=found.get("description", ""),
        source=found.get("source", ""),
    )


def _time(milliseconds: Any) -> Any:
    return clock.from_epoch(int(milliseconds) / 1000) if milliseconds else None


def contract_of(mlmodel: bytes) -> Json | None:
    """The contract in an MLmodel file: our own metadata, else MLflow's signature; None without."""
    try:
        found = yaml.safe_load(mlmodel)
    except yaml.YAMLError:
        return None
    if not isinstance(found, dict):
        return None
    own = (found.get("metadata") or {}).get("dlsys")
    if isinstance(own, dict):
        return own
    signature = found.get("signature") or {}
    parts = {k: json.loads(signature[k]) for k in ("inputs", "outputs") if signature.get(k)}
    return parts or None
