"""Freezing rows: select, split, hash, and write what the version's own chunks cannot serve."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dlsys_server.core.errors import Refused
from dlsys_server.core.store import ObjectStore
from jupyter_dlsys.contract.datasets import Column, SnapshotRequest, SnapshotSplit

from . import kinds, manifest, preview, splits
from .chunks import ChunkEntry
from .content_hash import SplitHasher, content_hash
from .expressions import Filter
from .frozen import Frozen
from .parquet import ChunkWriter, read_chunk

if TYPE_CHECKING:
    from .lenses import Lens


@dataclass(frozen=True)
class Selection:
    """Which rows: of these commits (None: all), that match, with these columns.

    Through a lens only what it shows. `labels` are those of the version, in id order.
    """

    store: ObjectStore
    root: manifest.Root
    columns: list[Column]
    condition: Filter | None
    origins: frozenset[int] | None
    labels: list[str]
    lens: Lens | None = None

    @property
    def schema(self) -> pa.Schema:
        """Of the selected columns."""
        schema = self._whole() if self.lens is None else self.lens.schema
        return pa.schema([schema.field(c.name) for c in self.columns])

    @property
    def filtered(self) -> bool:
        """Whether rows may be left out."""
        return self.condition is not None or (self.lens is not None and self.lens.filtered)

    def _whole(self) -> pa.Schema:
        return kinds.unpack_schema(self.root.arrow)

    def entries(self) -> list[ChunkEntry]:
        """Chunks that can hold selected rows."""
        found = [entry for _, entry in manifest.chunks(self.store, self.root)]
        return [e for e in found if self.origins is None or e.origin in self.origins]

    def batches(self, entries: list[ChunkEntry]) -> Iterator[pa.RecordBatch]:
        """The selected rows in order."""
        schema, names = self._whole(), [c.name for c in self.columns]
        for entry in entries:
            if self.condition is None and self.lens is None:
                yield from read_chunk(self.store, entry, schema, names)
                continue
            for batch in read_chunk(self.store, entry, schema):
                found = batch if self.lens is None else self.lens.apply(batch)
                if self.condition is not None:
                    found = self.condition.matching(found)
                if found.num_rows:
                    yield found.select(names)


def select(
    store: ObjectStore,
    root: manifest.Root,
    request: SnapshotRequest,
    origins: frozenset[int] | None,
    lens: Lens | None = None,
    labels: list[str] | None = None,
) -> Selection:
    """What a request selects.

    Raises:
        InvalidInput: the filter, a column or the split is wrong.
    """
    columns = preview.chosen(root, request.columns)
    condition = None
    if lens is not None:
        seen_as = {c.name: c for c in lens.columns}
        columns = [seen_as[c.name] for c in columns]
        condition = lens.where(request.where) if request.where else None
    elif request.where:
        condition = Filter(request.where, kinds.unpack_schema(root.arrow))
    if request.split is not None:
        splits.check(request.split)
    labels = root.labels if labels is None else labels
    return Selection(store, root, columns, condition, origins, labels, lens)


def freeze(
    selection: Selection, request: SnapshotRequest, chunk_bytes: int, view: str = ""
) -> Frozen:
    """Hash the selected rows and keep them as chunks of each split.

    `view` is the identity of what is masked or left out for the caller; '' when nothing is.

    Raises:
        Refused: no row is selected, or a part of the split would be empty.
    """
    entries = selection.entries()
    if not selection.filtered:
        rows = sum(e.rows for e in entries)
    else:
        rows = sum(b.num_rows for b in selection.batches(entries))
    if not rows:
        raise Refused(
            "No row is selected.",
            code="no-rows",
            hint="Look at the tags, the filter and the version.",
        )
    if request.split is not None:
        parts = _split(selection, entries, request, rows, chunk_bytes)
    elif _reusable(selection, entries, chunk_bytes):
        parts = [_reused(selection, entries)]
    else:
        parts = _write(selection, entries, [splits.ALL], None, chunk_bytes)
    labels = selection.labels if any(c.role == "label" for c in selection.columns) else []
    digest = content_hash(selection.schema, labels, [(p.name, h) for p, h in parts], view)
    return Frozen(digest, rows, selection.columns, labels, [p for p, _ in parts])


def _split(
    selection: Selection,
    entries: list[ChunkEntry],
    request: SnapshotRequest,
    rows: int,
    chunk_bytes: int,
) -> list[tuple[SnapshotSplit, SplitHasher]]:
    fractions = request.split or {}
    empty = [name for name, size in splits.sizes(rows, fractions).items() if not size]
    if empty:
        raise Refused(
            f"With {rows} rows the split '{empty[0]}' would be empty.",
            code="empty-split",
            hint="Give it a larger share, or select more rows.",
        )
    parts = splits.assign(request.seed, rows, fractions)
    return _write(selection, entries, list(fractions), parts, chunk_bytes)


def _write(
    selection: Selection,
    entries: list[ChunkEntry],
    names: list[str],
    parts: npt.NDArray[np.uint8] | None,
    chunk_bytes: int,
) -> list[tuple[SnapshotSplit, SplitHasher]]:
    schema = selection.schema
    writers = [ChunkWriter(selection.store, schema, chunk_bytes) for _ in names]
    hashers = [SplitHasher(schema) for _ in names]
    row = 0
    for batch in selection.batches(entries):
        mine = None if parts is None else parts[row : row + batch.num_rows]
        for number, (writer, hasher) in enumerate(zip(writers, hashers, strict=True)):
            share = batch if mine is None else batch.filter(pa.array(mine == number))
            if share.num_rows:
                hasher.update(share)
                writer.write(share)
        row += batch.num_rows
    found = []
    for name, writer, hasher in zip(names, writers, hashers, strict=True):
        chunks = [e.public() for e in writer.finish()]
        found.append((SnapshotSplit(name=name, rows=hasher.rows, chunks=chunks), hasher))
    return found


def _reusable(selection: Selection, entries: list[ChunkEntry], chunk_bytes: int) -> bool:
    """Whether the version's chunks are the snapshot: all rows and columns, and not in crumbs."""
    columns = len(selection.root.columns)
    whole = (
        selection.condition is None
        and selection.lens is None
        and selection.columns == selection.root.columns
    )
    whole = whole and all(e.columns == columns for e in entries)
    ideal = sum(e.bytes for e in entries) // chunk_bytes + 1
    return whole and len(entries) <= 4 * ideal + 4


def _reused(selection: Selection, entries: list[ChunkEntry]) -> tuple[SnapshotSplit, SplitHasher]:
    hasher = SplitHasher(selection.schema)
    for batch in selection.batches(entries):
        hasher.update(batch)
    chunks = [e.public() for e in entries]
    return SnapshotSplit(name=splits.ALL, rows=hasher.rows, chunks=chunks), hasher
