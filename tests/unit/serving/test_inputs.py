"""Tensors become the bytes that NumPy would make; what does not fit is refused by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlsys_server.serving.gateway.errors import Refusal
from dlsys_server.serving.gateway.inputs import ITEM_SIZES, from_columns, from_records
from dlsys_server.serving.worker.frames import BadFrame, FrameReader, pack


def _spec(kind: str = "float32", shape: tuple[int, ...] = (2,), **more: Any) -> dict[str, Any]:
    return {"name": "x", "kind": "tensor", "type": kind, "shape": list(shape), **more}


@pytest.mark.parametrize("kind", sorted(ITEM_SIZES))
def test_bytes_are_those_of_numpy(kind: str) -> None:
    value: list[Any] = [[True, False], [True, True]] if kind == "bool" else [[1, 2], [3, 4]]
    cell = from_columns([_spec(kind)], {"x": value}).cells[0]
    assert cell.raw == np.array(value, dtype=kind).tobytes()
    assert len(cell.raw) == 4 * ITEM_SIZES[kind]


@given(st.integers(1, 5), st.integers(0, 4), st.integers(1, 4))
def test_any_shape(rows: int, depth: int, size: int) -> None:
    shape = (size,) * depth
    value = np.arange(rows * size**depth, dtype="float32").reshape(rows, *shape)
    found = from_columns([_spec(shape=(-1,) * depth)], {"x": value.tolist()})
    assert found.count == rows
    assert found.cells[0].raw == value.tobytes()
    assert found.cells[0].shape == shape
    joined = b"".join(found.part(i, i + 1).cells[0].raw for i in range(rows))
    assert joined == value.tobytes()


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("int8", [[1, 200]]),
        ("uint8", [[1, -1]]),
        ("int64", [[1, 1.0]]),
        ("float32", [[1, "2"]]),
        ("bool", [[0, 1]]),
        ("float32", [[1, 2], [3]]),
        ("float32", [[1, 2], 3]),
        ("float32", [[[1], [2]]]),
        ("float32", 5),
        ("float32", []),
        ("float32", [None]),
    ],
)
def test_what_does_not_fit_is_named(kind: str, value: Any) -> None:
    with pytest.raises(Refusal, match="'x'") as refusal:
        from_columns([_spec(kind)], {"x": value})
    assert (refusal.value.status, refusal.value.field) == (400, "x")


def test_optional_columns_may_be_missing() -> None:
    column = {"kind": "column", "shape": []}
    specs = [
        {"name": "a", "type": "double", "required": True, **column},
        {"name": "b", "type": "string", "required": False, **column},
    ]
    rows = from_records(specs, [{"a": 1}, {"a": 2.5, "b": None}], "instances")
    assert [cell.values for cell in rows.cells] == [[1, 2.5], [None, None]]
    with pytest.raises(Refusal, match="null"):
        from_records(specs, [{"a": None}], "instances")


@given(st.lists(st.binary(max_size=50), max_size=5), st.integers(1, 17))
def test_frames_survive_any_cut(blobs: list[bytes], step: int) -> None:
    stream = b"".join(pack({"n": n}, blob) for n, blob in enumerate(blobs))
    reader = FrameReader()
    found = []
    for start in range(0, len(stream), step):
        found += reader.feed(stream[start : start + step])
    assert found == [({"n": n}, blob) for n, blob in enumerate(blobs)]


def test_nonsense_is_no_frame() -> None:
    with pytest.raises(BadFrame):
        FrameReader().feed(b"\xff" * 8)
