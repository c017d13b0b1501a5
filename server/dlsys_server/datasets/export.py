"""A version as one file, made batch by batch while it is sent."""

from __future__ import annotations

import base64
import io
import itertools
import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from dlsys_server.core.errors import InvalidInput
from dlsys_server.core.store import ObjectStore
from jupyter_dlsys.contract.datasets import ExportFormat

from . import kinds, manifest, preview
from .chunks import MEDIA, ChunkFile

if TYPE_CHECKING:
    from .lenses import Lens

Batches = Iterator[pa.RecordBatch]


def export(
    store: ObjectStore,
    root: manifest.Root,
    where: str | None,
    columns: list[str] | None,
    format: ExportFormat,
    title: str,
    lens: Lens | None = None,
) -> ChunkFile:
    """The selected rows in a format. What can be wrong is found before the first byte is sent.

    Raises:
        InvalidInput: the filter or a column is wrong, or CSV cannot hold a column.
    """
    schema = kinds.unpack_schema(root.arrow) if lens is None else lens.schema
    schema = pa.schema([schema.field(c.name) for c in preview.chosen(root, columns)])
    if format == "csv":
        _check_csv(schema)
    batches = preview.scan(store, root, where, columns, lens=lens)
    first = next(batches, None)
    batches = batches if first is None else itertools.chain([first], batches)
    write = WRITERS[format]
    return ChunkFile(f"{title}.{format}", MEDIA[format], write(schema, batches))


class _Sink(io.RawIOBase):
    """A file that hands over what was written since the last look."""

    def __init__(self) -> None:
        super().__init__()
        self._blocks: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        block = bytes(data)
        self._blocks.append(block)
        self._size += len(block)
        return len(block)

    def tell(self) -> int:
        return self._size

    def take(self) -> Iterator[bytes]:
        blocks, self._blocks = self._blocks, []
        if blocks:
            yield b"".join(blocks)


def _with(
    open_writer: Callable[[Any, pa.Schema], Any],
) -> Callable[[pa.Schema, Batches], Iterator[bytes]]:
    def write(schema: pa.Schema, batches: Batches) -> Iterator[bytes]:
        sink = _Sink()
        with open_writer(pa.PythonFile(sink, "w"), schema) as writer:
            yield from sink.take()
            for batch in batches:
                writer.write_batch(batch)
                yield from sink.take()
        yield from sink.take()

    return write


def _csv(schema: pa.Schema, batches: Batches) -> Iterator[bytes]:
    yield from _with(pacsv.CSVWriter)(schema, batches)


def _jsonl(_schema: pa.Schema, batches: Batches) -> Iterator[bytes]:
    for batch in batches:
        for part in range(0, batch.num_rows, 1024):
            rows = batch.slice(part, 1024).to_pylist()
            yield b"".join(orjson.dumps(_json(row)) + b"\n" for row in rows)


def _json(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {k: _json(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_json(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return preview.timely(value)


def _check_csv(schema: pa.Schema) -> None:
    for field in schema:
        if pa.types.is_nested(field.type) or pa.types.is_binary(field.type):
            raise InvalidInput(
                f"Column '{field.name}' is {field.type}; CSV cannot hold it.",
                code="format-cannot-hold",
                hint="Choose arrow, parquet or jsonl, or leave the column out.",
            )


WRITERS: dict[str, Callable[[pa.Schema, Batches], Iterator[bytes]]] = {
    "arrow": _with(pa.ipc.new_stream),
    "parquet": _with(lambda sink, schema: pq.ParquetWriter(sink, schema, compression="zstd")),
    "csv": _csv,
    "jsonl": _jsonl,
}
