"""Metric points: kept once, thinned without losing spikes."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlsys_server.core import clock
from dlsys_server.core.database import Database
from dlsys_server.metadata.mlflow.taps import MetricPoint
from dlsys_server.metadata.series import read_series, thin, write_points
from dlsys_server.metadata.tables import RunRow
from jupyter_dlsys.contract.runs import MetricPoint as View


def points(values):
    return [View(step=i, value=v, at=float(i)) for i, v in enumerate(values)]


@given(
    values=st.lists(st.floats(-1e6, 1e6), min_size=0, max_size=400),
    limit=st.integers(10, 100),
)
def test_thinning_keeps_ends_extremes_and_the_limit(values, limit):
    kept = thin(points(values), limit)
    assert len(kept) <= max(limit, 0)
    assert [p.step for p in kept] == sorted(p.step for p in kept)
    if values:
        assert kept[0].step == 0 and kept[-1].step == len(values) - 1
        assert max(p.value for p in kept) == max(values)
        assert min(p.value for p in kept) == min(values)


def test_a_single_spike_in_ten_thousand_points_survives():
    values = [0.0] * 10_000
    values[7777] = 99.0
    assert any(p.value == 99.0 for p in thin(points(values), 100))


@pytest.fixture
def database(tmp_path):
    found = Database(f"sqlite:///{tmp_path / 'x.sqlite'}")
    found.migrate()
    yield found
    found.close()


def test_points_are_kept_once_and_nan_is_null(database):
    with database.write() as session:
        run = RunRow(run_id="r", project="default", owner="ann", created_at=clock.now())
        session.add(run)
        session.flush()
        batch = [
            MetricPoint("r", "loss", step, 1000 * step, value)
            for step, value in enumerate([1.0, math.nan, math.inf, 0.5])
        ]
        write_points(session, run, batch)
        write_points(session, run, batch)
    with database.read() as session:
        [series] = read_series(session, "r", None, 100)
        assert [p.value for p in series.points] == [1.0, None, None, 0.5]
        assert read_series(session, "r", ["other"], 100) == []
