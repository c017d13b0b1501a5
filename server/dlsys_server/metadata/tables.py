"""Lineage graph, metric points, and what we know of runs and model versions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Float, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from dlsys_server.core.tables import Base, BigId


class NodeRow(Base):
    """A thing with a past or a future."""

    __tablename__ = "lineage_node"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    urn: Mapped[str] = mapped_column(String(400), unique=True)
    type: Mapped[str] = mapped_column(String(32))
    name: Mapped[str] = mapped_column(String(300))
    project: Mapped[str] = mapped_column(String(63), index=True)
    actor: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime]
    properties: Mapped[dict[str, Any]]


class EdgeRow(Base):
    """`source` was there first."""

    __tablename__ = "lineage_edge"
    __table_args__ = (Index("ix_lineage_edge_target", "target", "source"),)

    source: Mapped[int] = mapped_column(ForeignKey("lineage_node.id"), primary_key=True)
    target: Mapped[int] = mapped_column(ForeignKey("lineage_node.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(32), primary_key=True)
    created_at: Mapped[datetime]


class RunRow(Base):
    """An MLflow run that the platform knows: its project, owner, and the job that made it."""

    __tablename__ = "run"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    run_id: Mapped[str] = mapped_column(String(64), unique=True)
    project: Mapped[str] = mapped_column(String(63), index=True)
    owner: Mapped[str] = mapped_column(String(200))
    job_id: Mapped[str | None] = mapped_column(String(26), index=True)
    created_at: Mapped[datetime]


class MetricKeyRow(Base):
    """A metric of a run, with its newest value."""

    __tablename__ = "metric_key"
    __table_args__ = (Index("ix_metric_key_run", "run", "key", unique=True),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    run: Mapped[int] = mapped_column(ForeignKey("run.id"))
    key: Mapped[str] = mapped_column(String(250))
    last_step: Mapped[int] = mapped_column(BigId)
    last_at: Mapped[float] = mapped_column(Float)
    last_value: Mapped[float | None] = mapped_column(Float)
    count: Mapped[int] = mapped_column(default=0)


class MetricPointRow(Base):
    """One value of a metric; `value` null for NaN and infinities, `at` epoch seconds."""

    __tablename__ = "metric_point"
    __table_args__ = {"sqlite_with_rowid": False}

    metric: Mapped[int] = mapped_column(ForeignKey("metric_key.id"), primary_key=True)
    step: Mapped[int] = mapped_column(BigId, primary_key=True)
    at: Mapped[float] = mapped_column(Float, primary_key=True)
    value: Mapped[float | None] = mapped_column(Float)


class ModelVersionRow(Base):
    """A registered model version that was seen being made."""

    __tablename__ = "model_version"

    project: Mapped[str] = mapped_column(String(63), primary_key=True)
    model: Mapped[str] = mapped_column(String(250), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[str | None] = mapped_column(String(64), index=True)
    job_id: Mapped[str | None] = mapped_column(String(26), index=True)
    created_at: Mapped[datetime]
