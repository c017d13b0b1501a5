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

    def __init__(
        self, batches: list[pa.RecordBatch], columns: list[Column], labels: list[str]
    ) -> None:
        self._starts = np.cumsum([0, *(b.num_rows for b in batches)])
        label = next((c.name for c in columns if c.role == "label"), None)
        self.label_ids: Any = None
        self._labels: list[str | None] = [*labels, None]  # id -1 is the last
        self.names = [c.name for c in columns]
        self._label = label
        if label is not None:
            self.label_ids = _label_ids([b.column(label) for b in batches], labels)
        self._takes = [
            [(name, accessor(batch.column(name))) for name in self.names if name != label]
            for batch in batches
        ]

    def __len__(self) -> int:
        return int(self._starts[-1])

    def rows(self, index: Any) -> dict[str, Any]:
        """Column name to values (numpy for numbers, else lists) of these rows, in this order."""
        found = self._one(index) if len(self._takes) == 1 else self._many(index)
        if self._label is not None:
            ids, labels = self.label_ids[index], self._labels
            found[self._label] = [labels[i] for i in ids.tolist()]
            found = {name: found[name] for name in self.names}
            found["label_id"] = ids
        return found

    def _one(self, index: Any) -> dict[str, Any]:
        return {name: take(index) for name, take in self._takes[0]}

    def _many(self, index: Any) -> dict[str, Any]:
        """Rows of several batches: sorted by batch, taken batch by batch, put back in order."""
        order = np.argsort(index)
        ordered = index[order]
        cuts = np.searchsorted(ordered, self._starts)
        parts: dict[str, list[Any]] = {}
        for number, takes in enumerate(self._takes):
            first, last = int(cuts[number]), int(cuts[number + 1])
            if first < last:
                local = ordered[first:last] - self._starts[number]
                for name, take in takes:
                    parts.setdefault(name, []).append(take(local))
        back = np.empty(len(index), np.int64)
        back[order] = np.arange(len(index))
        return {name: _joined(part, back) for name, part in parts.items()}


def _joined(parts: list[Any], back: Any) -> Any:
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts)[back]
    values = [value for part in parts for value in part]
    return [values[i] for i in back.tolist()]


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
