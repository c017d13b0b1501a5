"""Kinds of dataset: which columns they need, which Arrow types are kept, how schemas grow."""

from __future__ import annotations

import base64
import difflib
from collections.abc import Iterable

import pyarrow as pa

from dlsys_server.core.errors import Refused
from jupyter_dlsys.contract.base import FieldProblem
from jupyter_dlsys.contract.datasets import Column, Kind

NEEDED: dict[str, dict[str, pa.Field]] = {
    "text-classification": {
        "text": pa.field("text", pa.string(), nullable=False),
        "label": pa.field("label", pa.string()),
    },
    "image-classification": {
        "image": pa.field("image", pa.binary(), nullable=False),
        "label": pa.field("label", pa.string()),
    },
    "tabular": {},
    "generic": {},
}
ROLES = {"text": "text", "image": "image", "label": "label"}
RESERVED = "label_id"
MAX_COLUMNS = 2000
NOTHING_CHANGED = "Correct the file and commit again; this commit changed nothing."


def is_classification(kind: str) -> bool:
    """Whether rows of this kind carry a label."""
    return kind.endswith("-classification")


def normal_type(found: pa.DataType) -> pa.DataType | None:
    """The type that is kept for an incoming one; None when it cannot be kept.

    Encodings are not content: dictionaries, views and 64-bit offsets become the plain type.
    """
    types = pa.types
    if isinstance(found, pa.BaseExtensionType):
        return normal_type(found.storage_type)
    if types.is_dictionary(found) or types.is_run_end_encoded(found):
        return normal_type(found.value_type)
    if types.is_null(found) or types.is_large_string(found) or types.is_string_view(found):
        return pa.string()
    if types.is_large_binary(found) or types.is_binary_view(found):
        return pa.binary()
    if types.is_fixed_size_binary(found):
        return pa.binary()
    if types.is_timestamp(found) and found.unit == "s":
        return pa.timestamp("ms", found.tz)
    if types.is_date64(found):
        return pa.timestamp("ms")
    if types.is_nested(found):
        return _normal_nested(found)
    simple = types.is_primitive(found) or types.is_decimal128(found)
    simple = simple or types.is_string(found) or types.is_binary(found)
    return found if simple and not types.is_interval(found) else None


def _normal_nested(found: pa.DataType) -> pa.DataType | None:
    types = pa.types
    if types.is_struct(found):
        fields = [(f.name, normal_type(f.type)) for f in found]
        names = {name for name, _ in fields}
        if not fields or len(names) < len(fields) or any(t is None for _, t in fields):
            return None
        return pa.struct(fields)
    if types.is_map(found) or not hasattr(found, "value_type"):
        return None
    value = normal_type(found.value_type)
    if value is None:
        return None
    if types.is_fixed_size_list(found):
        return pa.list_(value, found.list_size)
    return pa.list_(value)


def target_schema(
    kind: Kind, known: pa.Schema | None, incoming: list[tuple[str, pa.Schema]]
) -> pa.Schema:
    """The schema after a commit of these files: the known columns, then new nullable ones.

    Args:
        known: schema of the version the commit builds on; None for the first.
        incoming: file name and schema of each file.

    Raises:
        Refused: a column is missing, has a type that cannot be kept, or two files disagree.
    """
    problems: list[FieldProblem] = []
    fields = {f.name: f for f in known} if known is not None else dict(NEEDED[kind])
    for filename, schema in incoming:
        problems += _name_problems(filename, kind, schema.names)
        problems += _missing(filename, fields.values(), schema.names)
        for field in schema:
            problem = _add(fields, field, kind, filename)
            if problem:
                problems.append(problem)
    if len(fields) > MAX_COLUMNS:
        message = f"{len(fields)} columns; at most {MAX_COLUMNS} can be kept"
        problems.append(FieldProblem(message=message))
    if problems:
        raise refusal(problems, NOTHING_CHANGED)
    return pa.schema(list(fields.values()))


def _add(
    fields: dict[str, pa.Field], field: pa.Field, kind: str, filename: str
) -> FieldProblem | None:
    name = field.name
    if name in fields:
        return None
    kept = normal_type(field.type)
    flat = "a plain value: number, text, time or truth value"
    if kept is None or (kind == "tabular" and (pa.types.is_nested(kept) or kept == pa.binary())):
        return FieldProblem(
            field=filename,
            column=name,
            message=f"this type cannot be kept in a {kind} dataset",
            expected=flat if kind == "tabular" else "an Arrow type that Parquet can hold",
            got=str(field.type),
        )
    fields[name] = pa.field(name, kept)
    return None


def _name_problems(filename: str, kind: str, names: list[str]) -> Iterable[FieldProblem]:
    seen: set[str] = set()
    for position, name in enumerate(names, 1):
        if not name.strip() or len(name) > 255:
            message = f"column {position} has no usable name (1 to 255 characters)"
            yield FieldProblem(field=filename, column=name[:80], message=message)
        elif name in seen:
            message = f"column '{name}' is there twice"
            yield FieldProblem(field=filename, column=name, message=message)
        elif name == RESERVED and is_classification(kind):
            message = "the platform numbers the labels itself; leave this column out"
            yield FieldProblem(field=filename, column=name, message=message)
        seen.add(name)


def _missing(filename: str, fields: Iterable[pa.Field], names: list[str]) -> Iterable[FieldProblem]:
    for field in fields:
        required = not field.nullable or field.name in ROLES
        if required and field.name not in names:
            near = difflib.get_close_matches(field.name, names, 1, 0.5)
            there = f"rename '{near[0]}'?" if near else f"it has {', '.join(names[:8]) or 'none'}"
            yield FieldProblem(
                field=filename,
                column=field.name,
                message=f"the column is missing; {there}",
                expected=str(field.type),
                got="no such column",
            )


def refusal(problems: list[FieldProblem], hint: str) -> Refused:
    """The error of a commit that breaks the schema; says the first place in its detail."""
    first = problems[0]
    where = [first.field, f"row {first.row}" if first.row else ""]
    where.append(f"column '{first.column}'" if first.column else "")
    detail = ", ".join(w for w in where if w) + f": {first.message}"
    if first.expected and first.row:
        detail += f" (expected {first.expected}, got {first.got})"
    if len(problems) > 1:
        detail += f"; and {len(problems) - 1} more"
    return Refused(detail.lstrip(": "), code="schema-mismatch", hint=hint, errors=problems)


def columns_of(kind: str, schema: pa.Schema) -> list[Column]:
    """The schema as the API tells it."""
    roles = ROLES if is_classification(kind) else {}
    needed = NEEDED[kind]
    return [
        Column(
            name=f.name,
            type=str(f.type),
            nullable=f.nullable,
            role=roles.get(f.name, "") if f.name in needed else "",
        )
        for f in schema
    ]


def pack_schema(schema: pa.Schema) -> str:
    """A schema as text for the manifest."""
    return base64.b64encode(schema.remove_metadata().serialize().to_pybytes()).decode()


def unpack_schema(text: str) -> pa.Schema:
    """The schema of a manifest; the empty schema of an empty text."""
    if not text:
        return pa.schema([])
    return pa.ipc.read_schema(pa.BufferReader(base64.b64decode(text)))
