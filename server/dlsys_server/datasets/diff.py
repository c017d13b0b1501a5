"""What changed between two versions: rows as multisets, schema, labels, statistics.

Chunks that both versions have are not read. Of the others one 64-bit hash a row is held.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from .lenses import Lens

SAMPLES = 20
MISSING = np.uint64(0x5EED0FA110F17)


@dataclass
class Side:
    """A version as the caller sees it, for a comparison. `lens` None: all of it."""

    store: ObjectStore
    state: State
    lens: Lens | None
    profile: Profile
    labels: list[str]

    @classmethod
    def whole(cls, store: ObjectStore, state: State) -> Side:
        """Without anything masked or left out."""
        row = state.version
        profile = Profile() if row is None else statistics.load(store, row.statistics)
        return cls(store, state, None, profile, state.root.labels)

    @property
    def columns(self) -> list[Column]:
        """The schema as it is shown."""
        return self.state.columns if self.lens is None else self.lens.columns

    @property
    def schema(self) -> pa.Schema:
        """The same for Arrow."""
        return kinds.unpack_schema(self.state.root.arrow) if self.lens is None else self.lens.schema

    def public(self) -> Statistics:
        """Statistics as they are shown."""
        size = self.state.root.bytes if self.lens is None else 0
        return statistics.public(self.profile, self.columns, self.labels, size)

    def label_counts(self) -> dict[str, int]:
        """Rows of each label."""
        has_labels = any(c.role == "label" for c in self.columns)
        return self.profile.label_counts() if has_labels else {}


@dataclass
class _Part:
    """The chunks that only one version has, as rows of `schema` (the columns of both)."""

    side: Side
    schema: pa.Schema
    entries: list[ChunkEntry]

    def batches(self) -> Iterator[pa.RecordBatch]:
        own, lens = kinds.unpack_schema(self.side.state.root.arrow), self.side.lens
        for entry in self.entries:
            for batch in read_chunk(self.side.store, entry, own):
                yield batch if lens is None else lens.apply(batch)

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
            found += preview.to_json(batch.take(pa.array(rows, pa.int64())), self.side.columns)
        return found


def diff(base: Side, target: Side) -> Diff:
    """From `base` to `target`."""
    old, new = _parts(base, target)
    gone, come = _difference(old.hashes(), new.hashes())
    return Diff(
        dataset=target.state.dataset.name,
        base=base.state.number,
        target=target.state.number,
        rows_added=sum(come.values()),
        rows_removed=sum(gone.values()),
        schema_changes=_schema_changes(base.columns, target.columns),
        label_changes=_label_changes(base, target),
        statistics_before=base.public(),
        statistics_after=target.public(),
        added=new.samples(come),
        removed=old.samples(gone),
    )


def _parts(base: Side, target: Side) -> tuple[_Part, _Part]:
    old = [entry for _, entry in manifest.chunks(base.store, base.state.root)]
    new = [entry for _, entry in manifest.chunks(target.store, target.state.root)]
    shared = Counter(e.sha256 for e in old) & Counter(e.sha256 for e in new)
    schema = _both(base.schema, target.schema)
    return (
        _Part(base, schema, _without(old, shared)),
        _Part(target, schema, _without(new, shared)),
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


def _label_changes(base: Side, target: Side) -> list[LabelChange]:
    old, new = base.label_counts(), target.label_counts()
    return [
        LabelChange(label=label, before=old.get(label, 0), after=new.get(label, 0))
        for label in dict.fromkeys([*target.labels, *base.labels])
        if old.get(label, 0) != new.get(label, 0)
    ]
