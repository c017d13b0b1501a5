"""The content hash of a snapshot: over labels, schema, splits and rows in order, and nothing else.

It does not see how rows were cut into chunks, how Arrow encodes them (dictionary, view, 64-bit
offsets), what lies in the buffers under a null, or which machine made them. Per column and split
three streams are hashed: one byte a row for validity, the values or lengths as fixed-width
little-endian numbers (0 under a null), and the bytes of texts. A fixed width per row is what makes
the streams independent of chunking. The format has a name; it never changes under that name.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .conform import plain

FORMAT = "dlsys-snapshot-1"


class SplitHasher:
    """Hashes the rows of one split, batch by batch in row order."""

    def __init__(self, schema: pa.Schema) -> None:
        self.rows = 0
        self._columns = [_Leaf(field.type) for field in schema]

    def update(self, batch: pa.RecordBatch) -> None:
        """The next rows, columns in the schema's order."""
        self.rows += batch.num_rows
        for leaf, array in zip(self._columns, batch.columns, strict=True):
            leaf.update(array)

    def digests(self) -> list[Any]:
        """One for each column."""
        return [leaf.digest() for leaf in self._columns]


def content_hash(
    schema: pa.Schema, labels: list[str], splits: list[tuple[str, SplitHasher]], view: str = ""
) -> str:
    """'sha256:…' of the whole, and of what a policy masked or left out, if it did."""
    found = {
        "format": FORMAT,
        "columns": [[f.name, type_name(f.type)] for f in schema],
        "labels": labels,
        "splits": [[name, hasher.rows, hasher.digests()] for name, hasher in splits],
    }
    if view:
        found["view"] = view
    text = json.dumps(found, ensure_ascii=True, separators=(",", ":"), sort_keys=True)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def type_name(kind: pa.DataType) -> Any:
    """A type as JSON, without its encoding."""
    types = pa.types
    if types.is_struct(kind):
        return ["struct", [[f.name, type_name(f.type)] for f in kind]]
    if types.is_fixed_size_list(kind):
        return ["fixed_size_list", kind.list_size, type_name(kind.value_type)]
    if types.is_list(kind) or types.is_large_list(kind):
        return ["list", type_name(kind.value_type)]
    if types.is_dictionary(kind):
        return type_name(kind.value_type)
    if types.is_large_string(kind) or types.is_string_view(kind):
        return "string"
    if types.is_large_binary(kind) or types.is_binary_view(kind):
        return "binary"
    return str(kind)


class _Leaf:
    """One column, or one level of a nested one."""

    def __init__(self, kind: pa.DataType) -> None:
        self._validity, self._values = hashlib.sha256(), hashlib.sha256()
        self._bytes = hashlib.sha256()
        self._children: list[_Leaf] = []
        if pa.types.is_struct(kind):
            self._children = [_Leaf(field.type) for field in kind]
        elif pa.types.is_nested(kind):
            self._children = [_Leaf(kind.value_type)]

    def update(self, array: pa.Array) -> None:
        array = plain(array)
        valid = array.is_valid().to_numpy(zero_copy_only=False)
        self._validity.update(valid.astype(np.uint8).tobytes())
        types, kind = pa.types, array.type
        if types.is_struct(kind):
            for child, values in zip(self._children, array.flatten(), strict=True):
                child.update(values)
        elif types.is_nested(kind):
            lengths = pc.fill_null(pc.list_value_length(array), 0)
            self._values.update(_numbers(lengths.cast(pa.int64())))
            self._children[0].update(array.drop_null().flatten())
        elif types.is_string(kind) or types.is_binary(kind) or types.is_large_binary(kind):
            self._texts(array)
        else:
            self._values.update(_numbers(array))

    def _texts(self, array: pa.Array) -> None:
        lengths = pc.fill_null(pc.binary_length(array), 0)
        self._values.update(_numbers(lengths.cast(pa.int64())))
        for buffer in _data(array.drop_null() if array.null_count else array):
            self._bytes.update(buffer)

    def digest(self) -> Any:
        parts = [self._validity, self._values, self._bytes]
        own = [part.hexdigest() for part in parts]
        return [*own, [child.digest() for child in self._children]]


def _data(array: pa.Array) -> list[memoryview]:
    """The bytes of a text or binary array without nulls, in order."""
    if not len(array):
        return []
    wide = pa.types.is_large_binary(array.type)
    buffers = array.buffers()
    if buffers[2] is None:
        return []
    offsets = np.frombuffer(buffers[1], np.int64 if wide else np.int32)
    first, last = offsets[array.offset], offsets[array.offset + len(array)]
    return [memoryview(buffers[2])[int(first) : int(last)]]


def _numbers(array: pa.Array) -> bytes:
    """Fixed-width little-endian values, 0 under a null, one pattern for NaN."""
    types, kind = pa.types, array.type
    if types.is_boolean(kind):
        filled = pc.fill_null(array, False).to_numpy(zero_copy_only=False)
        return bytes(filled.astype(np.uint8).tobytes())
    width = kind.bit_width // 8
    if types.is_decimal(kind) or width not in (1, 2, 4, 8):
        return _raw(array, width)
    unsigned = np.dtype(f"<u{width}")
    values = np.frombuffer(_raw(array, width), unsigned).copy()
    if types.is_floating(kind):
        floats = values.view(f"<f{width}")
        floats[np.isnan(floats)] = np.nan
    return bytes(values.tobytes())


def _raw(array: pa.Array, width: int) -> bytes:
    buffer = array.buffers()[1]
    if buffer is None or not len(array):
        return b"\0" * (width * len(array))
    start = array.offset * width
    values = np.frombuffer(buffer, np.uint8)[start : start + width * len(array)]
    if not array.null_count:
        return bytes(values.tobytes())
    rows = values.reshape(len(array), width).copy()
    rows[~array.is_valid().to_numpy(zero_copy_only=False)] = 0
    return bytes(rows.tobytes())
