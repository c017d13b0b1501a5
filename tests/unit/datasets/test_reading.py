"""What people see of a version: windows of rows, exports, differences, lists."""

from __future__ import annotations

import io
import json
from functools import partial

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from dlsys_server.api.paging import Paging
from dlsys_server.core.errors import InvalidInput, NotFound
from tests.support.datasets import ANN, PROJECT, Room, csv, jsonl

ROWS = [(f"t{i}", "even" if i % 2 == 0 else "odd") for i in range(30)]


def test_windows(room: Room) -> None:
    room.create()
    for start in range(0, 30, 10):
        room.commit("tweets", "a.csv", csv(*ROWS[start : start + 10]))
    read = partial(room.datasets.rows, ANN)
    page = read(PROJECT, "tweets", "", None, ["text"], 8, 5)
    assert (page.total, page.offset) == (30, 8)
    assert page.rows == [{"text": f"t{i}"} for i in range(8, 13)]
    odd = read(PROJECT, "tweets", "", "label == 'odd'", None, 10, 3)
    assert odd.total == 15
    assert [r["text"] for r in odd.rows] == ["t21", "t23", "t25"]
    assert read(PROJECT, "tweets", "", None, None, 99, 5).rows == []
    with pytest.raises(InvalidInput, match="lable"):
        read(PROJECT, "tweets", "", None, ["lable"], 0, 5)


def test_values_for_people(room: Room) -> None:
    room.create("g", "generic")
    table = pa.table(
        {
            "blob": [b"x" * 1234],
            "at": pa.array([0], pa.timestamp("us", "UTC")),
            "inf": [float("inf")],
            "long": ["y" * 9000],
        }
    )
    out = io.BytesIO()
    pq.write_table(table, out)
    room.commit("g", "a.parquet", out.getvalue())
    row = room.rows("g")[0]
    assert row["blob"] == "<1.2 kB binary>"
    assert row["at"] == "1970-01-01T00:00:00+00:00"
    assert row["inf"] == "inf"
    assert len(row["long"]) == 4001
    json.dumps(row, allow_nan=False)


@pytest.mark.parametrize("form", ["arrow", "parquet", "csv", "jsonl"])
def test_exports_give_all_rows(room: Room, form: str) -> None:
    room.create()
    room.commit("tweets", "a.csv", csv(*ROWS[:20]))
    room.commit("tweets", "b.jsonl", jsonl({"text": 'q"uo,te', "label": "odd", "n": 1}))
    found = room.datasets.export(ANN, PROJECT, "tweets", "", "label == 'odd'", None, form)
    data = b"".join(found.blocks)
    readers = {
        "arrow": lambda: pa.ipc.open_stream(data).read_all(),
        "parquet": lambda: pq.read_table(io.BytesIO(data)),
        "csv": lambda: pacsv.read_csv(io.BytesIO(data)),
        "jsonl": lambda: pa.Table.from_pylist([json.loads(x) for x in data.splitlines()]),
    }
    table = readers[form]()
    assert table.column("text").to_pylist() == [*(t for t, n in ROWS[:20] if n == "odd"), 'q"uo,te']
    assert table.column("n").to_pylist() == [None] * 10 + [1]
    assert found.filename == f"tweets-v2.{form}"


def test_exports_of_nothing_and_of_what_csv_cannot_hold(room: Room) -> None:
    room.create()
    room.commit("tweets", "a.csv", csv(*ROWS))
    found = room.datasets.export(ANN, PROJECT, "tweets", "", "text == 'no'", None, "csv")
    assert b"".join(found.blocks).strip() == b'"text","label"'
    room.create("g", "generic")
    room.commit("g", "a.jsonl", jsonl({"v": [1, 2]}))
    with pytest.raises(InvalidInput, match="CSV cannot hold"):
        room.datasets.export(ANN, PROJECT, "g", "", None, None, "csv")
    with pytest.raises(InvalidInput, match="no column"):
        room.datasets.export(ANN, PROJECT, "g", "", "w == 1", None, "jsonl")


def test_diff_counts_rows_as_multisets(room: Room) -> None:
    room.create()
    room.commit("tweets", "a.csv", csv(("a", "x"), ("a", "x"), ("b", "y")))
    room.commit("tweets", "b.csv", csv(("a", "x"), ("c", "z")))
    room.delete("tweets", "text == 'b'")
    found = room.datasets.diff(ANN, PROJECT, "tweets", "v1", "v3")
    assert (found.rows_added, found.rows_removed) == (2, 1)
    assert sorted(r["text"] for r in found.added) == ["a", "c"]
    assert found.removed == [{"text": "b", "label": "y"}]
    changes = {c.label: (c.before, c.after) for c in found.label_changes}
    assert changes == {"x": (2, 3), "y": (1, 0), "z": (0, 1)}
    back = room.datasets.diff(ANN, PROJECT, "tweets", "v3", "v1")
    assert (back.rows_added, back.rows_removed) == (1, 2)
    same = room.datasets.diff(ANN, PROJECT, "tweets", "v2", "v2")
    assert (same.rows_added, same.rows_removed, same.schema_changes) == (0, 0, [])


def test_diff_of_rewritten_equal_rows_is_empty(room: Room) -> None:
    room.create()
    room.commit("tweets", "a.csv", csv(*ROWS))
    room.commit("tweets", "b.csv", csv(*reversed(ROWS)), operation="replace")
    found = room.datasets.diff(ANN, PROJECT, "tweets", "v1", "v2")
    assert (found.rows_added, found.rows_removed) == (0, 0)


def test_diff_sees_a_new_column(room: Room) -> None:
    room.create("t", "tabular")
    room.commit("t", "a.csv", csv((1,), (2,), header="n"))
    room.commit("t", "a.csv", csv((3, 0.5), header="n,x"))
    found = room.datasets.diff(ANN, PROJECT, "t", "v1", "v2")
    assert [(c.column, c.change, c.after) for c in found.schema_changes] == [
        ("x", "added", "double")
    ]
    assert (found.rows_added, found.rows_removed) == (1, 0)
    assert found.added == [{"n": 3, "x": 0.5}]


def test_lists_come_in_pages(room: Room) -> None:
    for number in range(5):
        room.create(f"d{number}")
    room.commit("d1", "a.csv", csv(("a", "x")))
    names, cursor = [], None
    while True:
        page = room.datasets.list(ANN, PROJECT, Paging(2, cursor))
        names += [d.name for d in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert names == ["d1", "d4", "d3", "d2", "d0"]
    for number in range(4):
        room.commit("d1", "a.csv", csv((f"b{number}", "x")))
    first = room.datasets.history(ANN, PROJECT, "d1", Paging(3))
    assert [v.version for v in first.items] == [5, 4, 3]
    rest = room.datasets.history(ANN, PROJECT, "d1", Paging(3, first.next_cursor))
    assert [v.version for v in rest.items] == [2, 1]
    with pytest.raises(InvalidInput):
        room.datasets.list(ANN, PROJECT, Paging(2, "junk"))


@pytest.mark.parametrize("ref", ["v9", "9", "nope", "sha256:" + "0" * 64])
def test_unknown_versions(room: Room, ref: str) -> None:
    room.create()
    with pytest.raises(NotFound, match="no version"):
        room.rows("tweets", ref)
    room.commit("tweets", "a.csv", csv(("a", "x")))
    with pytest.raises(NotFound):
        room.rows("tweets", ref)


def test_a_hash_prefix_names_a_version(room: Room) -> None:
    room.create()
    made = room.commit("tweets", "a.csv", csv(("a", "x")))
    assert room.datasets.version(ANN, PROJECT, "tweets", made.hash[:16]).version == 1
    with pytest.raises(InvalidInput):
        room.datasets.version(ANN, PROJECT, "tweets", "sha256:ab")
