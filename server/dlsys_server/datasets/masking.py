"""What stands in the place of masked values. Nothing of the values is left but what is said here.

null      no value, of the column's own type
redact    the same three dots in every row, missing or not
hash      a keyed hash as text, equal for equal values; a missing value stays missing
"""

from __future__ import annotations

import hmac
import json
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from jupyter_dlsys.contract.policies import MaskMethod

from .conform import plain

REDACTED = "•••"
HASH_DIGITS = 32


def fitting(method: MaskMethod, kind: pa.DataType) -> MaskMethod:
    """The method, or one that tells less where it does not fit the type."""
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    return "null" if method == "redact" and not text else method


def masked_field(field: pa.Field, method: MaskMethod) -> pa.Field:
    """The column as it looks masked."""
    kind = field.type if method == "null" else pa.string()
    return pa.field(field.name, kind, nullable=True)


def masked(array: pa.Array, method: MaskMethod, key: bytes) -> pa.Array:
    """The column's values, masked."""
    if method == "null":
        return pa.nulls(len(array), array.type)
    if method == "redact":
        return pa.array([REDACTED] * len(array), pa.string())
    return _hashed(array, key)


def _hashed(array: pa.Array, key: bytes) -> pa.Array:
    array = plain(array)
    if pa.types.is_nested(array.type):
        found = [None if v is None else _digest(v, key) for v in array.to_pylist()]
        return pa.array(found, pa.string())
    coded = array.dictionary_encode()
    digests = pa.array([_digest(v, key) for v in coded.dictionary.to_pylist()], pa.string())
    if not len(digests):
        return pa.nulls(len(array), pa.string())
    return pc.take(digests, coded.indices)


def _digest(value: Any, key: bytes) -> str:
    if isinstance(value, bytes):
        data = value
    elif isinstance(value, list | dict):
        data = json.dumps(value, sort_keys=True, default=str).encode()
    else:
        data = str(value).encode()
    return hmac.digest(key, data, "sha256").hex()[:HASH_DIGITS]
