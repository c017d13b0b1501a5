"""Fast access to rows of mapped Arrow columns by number, without building Arrow scalars."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jupyter_dlsys.contract.datasets import Column

Take = Callable[[Any], Any]
NUMPY = {"h": np.float16, "f": np.float32, "d": np.float64}


class Columns:
    """The columns of some batches, with one accessor a column and batch."""

    def __init__(self, batches: list[pa.RecordBatch], columns: list[Column], labels: list[str]):
        self.names = [c.name for c in columns]
        self._starts = np.cumsum([0, *(b.num_rows for b in batches)])
        self._numeric: dict[str, np.dtype[Any] | None] = {}
        self._takes: list[list[Take]] = []
        self._label = next((c.name for c in columns if c.role == "label"), None)
        self._images = {c.name for c in columns if c.role == "image"}
        for batch in batches:
            self._takes.append([accessor(batch.column(name)) for name in self.names])
        self._kinds = {c.name: _numeric(c, batches) for c in columns}
        if self._label is not None:
            self.label_ids = _label_ids([b.column(self._label) for b in batches], labels)

    def __len__(self) -> int:
        return int(self._starts[-1])

    def rows(self, index: np.ndarray[Any, Any]) -> dict[str, Any]:
        """Column name to values (numpy for numbers, else lists) of these rows, in this order."""
        found: dict[str, Any] = {}
        chunk = np.searchsorted(self._starts, index, side="right") - 1
        one = len(self._takes) == 1 or bool((chunk == chunk[:1]).all())
        if one:
            takes = self._takes[int(chunk[0])]
            local = index - self._starts[int(chunk[0])]
            for name, take in zip(self.names, takes, strict=True):
                found[name] = take(local)
        else:
            for number, name in enumerate(self.names):
                found[name] = self._gather(number, index, chunk)
        if self._label is not None:
            found["label_id"] = self.label_ids[index]
        return found

    def _gather(self, column: int, index: Any, chunk: Any) -> Any:
        is_numeric = self._kinds[self.names[column]]
        values: Any = None if is_numeric else [None] * len(index)
        for number in np.unique(chunk):
            where = np.flatnonzero(chunk == number)
            part = self._takes[number][column](index[where] - self._starts[number])
            if is_numeric:
                if values is None:
                    values = np.empty(len(index), part.dtype)
                elif values.dtype != part.dtype:
                    values = values.astype(np.result_type(values, part))
                values[where] = part
            else:
                for at, value in zip(where.tolist(), part, strict=True):
                    values[at] = value
        return values


def _numeric(column: Column, batches: list[pa.RecordBatch]) -> bool:
    return bool(batches) and is_number(batches[0].column(column.name).type)


def is_number(kind: pa.DataType) -> bool:
    """Whether values become a tensor."""
    types = pa.types
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind))


def _label_ids(arrays: list[pa.Array], labels: list[str]) -> Any:
    values = pa.array(labels, pa.string())
    parts = [
        pc.fill_null(pc.index_in(a, value_set=values), -1).cast(pa.int64()).to_numpy()
        for a in arrays
    ]
    return np.concatenate(parts) if parts else np.empty(0, np.int64)


def accessor(array: pa.Array) -> Take:
    """A function from row numbers (int64 array) to values."""
    kind = array.type
    if is_number(kind):
        if array.null_count:
            array = array.cast(pa.float64(), safe=False)
        values = array.to_numpy(zero_copy_only=False)
        return lambda index: values[index]
    if pa.types.is_string(kind) and not array.null_count:
        return _texts(array)
    if pa.types.is_binary(kind) and not array.null_count:
        return _binaries(array)
    return lambda index: [array[i].as_py() for i in index.tolist()]


def _texts(array: pa.Array) -> Take:
    offsets, data = _offsets(array)

    def take(index: Any) -> list[str]:
        starts, ends = offsets[index].tolist(), offsets[index + 1].tolist()
        return [str(data[a:b], "utf-8") for a, b in zip(starts, ends, strict=True)]

    return take


def _binaries(array: pa.Array) -> Take:
    offsets, data = _offsets(array)

    def take(index: Any) -> list[bytes]:
        starts, ends = offsets[index].tolist(), offsets[index + 1].tolist()
        return [bytes(data[a:b]) for a, b in zip(starts, ends, strict=True)]

    return take


def _offsets(array: pa.Array) -> tuple[Any, memoryview]:
    _, offsets, data = array.buffers()
    found = np.frombuffer(offsets, np.int32)[array.offset : array.offset + len(array) + 1]
    return found, memoryview(data if data is not None else b"")


def decode_image(data: bytes | None) -> Any:
    """A PNG or JPEG as uint8 numpy array [channel, height, width]; None stays None.

    Raises:
        ImportError: Pillow is missing.
    """
    if data is None:
        return None
    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        plain = image if image.mode in ("L", "RGB") else image.convert("RGB")
        pixels = np.array(plain, np.uint8)
    return pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))
