"""Tensors of the Open Inference Protocol: JSON, or bytes behind the JSON part of a request."""

from __future__ import annotations

import math
import struct
from typing import Any

from dlsys_server.serving.gateway.errors import Refusal, bad_input
from dlsys_server.serving.gateway.inputs import (
    ITEM_SIZES,
    Cell,
    Rows,
    Spec,
    expected,
    kind_of,
    to_bytes,
)
from dlsys_server.serving.gateway.inputs import cell as checked_cell

_DATATYPES = {
    "string": "BYTES", "bool": "BOOL", "float16": "FP16", "float32": "FP32", "float64": "FP64",
    "int8": "INT8", "int16": "INT16", "int32": "INT32", "int64": "INT64",
    "uint8": "UINT8", "uint16": "UINT16", "uint32": "UINT32", "uint64": "UINT64",
    # columns of an MLflow signature
    "boolean": "BOOL", "integer": "INT32", "long": "INT64", "float": "FP32", "double": "FP64",
    "binary": "BYTES", "datetime": "BYTES",
}  # fmt: skip
_FORMATS = {"boolean": "?", "integer": "i", "long": "q", "float": "f", "double": "d"}


def datatype(spec: Spec) -> str:
    """Protocol name of an input's type."""
    return _DATATYPES.get(spec["type"], "BYTES")


def rows_of_tensors(specs: list[Spec], tensors: Any, binary: bytes) -> Rows:
    """Rows of the `inputs` of an infer request; `binary` follows its JSON part.

    Raises Refusal 400.
    """
    if not isinstance(tensors, list) or not tensors:
        raise Refusal(400, "inputs must be an array with at least one tensor", field="inputs")
    given = _by_name(specs, tensors)
    cells: dict[str, Cell] = {}
    offset = 0
    counts: dict[str, int] = {}
    for name, tensor in given.items():
        spec = next(spec for spec in specs if spec["name"] == name)
        shape = _shape(spec, tensor)
        counts[name] = shape[0]
        size = (tensor.get("parameters") or {}).get("binary_data_size")
        if size is None:
            cells[name] = _from_json(spec, tensor, shape)
            continue
        if not isinstance(size, int) or size < 0 or offset + size > len(binary):
            raise bad_input(name, f"binary_data_size {size} does not fit the body")
        cells[name] = _from_binary(spec, binary[offset : offset + size], shape)
        offset += size
    if offset != len(binary):
        raise Refusal(400, f"{len(binary) - offset} bytes of binary data belong to no input")
    count = _one_count(counts)
    nothing = Cell(values=[None] * count)
    return Rows(count, [cells.get(spec["name"], nothing) for spec in specs])


def _by_name(specs: list[Spec], tensors: list[Any]) -> dict[str, dict[str, Any]]:
    known = [spec["name"] for spec in specs]
    given: dict[str, dict[str, Any]] = {}
    for index, tensor in enumerate(tensors):
        if not isinstance(tensor, dict) or not isinstance(tensor.get("name"), str):
            raise Refusal(400, f"inputs[{index}] must be an object with a name", field="inputs")
        name = tensor["name"]
        if name not in known:
            raise bad_input(name, f"unknown, the model takes {', '.join(map(repr, known))}")
        if name in given:
            raise bad_input(name, "given twice")
        given[name] = tensor
    for spec in specs:
        if spec["name"] not in given and spec.get("required", True):
            got = ", ".join(map(repr, list(given)[:10]))
            raise bad_input(spec["name"], f"missing: {expected(spec)} is expected, got only {got}")
    return given


def _shape(spec: Spec, tensor: dict[str, Any]) -> list[int]:
    name, wanted = spec["name"], datatype(spec)
    if tensor.get("datatype") != wanted:
        raise bad_input(name, f"datatype {wanted} is expected, got {tensor.get('datatype')!r}")
    shape = tensor.get("shape")
    if not isinstance(shape, list) or not all(type(size) is int and size >= 0 for size in shape):
        raise bad_input(name, f"shape must be an array of integers, got {kind_of(shape)}")
    # A column of one value a row may come as [n, 1].
    if not spec["shape"] and len(shape) == 2 and shape[1] == 1:
        shape = shape[:1]
    want = spec["shape"]
    fits = len(shape) == len(want) + 1 and all(
        size < 0 or size == got for size, got in zip(want, shape[1:], strict=True)
    )
    if not fits:
        raise bad_input(name, f"{expected(spec)} is expected, got shape {tensor['shape']}")
    if shape[0] == 0:
        raise bad_input(name, "at least one row is needed")
    return shape


def _from_json(spec: Spec, tensor: dict[str, Any], shape: list[int]) -> Cell:
    data = tensor.get("data")
    if not isinstance(data, list):
        raise bad_input(spec["name"], f"data must be an array, got {kind_of(data)}")
    flat = _flat(data)
    if len(flat) != math.prod(shape):
        raise bad_input(
            spec["name"],
            f"shape {shape} needs {math.prod(shape)} elements, data has {len(flat)}",
        )
    if spec["type"] == "string" or spec["kind"] == "column":
        return checked_cell(spec, _nested(flat, shape))
    return Cell(raw=to_bytes(spec["name"], spec["type"], flat), shape=tuple(shape[1:]))


def _flat(data: list[Any]) -> list[Any]:
    while data and all(type(item) is list for item in data):
        data = [value for item in data for value in item]
    return data


def _nested(flat: list[Any], shape: list[int]) -> list[Any]:
    for size in reversed(shape[1:]):
        flat = [flat[i : i + size] for i in range(0, len(flat), size)] if size else flat
    return flat


def _from_binary(spec: Spec, raw: bytes, shape: list[int]) -> Cell:
    name = spec["name"]
    if datatype(spec) == "BYTES":
        texts = _strings(name, raw)
        if len(texts) != math.prod(shape):
            raise bad_input(
                name, f"shape {shape} needs {math.prod(shape)} strings, got {len(texts)}"
            )
        return checked_cell(spec, _nested(texts, shape))
    code = _FORMATS.get(spec["type"])
    item = struct.calcsize(f"<{code}") if code else ITEM_SIZES[spec["type"]]
    if len(raw) != math.prod(shape) * item:
        raise bad_input(
            name,
            f"shape {shape} of {spec['type']} needs {math.prod(shape) * item} "
            f"bytes, got {len(raw)}",
        )
    if spec["kind"] == "column":
        return Cell(values=list(struct.unpack(f"<{shape[0]}{code}", raw)))
    return Cell(raw=raw, shape=tuple(shape[1:]))


def _strings(name: str, raw: bytes) -> list[Any]:
    texts: list[Any] = []
    offset = 0
    try:
        while offset < len(raw):
            (size,) = struct.unpack_from("<I", raw, offset)
            end = offset + 4 + size
            if end > len(raw):
                raise ValueError("a string is longer than the data")
            texts.append(raw[offset + 4 : end].decode())
            offset = end
    except (struct.error, ValueError) as error:
        raise bad_input(name, f"the binary strings are damaged: {error}") from error
    return texts


def _one_count(counts: dict[str, int]) -> int:
    first_name, first = next(iter(counts.items()))
    for name, count in counts.items():
        if count != first:
            raise bad_input(name, f"has {count} rows, input {first_name!r} has {first}")
    return first
