"""What changed between two versions: rows as multisets, schema, labels, statistics.

Chunks that both versions have are not read. Of the others one 64-bit hash a row is held.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dlsys_server.core.store import ObjectStore
from jupyter_dlsys.contract.datasets import Column, ColumnChange, Diff, LabelChange, Statistics

from . import kinds, manifest, preview, statistics
from .chunks import ChunkEntry
from .conform import plain
from .parquet import read_chunk
from .sketches import Hashes, hash_values, mix
from .statistics import Profile
from .versions import State

SAMPLES = 20
MISSING = np.uint64(0x5EED0FA110F17)


@dataclass
class _Side:
    """The chunks that only one version has, as rows of `schema` (the columns of both)."""

    store: ObjectStore
    state: State
    schema: pa.Schema
    entries: list[ChunkEntry]

    def batches(self) -> Iterator[pa.RecordBatch]:
        own = kinds.unpack_schema(self.state.root.arrow)
        for entry in self.entries:
            yield from read_chunk(self.store, entry, own)

    def hashes(self) -> Hashes:
        parts = [row_hashes(batch, self.schema) for batch in self.batches()]
        return np.concatenate(parts) if parts else np.empty(0, np.uint64)

    def samples(self, wanted: Counter[int]) -> list[dict[str, Any]]:
        """The first rows whose hash is wanted, each as often as it is."""
        found: list[dict[str, Any]] = []
        keys = np.fromiter(wanted, np.uint64, len(wanted))
        for batch in self.batches():
            if not len(keys) or len(found) >= SAMPLES:
                break
            hashes = row_hashes(batch, self.schema)
            rows: list[int] = []
            for row in np.flatnonzero(np.isin(hashes, keys)).tolist():
                if wanted[int(hashes[row])] > 0 and len(found) + len(rows) < SAMPLES:
                    wanted[int(hashes[row])] -= 1
                    rows.append(row)
            found += preview.to_json(batch.take(pa.array(rows, pa.int64())), self.state.columns)
        return found


def diff(store: ObjectStore, base: State, target: State) -> Diff:
    """From `base` to `target`."""
    old, new = _sides(store, base, target)
    gone, come = _difference(old.hashes(), new.hashes())
    before, after = _profile(store, base), _profile(store, target)
    return Diff(
        dataset=target.dataset.name,
        base=base.number,
        target=target.number,
        rows_added=sum(come.values()),
        rows_removed=sum(gone.values()),
        schema_changes=_schema_changes(base.columns, target.columns),
        label_changes=_label_changes(before, after, base, target),
        statistics_before=_public(before, base),
        statistics_after=_public(after, target),
        added=new.samples(come),
        removed=old.samples(gone),
    )


def _sides(store: ObjectStore, base: State, target: State) -> tuple[_Side, _Side]:
    old = [entry for _, entry in manifest.chunks(store, base.root)]
    new = [entry for _, entry in manifest.chunks(store, target.root)]
    shared = Counter(e.sha256 for e in old) & Counter(e.sha256 for e in new)
    schema = _both(kinds.unpack_schema(base.root.arrow), kinds.unpack_schema(target.root.arrow))
    return (
        _Side(store, base, schema, _without(old, shared)),
        _Side(store, target, schema, _without(new, shared)),
    )


def _both(old: pa.Schema, new: pa.Schema) -> pa.Schema:
    names = dict.fromkeys([*old.names, *new.names])
    return pa.schema([(new if n in new.names else old).field(n) for n in sorted(names)])


def _without(entries: list[ChunkEntry], shared: Counter[str]) -> list[ChunkEntry]:
    left = Counter(shared)
    found = []
    for entry in entries:
        if left[entry.sha256] > 0:
            left[entry.sha256] -= 1
        else:
            found.append(entry)
    return found


def _difference(old: Hashes, new: Hashes) -> tuple[Counter[int], Counter[int]]:
    keys, inverse = np.unique(np.concatenate([old, new]), return_inverse=True)
    before = np.bincount(inverse[: len(old)], minlength=len(keys))
    after = np.bincount(inverse[len(old) :], minlength=len(keys))
    change = after - before
    return _counter(keys, -change), _counter(keys, change)


def _counter(keys: Hashes, counts: npt.NDArray[np.int64]) -> Counter[int]:
    where = counts > 0
    return Counter(dict(zip(keys[where].tolist(), counts[where].tolist(), strict=True)))


def row_hashes(batch: pa.RecordBatch, schema: pa.Schema) -> Hashes:
    """64 bits a row over the columns of `schema`; a column that is not there counts as missing."""
    found = np.zeros(batch.num_rows, np.uint64)
    present = set(batch.schema.names)
    for field in schema:
        column = batch.column(field.name) if field.name in present else None
        values = np.full(batch.num_rows, MISSING) if column is None else _column(column)
        with np.errstate(over="ignore"):
            found = mix(found * np.uint64(0x100000001B3) ^ values)
    return found


def _column(array: pa.Array) -> Hashes:
    array = plain(array)
    types, kind = pa.types, array.type
    if types.is_integer(kind) or types.is_floating(kind):
        filled = pc.fill_null(array, 0)
        wide = pa.float64() if types.is_floating(kind) else pa.int64()
        bits = filled.cast(wide, safe=False).to_numpy(zero_copy_only=False).copy()
        found = mix(bits.view(np.uint64))
    elif types.is_string(kind) or types.is_binary(kind):
        coded = array.dictionary_encode()
        unique = hash_values(coded.dictionary.to_pylist())
        codes = pc.fill_null(coded.indices, 0).to_numpy(zero_copy_only=False)
        found = unique[codes] if len(unique) else np.zeros(len(array), np.uint64)
    else:
        found = hash_values(array.to_pylist())
    if array.null_count:
        found = np.where(array.is_valid().to_numpy(zero_copy_only=False), found, MISSING)
    return found


def _schema_changes(old: list[Column], new: list[Column]) -> list[ColumnChange]:
    before, after = {c.name: c.type for c in old}, {c.name: c.type for c in new}
    found = []
    for name in dict.fromkeys([*before, *after]):
        was, now = before.get(name), after.get(name)
        if was != now:
            change = "added" if was is None else "removed" if now is None else "type"
            found.append(ColumnChange(column=name, change=change, before=was, after=now))
    return found


def _label_changes(
    before: Profile, after: Profile, base: State, target: State
) -> list[LabelChange]:
    old, new = _labels(before, base), _labels(after, target)
    return [
        LabelChange(label=label, before=old.get(label, 0), after=new.get(label, 0))
        for label in dict.fromkeys([*target.root.labels, *base.root.labels])
        if old.get(label, 0) != new.get(label, 0)
    ]


def _labels(profile: Profile, state: State) -> dict[str, int]:
    has_labels = any(c.role == "label" for c in state.columns)
    return profile.label_counts() if has_labels else {}


def _profile(store: ObjectStore, state: State) -> Profile:
    if state.version is None:
        return Profile()
    return statistics.load(store, state.version.statistics)


def _public(profile: Profile, state: State) -> Statistics:
    return statistics.public(profile, state.columns, state.root.labels, state.root.bytes)
