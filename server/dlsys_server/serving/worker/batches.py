"""From a message of the gateway to arrays, and from arrays to bytes of an answer.

Each part of a batch belongs to one request. It says what it wants: "rows" (one JSON value a row) or
a list of [output index, binary?] (flat tensors). What comes back is cut into fragments that the
gateway joins; JSON is made here, so that the gateway never looks into results.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import orjson

from dlsys_server.serving.worker.models import Column, LoadedModel

_SIMPLE = "output"


class Batch:
    """Parts of equal item shapes; the blob holds the tensors, input by input, part after part."""

    def __init__(self, parts: list[dict[str, Any]], blob: bytearray) -> None:
        self.parts = parts
        self._blob = blob
        self.rows = sum(part["rows"] for part in parts)

    def columns(self, inputs: list[dict[str, Any]]) -> list[Column]:
        """One array [rows, …] or list a model input, over all parts."""
        columns: list[Column] = []
        offset = 0
        for index, spec in enumerate(inputs):
            cells = [part["inputs"][index] for part in self.parts]
            if "values" in cells[0]:
                columns.append([value for cell in cells for value in cell["values"]])
                continue
            size = sum(cell["size"] for cell in cells)
            raw = memoryview(self._blob)[offset : offset + size]
            offset += size
            flat = np.frombuffer(raw, dtype=np.dtype(spec["type"]))
            columns.append(flat.reshape([self.rows, *cells[0]["shape"]]))
        return columns


def answer(model: LoadedModel, batch: Batch) -> tuple[list[list[int]], bytes]:
    """Predict a batch: sizes of the fragments of each part, and all fragments in that order."""
    outputs = model.predict(batch.columns(model.contract["inputs"]), batch.rows)
    names = [output["name"] for output in model.contract["outputs"]]
    sizes: list[list[int]] = []
    fragments: list[bytes] = []
    start = 0
    for part in batch.parts:
        stop = start + part["rows"]
        mine = [output[start:stop] for output in outputs]
        start = stop
        made = _fragments(names, mine, part["want"])
        sizes.append([len(fragment) for fragment in made])
        fragments += made
    return sizes, b"".join(fragments)


def _fragments(names: list[str], outputs: list[Column], want: str | list[Any]) -> list[bytes]:
    if isinstance(want, str):
        return [_json(_rows(names, outputs))]
    return [_binary(outputs[index]) if raw else _json(_flat(outputs[index])) for index, raw in want]


def _rows(names: list[str], outputs: list[Column]) -> list[Any]:
    if names == [_SIMPLE]:
        return list(outputs[0])
    return [dict(zip(names, row, strict=True)) for row in zip(*outputs, strict=True)]


def _flat(output: Column) -> Any:
    if isinstance(output, list):
        return output
    flat = np.ascontiguousarray(output).reshape(-1)
    return flat.tolist() if flat.dtype.kind in "OUS" else flat


def _json(value: Any) -> bytes:
    """JSON of a sequence without its brackets: fragments are joined by commas."""
    options = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
    return orjson.dumps(value, default=_plain, option=options)[1:-1]


def _plain(value: Any) -> Any:
    """What orjson does not know: arrays that are not contiguous, NumPy and pandas scalars."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    return str(value)


def _binary(output: Column) -> bytes:
    if isinstance(output, np.ndarray) and output.dtype.kind not in "OUS":
        return np.ascontiguousarray(output).tobytes()
    encoded = [str(value).encode() for value in _flat(output)]
    return b"".join(struct.pack("<I", len(item)) + item for item in encoded)
