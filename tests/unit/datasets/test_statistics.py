"""Statistics: right for the rows, and the same whether they came at once or bit by bit."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlsys_server.datasets.sketches import Bins, Distinct, Frequent, Moments, hash_values
from jupyter_dlsys.contract.datasets import ColumnStatistics
from tests.support.datasets import ANN, PROJECT, Room, csv

FINITE = st.lists(
    st.floats(allow_nan=False, allow_infinity=False, width=64), min_size=1, max_size=40
)


@given(FINITE, FINITE)
@settings(max_examples=300, deadline=None)
def test_merged_bins_are_the_bins_of_all(one: list[float], two: list[float]) -> None:
    parts = [Bins.of(np.array(v), whole=False) for v in (one, two)]
    merged = parts[0].merge(parts[1])
    assert merged == parts[1].merge(parts[0])
    assert sum(merged.counts.values()) == len(one) + len(two)
    edges, counts = merged.edges()
    assert len(counts) <= 32
    assert len(edges) == len(counts) + 1
    values = np.array(one + two)
    edges[-1] = math.inf
    for low, high, count in zip(edges, edges[1:], counts, strict=False):
        assert ((values >= low) & (values < high)).sum() == count


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50),
    st.lists(st.floats(-1e6, 1e6), max_size=50),
)
@settings(max_examples=150, deadline=None)
def test_merged_moments(one: list[float], two: list[float]) -> None:
    merged = Moments.of(np.array(one)).merge(Moments.of(np.array(two)))
    values = np.array(one + two)
    assert merged.n == len(values)
    assert (merged.low, merged.high) == (values.min(), values.max())
    assert math.isclose(merged.mean, values.mean(), rel_tol=1e-9, abs_tol=1e-6)
    assert math.isclose(merged.std, values.std(), rel_tol=1e-6, abs_tol=1e-3)


def test_distinct_is_exact_when_few_and_near_when_many() -> None:
    few = Distinct.of(hash_values(str(i % 100) for i in range(1000)))
    assert few.estimate() == 100
    halves = [Distinct.of(hash_values(map(str, r))) for r in (range(30_000), range(20_000, 50_000))]
    assert 40_000 < halves[0].merge(halves[1]).estimate() < 60_000


def test_frequent_values_survive_the_cap() -> None:
    found = Frequent()
    for start in range(0, 5000, 500):
        part = {f"rare{i}": 1 for i in range(start, start + 500)} | {"often": 100}
        found = found.merge(Frequent(part))
    assert len(found.counts) <= 256
    assert found.top(1)[0][0] == "often"


def _columns(room: Room, name: str) -> dict[str, ColumnStatistics]:
    found = room.datasets.version(ANN, PROJECT, name, "").statistics
    return {c.name: c for c in found.columns}


def test_of_a_table(room: Room) -> None:
    room.create("t", "tabular")
    room.commit("t", "a.csv", csv((1, "a", "x"), (2, "", "yy"), (4, "b", "x"), header="n,c,d"))
    columns = _columns(room, "t")
    n = columns["n"]
    assert (n.minimum, n.maximum, n.missing, n.distinct) == (1, 4, 0, 3)
    assert n.mean == pytest.approx(7 / 3)
    assert n.histogram is not None
    assert n.histogram.edges == [1, 2, 3, 4, 5]
    assert n.histogram.counts == [1, 1, 0, 1]
    assert (columns["c"].missing, columns["c"].distinct) == (1, 2)
    assert [(t.value, t.count) for t in columns["d"].top] == [("x", 2), ("yy", 1)]


def test_bit_by_bit_is_as_at_once(room: Room) -> None:
    rows: list[tuple[Any, ...]] = [(i * 0.37, f"w{i % 7}", i % 3 == 0) for i in range(60)]
    header = "x,word,flag"
    room.create("once", "tabular")
    room.commit("once", "a.csv", csv(*rows, header=header))
    room.create("bits", "tabular")
    for start in range(0, 60, 20):
        room.commit("bits", "a.csv", csv(*rows[start : start + 20], header=header))
    once, bits = _columns(room, "once"), _columns(room, "bits")
    for name in once:
        assert bits[name].std == pytest.approx(once[name].std)
        same = {"mean": None, "std": None}
        assert bits[name].model_copy(update=same) == once[name].model_copy(update=same)


def test_a_column_that_came_later_is_missing_before(room: Room) -> None:
    room.create("t", "tabular")
    room.commit("t", "a.csv", csv((1,), (2,), header="n"))
    room.commit("t", "a.csv", csv((1, 5.5), header="n,x"))
    room.commit("t", "a.csv", csv((1,), header="n"))
    assert _columns(room, "t")["x"].missing == 3


def test_delete_counts_again(room: Room) -> None:
    room.create("t", "tabular")
    room.commit("t", "a.csv", csv((1,), (2,), (900,), header="n"))
    room.delete("t", "n > 100")
    assert _columns(room, "t")["n"].maximum == 2


def test_odd_numbers_do_not_break_json(room: Room) -> None:
    room.create("t", "tabular")
    room.commit("t", "a.csv", csv(("inf", 1e308), ("nan", -1e308), ("1", 5e-324), header="x,y"))
    text = room.datasets.version(ANN, PROJECT, "t", "").model_dump_json()
    assert "NaN" not in text
    assert json.loads(text)["statistics"]["rows"] == 3
    assert _columns(room, "t")["x"].missing == 1
