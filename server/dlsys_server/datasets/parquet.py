"""Chunks as Parquet files: written once, named by their bytes, read as the dataset's schema."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from dlsys_server.core.store import ObjectStore

from .chunks import ChunkEntry
from .conform import pieces

ROW_GROUP_BYTES = 8 << 20
ROW_GROUP_ROWS = 65_536
RAW_VALUE_BYTES = 512
"""Columns whose values are larger than this on average (images) are stored uncompressed."""


class ChunkWriter:
    """Turns batches into chunks of about `chunk_bytes`; holds at most one chunk in memory."""

    def __init__(
        self, store: ObjectStore, schema: pa.Schema, chunk_bytes: int, origin: int = 0
    ) -> None:
        self._store, self.schema = store, schema
        self._chunk_bytes, self._origin = chunk_bytes, origin
        self._pending: list[pa.RecordBatch] = []
        self._pending_bytes = self._pending_rows = self._rows = 0
        self._sink: pa.BufferOutputStream | None = None
        self._writer: pq.ParquetWriter | None = None
        self.entries: list[ChunkEntry] = []

    def write(self, batch: pa.RecordBatch) -> None:
        """Add rows; the batch has the writer's schema."""
        for piece in pieces(batch, ROW_GROUP_BYTES):
            self._pending.append(piece)
            self._pending_bytes += piece.nbytes
            self._pending_rows += piece.num_rows
            if self._pending_bytes >= ROW_GROUP_BYTES or self._pending_rows >= ROW_GROUP_ROWS:
                self._flush()

    def finish(self) -> list[ChunkEntry]:
        """Write what is left; all chunks in row order."""
        self._flush()
        self._close()
        return self.entries

    def _flush(self) -> None:
        if not self._pending_rows:
            return
        table = pa.Table.from_batches(self._pending, self.schema)
        if self._writer is None:
            self._sink = pa.BufferOutputStream()
            self._writer = _writer(self._sink, table)
        self._writer.write_table(table, row_group_size=max(1, table.num_rows))
        self._rows += table.num_rows
        self._pending, self._pending_bytes, self._pending_rows = [], 0, 0
        if self._sink is not None and self._sink.tell() >= self._chunk_bytes:
            self._close()

    def _close(self) -> None:
        if self._writer is None or self._sink is None:
            return
        self._writer.close()
        data = self._sink.getvalue().to_pybytes()
        sha256 = self._store.put(data)
        columns = len(self.schema)
        self.entries.append(ChunkEntry(sha256, self._rows, len(data), self._origin, columns))
        self._writer, self._sink, self._rows = None, None, 0


def _writer(sink: pa.BufferOutputStream, table: pa.Table) -> pq.ParquetWriter:
    compression, dictionary = {}, []
    for field in table.schema:
        column = table.column(field.name)
        large = column.nbytes / max(1, table.num_rows) > RAW_VALUE_BYTES
        raw = large and pa.types.is_binary(field.type)
        compression[field.name] = "none" if raw else "zstd"
        if not large and not pa.types.is_nested(field.type):
            dictionary.append(field.name)
    nested = any(pa.types.is_nested(f.type) for f in table.schema)
    return pq.ParquetWriter(
        sink,
        table.schema,
        compression="zstd" if nested else compression,
        use_dictionary=dictionary or False,
        write_statistics=True,
        store_schema=True,
    )


def read_chunk(
    store: ObjectStore,
    entry: ChunkEntry,
    schema: pa.Schema,
    columns: list[str] | None = None,
    skip_rows: int = 0,
) -> Iterator[pa.RecordBatch]:
    """The rows of a chunk as `schema` (or the named columns of it), from row `skip_rows` on.

    Row groups that lie wholly before it are not decoded.
    """
    with pq.ParquetFile(pa.BufferReader(store.get(entry.sha256))) as file:
        groups, rows = _skipped(file, skip_rows)
        left = skip_rows - rows
        for batch in _groups(file, schema, columns, groups):
            if left < batch.num_rows:
                yield batch.slice(left)
            left = max(0, left - batch.num_rows)


def _skipped(file: pq.ParquetFile, skip_rows: int) -> tuple[int, int]:
    """How many row groups, and rows in them, lie wholly before row `skip_rows`."""
    groups = rows = 0
    while groups < file.num_row_groups:
        more = file.metadata.row_group(groups).num_rows
        if rows + more > skip_rows:
            break
        groups, rows = groups + 1, rows + more
    return groups, rows


def _groups(
    file: pq.ParquetFile, schema: pa.Schema, columns: list[str] | None, first: int
) -> Iterator[pa.RecordBatch]:
    wanted = schema if columns is None else pa.schema([schema.field(c) for c in columns])
    there = [n for n in wanted.names if n in set(file.schema_arrow.names)]
    for group in range(first, file.num_row_groups):
        table = file.read_row_group(group, columns=there, use_threads=False)
        yield from fill(table, wanted).to_batches()


def fill(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table with exactly the columns of `schema`; missing ones are null."""
    if table.schema.equals(schema):
        return table
    present = set(table.schema.names)
    columns = [
        table.column(f.name).cast(f.type)
        if f.name in present
        else pa.chunked_array([pa.nulls(table.num_rows, f.type)], f.type)
        for f in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def read_chunks(
    store: ObjectStore,
    entries: Iterable[ChunkEntry],
    schema: pa.Schema,
    columns: list[str] | None = None,
) -> Iterator[pa.RecordBatch]:
    """The rows of many chunks, in order."""
    for entry in entries:
        yield from read_chunk(store, entry, schema, columns)
