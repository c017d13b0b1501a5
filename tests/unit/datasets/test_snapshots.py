"""Snapshots: equal content is one hash, other content is another; splits are for ever."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlsys_server.core.errors import InvalidInput, NotFound, Refused
from dlsys_server.datasets import splits
from dlsys_server.datasets.content_hash import SplitHasher, content_hash
from jupyter_dlsys.contract.datasets import Snapshot
from tests.support.datasets import ANN, JOB, PROJECT, Room, csv, jsonl, open_room

ROWS = [(f"text {i}", "even" if i % 2 == 0 else "odd") for i in range(20)]


def _rows(room: Room, snapshot: Snapshot) -> dict[str, list[dict[str, object]]]:
    return {
        s.name: [
            r
            for c in s.chunks
            for r in pq.read_table(pa.BufferReader(room.fetch(c.sha256))).to_pylist()
        ]
        for s in snapshot.splits
    }


def test_equal_content_by_other_ways_has_the_equal_hash(room: Room, tmp_path: Path) -> None:
    room.create("one")
    room.commit("one", "a.csv", csv(*ROWS))
    room.create("many")
    room.commit("many", "a.csv", csv(*ROWS[:7]))
    room.commit("many", "b.jsonl", jsonl(*[{"text": t, "label": n} for t, n in ROWS[7:]]))
    other = tmp_path / "other"
    other.mkdir()
    second = open_room(other, chunk_bytes=1)
    second.create("elsewhere")
    second.commit("elsewhere", "a.csv", csv(("gone", "odd"), *ROWS))
    second.delete("elsewhere", "text == 'gone'")
    for options in ({}, {"split": {"train": 0.8, "test": 0.2}, "seed": 7}, {"columns": ["text"]}):
        hashes = {room.snapshot("one", **options).hash, room.snapshot("many", **options).hash}
        assert len(hashes) == 1
        assert second.snapshot("elsewhere", **options).hash in hashes
    second.close()


def test_label_ids_are_content(room: Room) -> None:
    for name, rows in (("one", [("a", "x"), ("b", "y")]), ("two", [("a", "x"), ("b", "y")])):
        room.create(name)
        room.commit(name, "a.csv", csv(*rows))
    room.create("other")
    room.commit("other", "a.csv", csv(("zero", "y")))
    room.commit("other", "b.csv", csv(("a", "x"), ("b", "y")))
    assert room.snapshot("one").hash == room.snapshot("two").hash
    swapped = room.snapshot("other", where="text != 'zero'")
    assert (swapped.rows, swapped.labels) == (2, ["y", "x"])
    assert swapped.hash != room.snapshot("one").hash


def test_other_content_has_another_hash(room: Room) -> None:
    room.create()
    room.commit("tweets", "a.csv", csv(*ROWS))
    half = {"a": 0.5, "b": 0.5}
    snapshots = [
        room.snapshot("tweets", **fields)
        for fields in (
            {},
            {"where": "label == 'even'"},
            {"columns": ["text"]},
            {"columns": ["label", "text"]},
            {"split": half},
            {"split": half, "seed": 1},
            {"split": {"b": 0.5, "a": 0.5}},
            {"split": {"a": 0.45, "b": 0.55}},
        )
    ]
    assert len({s.hash for s in snapshots}) == len(snapshots)


def test_the_same_request_is_the_same_snapshot(room: Room) -> None:
    room.create()
    room.commit("tweets", "a.csv", csv(*ROWS))
    first = room.snapshot("tweets", split={"a": 0.5, "b": 0.5})
    assert room.snapshot("tweets", ref="v1", split={"a": 0.5, "b": 0.5}) == first
    assert len(room.told("snapshot.created")) == 1
    room.commit("tweets", "b.csv", csv(("more", "odd")))
    assert room.snapshot("tweets", ref="v1", split={"a": 0.5, "b": 0.5}) == first
    assert room.snapshot("tweets").rows == 21


def test_tags_select_whole_commits_and_all_must_match(room: Room) -> None:
    room.create()
    room.commit("tweets", "a.csv", csv(("a", "x")), tags={"lang": "de", "by": "ann"})
    room.commit("tweets", "b.csv", csv(("b", "x")), tags={"lang": "de"})
    room.commit("tweets", "c.csv", csv(("c", "x")))
    texts = lambda **tags: [  # noqa: E731
        r["text"] for r in _rows(room, room.snapshot("tweets", tags=tags))["all"]
    ]
    assert texts(lang="de") == ["a", "b"]
    assert texts(lang="de", by="ann") == ["a"]
    with pytest.raises(Refused):
        texts(lang="fr")


def test_splits_are_exact_disjoint_and_in_order(room: Room) -> None:
    room.create()
    room.commit("tweets", "a.csv", csv(*ROWS))
    made = room.snapshot("tweets", split={"train": 0.8, "val": 0.1, "test": 0.1}, seed=3)
    assert [(s.name, s.rows) for s in made.splits] == [("train", 16), ("val", 2), ("test", 2)]
    parts = _rows(room, made)
    numbers = {name: [int(str(r["text"])[5:]) for r in rows] for name, rows in parts.items()}
    assert all(found == sorted(found) for found in numbers.values())
    assert sorted(n for found in numbers.values() for n in found) == list(range(20))


def test_the_split_of_a_row_never_changes() -> None:
    """Golden values: a change here breaks every snapshot that people have."""
    three = {"train": 0.6, "val": 0.2, "test": 0.2}
    assert splits.assign(0, 10, three).tolist() == GOLDEN_SEED_0
    assert splits.assign(42, 10, three).tolist() == GOLDEN_SEED_42


GOLDEN_SEED_0 = [0, 1, 0, 1, 2, 0, 2, 0, 0, 0]
GOLDEN_SEED_42 = [0, 2, 0, 0, 1, 0, 0, 2, 0, 1]


@given(
    st.integers(0, 400),
    st.lists(st.integers(1, 100), min_size=2, max_size=6),
    st.integers(-(2**63), 2**64),
)
@settings(max_examples=60, deadline=None)
def test_split_sizes_are_exact(rows: int, weights: list[int], seed: int) -> None:
    fractions = {f"p{i}": w / sum(weights) for i, w in enumerate(weights)}
    found = splits.sizes(rows, fractions)
    assert sum(found.values()) == rows
    for name, size in found.items():
        assert abs(size - rows * fractions[name]) < 1.0001
    parts = splits.assign(seed, rows, fractions)
    assert [int((parts == i).sum()) for i in range(len(weights))] == list(found.values())


@pytest.mark.parametrize(
    "split",
    [
        {"a": 1.0},
        {"a": 0.5, "b": 0.4},
        {"a": 1.5, "b": -0.5},
        {"all": 0.5, "b": 0.5},
        {"A b": 0.5, "b": 0.5},
        {"a": float("nan"), "b": 1.0},
    ],
)
def test_bad_splits(room: Room, split: dict[str, float]) -> None:
    room.create()
    room.commit("tweets", "a.csv", csv(*ROWS))
    with pytest.raises(InvalidInput):
        room.snapshot("tweets", split=split)


def test_an_empty_part_is_refused(room: Room) -> None:
    room.create()
    room.commit("tweets", "a.csv", csv(*ROWS[:3]))
    with pytest.raises(Refused):
        room.snapshot("tweets", split={"train": 0.98, "test": 0.02})


VALUES = st.one_of(st.none(), st.text(max_size=6), st.sampled_from(["", "a", "ab", "b"]))
NUMBERS = st.one_of(st.none(), st.floats(width=32), st.just(float("nan")))
NESTED = st.one_of(st.none(), st.lists(st.one_of(st.none(), st.integers(0, 3)), max_size=3))


@given(
    st.lists(
        st.tuples(VALUES, NUMBERS, NESTED, st.one_of(st.none(), st.booleans())),
        min_size=1,
        max_size=30,
    ),
    st.lists(st.integers(1, 7), min_size=1, max_size=8),
)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_hash_sees_content_only(rows: list[tuple], cuts: list[int]) -> None:
    schema = pa.schema(
        [("s", pa.string()), ("x", pa.float64()), ("v", pa.list_(pa.int64())), ("f", pa.bool_())]
    )
    columns = [pa.array([r[i] for r in rows], schema.field(i).type) for i in range(4)]
    plain = pa.RecordBatch.from_arrays(columns, schema=schema)
    expected = _hash(schema, [plain])
    pieces, start = [], 0
    while start < len(rows):
        step = cuts[len(pieces) % len(cuts)]
        pieces.append(plain.slice(start, step))
        start += step
    assert _hash(schema, pieces) == expected
    encoded = [columns[0].cast(pa.large_string()).dictionary_encode(), *columns[1:]]
    names = schema.names
    assert _hash(schema, [pa.RecordBatch.from_arrays(encoded, names=names)]) == expected
    garbage = _with_garbage(columns[1])
    assert (
        _hash(
            schema, [pa.RecordBatch.from_arrays([columns[0], garbage, *columns[2:]], names=names)]
        )
        == expected
    )


@given(st.lists(VALUES, min_size=1, max_size=8), st.lists(VALUES, min_size=1, max_size=8))
@settings(max_examples=150, deadline=None)
def test_different_columns_have_different_hashes(one: list, two: list) -> None:
    schema = pa.schema([("s", pa.string())])
    hashes = [
        _hash(schema, [pa.RecordBatch.from_arrays([pa.array(v, pa.string())], schema=schema)])
        for v in (one, two)
    ]
    assert (hashes[0] == hashes[1]) == (one == two)


def test_the_hash_never_changes() -> None:
    """Golden value: see content_hash; a change needs a new format name."""
    schema = pa.schema([("text", pa.string()), ("n", pa.int32())])
    batch = pa.RecordBatch.from_arrays(
        [pa.array(["a", None, "ü"]), pa.array([1, None, -5], pa.int32())], schema=schema
    )
    assert _hash(schema, [batch]) == GOLDEN_HASH


GOLDEN_HASH = "sha256:080db61b7ccf9e4d10c1335a76a2f5c94ba61aa32d1a6773ff4c11c1bab634d2"


def test_a_job_reads_its_own_snapshots_only(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    bound: set[tuple[str, str]] = set()
    room = open_room(home)
    room.snapshots.bound_by(lambda job, hash: (job, hash) in bound)
    room.create()
    room.commit("tweets", "a.csv", csv(*ROWS))
    mine = room.snapshot("tweets", split={"a": 0.5, "b": 0.5})
    other = room.snapshot("tweets")
    bound.add(("J1", mine.hash))
    assert room.snapshots.show(JOB, PROJECT, mine.hash).rows == 20
    assert room.snapshots.chunk(JOB, PROJECT, mine.splits[0].chunks[0].sha256).size
    for read in (
        lambda: room.snapshots.show(JOB, PROJECT, other.hash),
        lambda: room.snapshots.chunk(JOB, PROJECT, other.splits[0].chunks[0].sha256),
        lambda: room.snapshots.chunk(ANN, "elsewhere", other.splits[0].chunks[0].sha256),
        lambda: room.snapshots.chunk(ANN, PROJECT, room.store.put(b"a manifest, say")),
        lambda: room.snapshots.show(ANN, "elsewhere", mine.hash),
    ):
        with pytest.raises(NotFound):
            read()
    room.close()


def test_crumbs_become_one_chunk(room: Room) -> None:
    room.create()
    for row in ROWS:
        room.commit("tweets", "a.csv", csv(row))
    made = room.snapshot("tweets")
    assert len(made.splits[0].chunks) == 1
    assert [r["text"] for r in _rows(room, made)["all"]] == [t for t, _ in ROWS]


def test_bad_hashes(room: Room) -> None:
    with pytest.raises(InvalidInput):
        room.snapshots.show(ANN, PROJECT, "latest")
    with pytest.raises(NotFound):
        room.snapshots.show(ANN, PROJECT, "sha256:" + "0" * 64)


def _hash(schema: pa.Schema, batches: list[pa.RecordBatch]) -> str:
    hasher = SplitHasher(schema)
    for batch in batches:
        hasher.update(batch)
    return content_hash(schema, ["a"], [("all", hasher)])


def _with_garbage(array: pa.Array) -> pa.Array:
    """Equal values, but with other bytes under the nulls."""
    values = [777.0 if v is None else v for v in array.to_pylist()]
    mask = pa.array([v is None for v in array.to_pylist()])
    return pa.array(values, pa.float64(), mask=mask.to_numpy(zero_copy_only=False))
