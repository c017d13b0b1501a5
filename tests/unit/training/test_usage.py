"""Points: few, and true to what was used."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlsys_server.training.gpus import GpuUse
from dlsys_server.training.usage import (
    LONGEST_LOOK_SECONDS,
    LOOK_SECONDS,
    MOST_POINTS,
    Point,
    Series,
    cpu_seconds,
    peak_memory,
    thinned,
)

START = datetime(2026, 1, 5, 7, tzinfo=timezone.utc)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


LOOKS = st.lists(
    st.tuples(
        st.floats(0.5, 300),
        st.floats(0, 64),
        st.integers(0, 2**40),
        st.integers(0, 50),
        st.none() | st.floats(0, 1),
    ),
    max_size=60,
)


@given(LOOKS)
def test_thinning_keeps_cpu_seconds_peak_span_and_attempts(
    looks: list[tuple[float, float, int, int, float | None]],
) -> None:
    points, when = [Point(START, 0, 0, 0)], 0.0
    for gap, cpus, memory, processes, gpu in looks:
        when += gap
        points.append(Point(at(when), cpus, memory, processes, gpu, 5))
    few = thinned(points)
    assert cpu_seconds(few) == pytest.approx(cpu_seconds(points))
    assert peak_memory(few) == peak_memory(points)
    assert (few[0], few[-1].at) == (points[0], points[-1].at)
    assert [p for p in few if not p.processes] == [p for p in points if not p.processes]
    if all(p.processes for p in points[1:]):
        assert len(few) == len(points) // 2 + 1


def watch(series: Series, seconds: float, cpus: float, memory: int = 100) -> int:
    """Rounds of the sampler; how often it looked."""
    looked, begun = 0, (series.last.at - START).total_seconds()
    counter = series.counter
    for tick in range(1, int(seconds / LOOK_SECONDS) + 1):
        now = begun + tick * LOOK_SECONDS
        if series.due(at(now)):
            looked += 1
            series.look(at(now), counter + cpus * tick * LOOK_SECONDS, memory, 1)
    return looked


def test_a_short_job_has_a_point_every_two_seconds() -> None:
    series = Series.begin(1, [], START)
    watch(series, 60, 1.5)
    assert len(series.points) == 31
    assert series.points[0] == Point(START, 0, 0, 0)
    assert [p.cpus for p in series.points[1:]] == pytest.approx([1.5] * 30)
    assert cpu_seconds(series.points) == pytest.approx(90)


def test_a_day_has_no_more_points_than_allowed_and_loses_no_cpu_time_or_peak() -> None:
    series = Series.begin(1, [], START)
    watch(series, 7200, 2)
    counter = series.counter
    series.look(series.last.at + timedelta(seconds=8), counter + 16, 9_999, 1)
    looked = watch(series, 79_000, 2)
    series.settle()
    assert MOST_POINTS / 2 <= len(series.points) < MOST_POINTS
    assert cpu_seconds(series.points) == pytest.approx(2 * (7200 + 8 + 79_000), rel=0.001)
    assert peak_memory(series.points) == 9_999
    assert looked == pytest.approx(79_000 / LONGEST_LOOK_SECONDS, rel=0.05)


def test_what_is_kept_afresh_is_known() -> None:
    series = Series.begin(1, [], START)
    watch(series, 4, 1)
    assert series.fresh == 3
    series.fresh = 0
    watch(series, 2 * MOST_POINTS, 1)
    assert series.fresh == -1


def test_time_of_a_child_that_vanishes_is_no_negative_use() -> None:
    series = Series.begin(1, [], START)
    series.look(at(2), 2.0, 1, 2)
    series.look(at(4), 0.5, 1, 1)
    series.look(at(6), 1.5, 1, 1)
    assert [p.cpus for p in series.points] == [0, 1.0, 0, 0.5]


def test_a_new_platform_goes_on_where_the_old_one_stopped() -> None:
    old = Series.begin(1, [], START)
    watch(old, 20, 1)
    new = Series.begin(1, old.points, START)
    assert new.fresh == 0
    new.look(at(60), 60.0, 1, 1)
    assert new.points[-1].cpus == pytest.approx(1)
    assert cpu_seconds(new.points) == pytest.approx(60)


def test_a_second_attempt_begins_with_nothing_and_the_pause_counts_as_no_use() -> None:
    first = Series.begin(1, [], START)
    watch(first, 20, 1)
    second = Series.begin(2, first.points, at(100))
    second.look(at(102), 2.0, 1, 1)
    assert second.points[-2] == Point(at(100), 0, 0, 0)
    assert cpu_seconds(second.points) == pytest.approx(22)
    assert second.fresh == 2


def test_gpu_use_is_kept_where_it_is_known() -> None:
    series = Series.begin(1, [], START)
    series.every = 8
    for second, gpu in ((2, GpuUse()), (4, GpuUse(0.2, 10)), (6, GpuUse(0.4, 30)), (8, GpuUse())):
        series.look(at(second), 0, 1, 1, gpu)
    assert series.pending is None
    assert 0.2 < (series.points[-1].gpu_utilization or 0) < 0.4
    assert series.points[-1].gpu_memory_bytes == 30
