"""Checks a request's inputs against the model's contract, before they can spoil a batch.

Tensors become little-endian bytes here, so that the worker copies nothing and parses no numbers.
"""

from __future__ import annotations

import math
import struct
from array import array
from dataclasses import dataclass
from itertools import chain
from typing import Any

from dlsys_server.serving.gateway.errors import Refusal, bad_input

_CODES = {
    "float64": "d", "float32": "f", "int64": "q", "int32": "i", "int16": "h", "int8": "b",
    "uint64": "Q", "uint32": "I", "uint16": "H", "uint8": "B",
}  # fmt: skip
ITEM_SIZES = {"bool": 1, "float16": 2, **{name: array(c).itemsize for name, c in _CODES.items()}}
_COLUMN_TYPES: dict[str, tuple[type, ...]] = {
    "boolean": (bool,), "integer": (int,), "long": (int,), "float": (int, float),
    "double": (int, float), "string": (str,), "binary": (str,), "datetime": (str,),
}  # fmt: skip
_JSON_NAMES = {
    type(None): "null", bool: "boolean", int: "integer", float: "number", str: "string",
    list: "array", dict: "object",
}  # fmt: skip

Spec = dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """One input of one request: JSON values, or a tensor's bytes with the shape of one item."""

    values: list[Any] | None = None
    raw: bytes = b""
    shape: tuple[int, ...] = ()


@dataclass(frozen=True)
class Rows:
    """The checked inputs of a request, in the order of the contract."""

    count: int
    cells: list[Cell]

    def part(self, start: int, stop: int) -> Rows:
        """Rows start to stop as a request of their own."""
        cells = []
        for cell in self.cells:
            if cell.values is not None:
                cells.append(Cell(values=cell.values[start:stop]))
            else:
                size = len(cell.raw) // self.count
                cells.append(Cell(raw=cell.raw[start * size : stop * size], shape=cell.shape))
        return Rows(stop - start, cells)


def from_columns(specs: list[Spec], columns: dict[str, Any]) -> Rows:
    """Rows of `{input name: list with one entry a row}`. Raises Refusal 400."""
    _check_names(specs, columns)
    count = _row_count(specs, columns)
    cells = []
    for spec in specs:
        if spec["name"] in columns:
            cells.append(cell(spec, columns[spec["name"]]))
        else:
            cells.append(Cell(values=[None] * count))
    return Rows(count, cells)


def from_records(specs: list[Spec], records: Any, field: str) -> Rows:
    """Rows of a list with one entry a row: objects, or bare values when the model has one input."""
    if not isinstance(records, list):
        raise Refusal(400, f"{field} must be an array, got {kind_of(records)}", field=field)
    if not records:
        raise Refusal(400, f"{field} is empty: at least one row is needed", field=field)
    if len(specs) == 1 and not isinstance(records[0], dict):
        return from_columns(specs, {specs[0]["name"]: records})
    columns: dict[str, list[Any]] = {spec["name"]: [] for spec in specs}
    for index, record in enumerate(records):
        if not isinstance(record, dict):
            raise Refusal(
                400, f"{field}[{index}] must be an object, got {kind_of(record)}", field=field
            )
        _check_names(specs, record)
        for spec in specs:
            columns[spec["name"]].append(record.get(spec["name"]))
    return from_columns(specs, columns)


def cell(spec: Spec, values: Any) -> Cell:
    """Check the values of one input, one entry a row."""
    name = spec["name"]
    if not isinstance(values, list):
        raise bad_input(name, f"an array with one entry a row is expected, got {kind_of(values)}")
    if spec["kind"] == "column":
        return Cell(values=_checked_column(spec, values))
    if spec["type"] == "string" and not spec["shape"]:
        return Cell(values=_checked_strings(name, values))
    shape = _item_shape(values)
    _check_shape(spec, shape, len(values))
    flat = _flatten(spec, values, shape)
    if spec["type"] == "string":
        _checked_strings(name, flat)
        return Cell(values=values)
    return Cell(raw=to_bytes(name, spec["type"], flat), shape=shape)


def expected(spec: Spec) -> str:
    """What an input takes, in words."""
    sizes = ["n", *("any" if size < 0 else str(size) for size in spec["shape"])]
    return f"{spec['type']} [{', '.join(sizes)}]"


def kind_of(value: Any) -> str:
    """JSON type of a value, with the value when it is short."""
    kind = _JSON_NAMES.get(type(value), type(value).__name__)
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        text = repr(value)
        return f"{kind} {text if len(text) <= 40 else text[:37] + '...'}"
    return kind


def to_bytes(name: str, kind: str, flat: list[Any]) -> bytes:
    """Little-endian bytes of checked numbers.

    Raises Refusal 400 naming the first that does not fit.
    """
    allowed = {bool} if kind == "bool" else {int, float} if kind.startswith("float") else {int}
    if not set(map(type, flat)) <= allowed:
        index = next(i for i, value in enumerate(flat) if type(value) not in allowed)
        raise bad_input(name, f"{kind} is expected, got {kind_of(flat[index])} at element {index}")
    try:
        if kind == "bool":
            return bytes(flat)
        if kind == "float16":
            return struct.pack(f"<{len(flat)}e", *flat)
        return array(_CODES[kind], flat).tobytes()
    except (OverflowError, struct.error) as error:
        raise bad_input(name, f"a number is out of the range of {kind}") from error


def _check_names(specs: list[Spec], given: dict[str, Any]) -> None:
    known = [spec["name"] for spec in specs]
    for spec in specs:
        if spec["name"] not in given and spec.get("required", True):
            got = ", ".join(map(repr, list(given)[:10])) or "nothing"
            raise bad_input(spec["name"], f"missing: {expected(spec)} is expected, got only {got}")
    for name in given:
        if name not in known:
            raise bad_input(str(name), f"unknown, the model takes {', '.join(map(repr, known))}")


def _row_count(specs: list[Spec], columns: dict[str, Any]) -> int:
    count: int | None = None
    for spec in specs:
        values = columns.get(spec["name"])
        if values is None and spec["name"] not in columns:
            continue
        if not isinstance(values, list):
            raise bad_input(
                spec["name"], f"an array with one entry a row is expected, got {kind_of(values)}"
            )
        if count is not None and len(values) != count:
            raise bad_input(spec["name"], f"has {len(values)} rows, the inputs before have {count}")
        count = len(values)
    if not count:
        raise bad_input(specs[0]["name"], "at least one row is needed")
    return count


def _checked_strings(name: str, values: list[Any]) -> list[Any]:
    for index, value in enumerate(values):
        if type(value) is not str:
            raise bad_input(name, f"a string is expected, got {kind_of(value)} at row {index}")
    return values


def _checked_column(spec: Spec, values: list[Any]) -> list[Any]:
    allowed = _COLUMN_TYPES.get(spec["type"])
    if allowed is None:
        return values
    optional = not spec.get("required", True)
    for index, value in enumerate(values):
        if type(value) in allowed or (value is None and optional):
            continue
        raise bad_input(
            spec["name"], f"{spec['type']} is expected, got {kind_of(value)} at row {index}"
        )
    return values


def _item_shape(values: list[Any]) -> tuple[int, ...]:
    shape = []
    first = values[0] if values else None
    while isinstance(first, list):
        shape.append(len(first))
        first = first[0] if first else None
    return tuple(shape)


def _check_shape(spec: Spec, shape: tuple[int, ...], rows: int) -> None:
    want = spec["shape"]
    fits = len(want) == len(shape) and all(
        size < 0 or size == got for size, got in zip(want, shape, strict=True)
    )
    if not fits:
        raise bad_input(spec["name"], f"{expected(spec)} is expected, got shape {[rows, *shape]}")


def _flatten(spec: Spec, values: list[Any], shape: tuple[int, ...]) -> list[Any]:
    level = values
    for depth, size in enumerate(shape):
        for item in level:
            if type(item) is not list or len(item) != size:
                got = f"{len(item)} entries" if isinstance(item, list) else kind_of(item)
                raise bad_input(
                    spec["name"],
                    f"{expected(spec)} is expected, but axis {depth + 1} is ragged: got "
                    f"{got}, not {size}",
                )
        level = list(chain.from_iterable(level))
    return level


def element_count(shape: list[int]) -> int:
    """Number of elements of a tensor."""
    return math.prod(shape)
