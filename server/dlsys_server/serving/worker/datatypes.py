"""Names of element types: NumPy's, and those of the Open Inference Protocol."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_DATATYPES = {
    "bool": "BOOL", "int8": "INT8", "int16": "INT16", "int32": "INT32", "int64": "INT64",
    "uint8": "UINT8", "uint16": "UINT16", "uint32": "UINT32", "uint64": "UINT64",
    "float16": "FP16", "float32": "FP32", "float64": "FP64",
}  # fmt: skip


def datatype_of(column: NDArray[Any] | list[Any]) -> str:
    """Protocol name of a column's element type; whatever is no number is BYTES."""
    if isinstance(column, list):
        column = np.asarray(column) if _flat(column) else np.empty(0, dtype=object)
    return _DATATYPES.get(column.dtype.name, "BYTES")


def _flat(column: list[Any]) -> bool:
    return all(isinstance(value, (int, float, bool, np.generic)) for value in column)
