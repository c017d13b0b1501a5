"""Metric points: written as they are logged, read back thinned with their spikes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from jupyter_dlsys.contract.runs import MetricPoint as PointView
from jupyter_dlsys.contract.runs import MetricSeries

from .mlflow.taps import MetricPoint
from .tables import MetricKeyRow, MetricPointRow, RunRow


def finite(value: float) -> float | None:
    """JSON has no NaN and no infinities."""
    return value if math.isfinite(value) else None


def write_points(session: Session, run: RunRow, points: Iterable[MetricPoint]) -> None:
    """Add points of one run; a point that is there already is left alone."""
    dialect = session.get_bind().dialect.name
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    keys = {
        row.key: row
        for row in session.scalars(select(MetricKeyRow).where(MetricKeyRow.run == run.id))
    }
    rows = []
    for point in points:
        key = keys.get(point.key)
        if key is None:
            key = MetricKeyRow(
                run=run.id, key=point.key, last_step=point.step, last_at=0, last_value=None, count=0
            )
            session.add(key)
            session.flush()
            keys[point.key] = key
        at, value = point.timestamp_ms / 1000, finite(point.value)
        if (point.step, at) >= (key.last_step, key.last_at):
            key.last_step, key.last_at, key.last_value = point.step, at, value
        key.count += 1
        rows.append({"metric": key.id, "step": point.step, "at": at, "value": value})
    if rows:
        session.execute(insert(MetricPointRow).on_conflict_do_nothing(), rows)


def read_series(
    session: Session, run_id: str, keys: Sequence[str] | None, limit: int
) -> list[MetricSeries]:
    """Curves of a run, each of at most `limit` points."""
    query = (
        select(MetricKeyRow)
        .join(RunRow, RunRow.id == MetricKeyRow.run)
        .where(RunRow.run_id == run_id)
        .order_by(MetricKeyRow.key)
    )
    if keys:
        query = query.where(MetricKeyRow.key.in_(keys))
    return [_series(session, key, limit) for key in session.scalars(query)]


def _series(session: Session, key: MetricKeyRow, limit: int) -> MetricSeries:
    found = session.execute(
        select(MetricPointRow.step, MetricPointRow.value, MetricPointRow.at)
        .where(MetricPointRow.metric == key.id)
        .order_by(MetricPointRow.step, MetricPointRow.at)
    ).all()
    points = [PointView(step=step, value=value, at=at) for step, value, at in found]
    return MetricSeries(key=key.key, count=len(points), points=thin(points, limit))


def thin(points: list[PointView], limit: int) -> list[PointView]:
    """At most `limit` points: smallest and largest of each of `limit / 2` buckets, in order.

    Min-max decimation as plotting libraries do it; the first and the last point always stay.
    """
    if len(points) <= limit:
        return points
    buckets = max(1, (limit - 2) // 2)
    inner, kept = points[1:-1], [points[0]]
    for index in range(buckets):
        part = inner[index * len(inner) // buckets : (index + 1) * len(inner) // buckets]
        valued = [p for p in part if p.value is not None]
        if valued:
            low = min(valued, key=lambda p: p.value or 0.0)
            high = max(valued, key=lambda p: p.value or 0.0)
            kept += [low] if low is high else sorted((low, high), key=lambda p: (p.step, p.at))
    return [*kept, points[-1]]
