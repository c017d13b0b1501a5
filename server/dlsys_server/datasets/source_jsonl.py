"""JSON Lines: one object a line. Types are found over the whole file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pyarrow as pa

from dlsys_server.core.errors import DlsysError
from jupyter_dlsys.contract.base import FieldProblem

from .conform import MAX_PROBLEMS, shown
from .kinds import refusal
from .sources import BATCH_BYTES, Source

LINES = 8192


class JsonLinesSource(Source):
    """A file of JSON objects, one a line; keys may be missing, blank lines are skipped."""

    def schema(self) -> pa.Schema:
        """Union of all keys, in the order they first appear."""
        found = pa.schema([])
        for first_row, rows in self._rows():
            names = list(dict.fromkeys(key for row in rows for key in row))
            fields = [(n, self._infer(n, [r.get(n) for r in rows], first_row)) for n in names]
            try:
                found = pa.unify_schemas([found, pa.schema(fields)], promote_options="permissive")
            except (pa.ArrowTypeError, pa.ArrowInvalid) as error:
                raise self._disagree(found, pa.schema(fields), first_row, rows) from error
        return found

    def batches(self, target: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Batches with the keys that occur in them."""
        for first_row, rows in self._rows():
            names = list(dict.fromkeys(key for row in rows for key in row))
            arrays = [
                self._array([r.get(n) for r in rows], target.field(n), first_row) for n in names
            ]
            yield pa.RecordBatch.from_arrays(arrays, names=names)

    def _rows(self) -> Iterator[tuple[int, list[dict[str, Any]]]]:
        rows: list[dict[str, Any]] = []
        first_row, size = 0, 0
        with self.path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                rows.append(self._parse(line, number))
                size += len(line)
                if len(rows) >= LINES or size >= BATCH_BYTES:
                    yield first_row, rows
                    first_row, rows, size = first_row + len(rows), [], 0
        if rows:
            yield first_row, rows

    def _parse(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            row = orjson.loads(line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line)
        except orjson.JSONDecodeError as error:
            raise self.malformed(
                f"line {number} is not JSON: {error.msg}",
                row=number,
                hint="Each line holds one JSON object, in UTF-8.",
            ) from error
        if not isinstance(row, dict):
            raise self.malformed(
                f"line {number} is not a JSON object: {shown(row)}",
                row=number,
                hint='Each line is an object such as {"text": "hello", "label": "happy"}.',
            )
        return row

    def _infer(self, name: str, values: list[Any], first_row: int) -> pa.DataType:
        if name in self.known.names:
            return self.known.field(name).type
        try:
            return pa.array(values).type
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
            raise self._mixed(name, values, first_row) from error

    def _array(self, values: list[Any], field: pa.Field, first_row: int) -> pa.Array:
        try:
            return pa.array(values, field.type)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, TypeError):
            pass
        try:
            return pa.array(values)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
            raise self._misfits(values, field, first_row) from error

    def _mixed(self, name: str, values: list[Any], first_row: int) -> DlsysError:
        first = next(v for v in values if v is not None)
        field = pa.field(name, pa.array([first]).type)
        return self._misfits(values, field, first_row)

    def _disagree(
        self, found: pa.Schema, new: pa.Schema, first_row: int, rows: list[dict[str, Any]]
    ) -> DlsysError:
        for field in new:
            if field.name in found.names and found.field(field.name).type != field.type:
                values = [r.get(field.name) for r in rows]
                error = self._misfits(values, found.field(field.name), first_row)
                if error.errors[0].row is not None:
                    return error
        return self.malformed("its lines disagree on the type of a column")

    def _misfits(self, values: list[Any], field: pa.Field, first_row: int) -> DlsysError:
        errors: list[FieldProblem] = []
        for row, value in enumerate(values, first_row + 1):
            if len(errors) < MAX_PROBLEMS and not _fits(value, field.type):
                errors.append(
                    FieldProblem(
                        field=self.filename,
                        row=row,
                        column=field.name,
                        message="the value does not fit",
                        expected=str(field.type),
                        got=shown(value),
                    )
                )
        if not errors:
            return self.malformed(f"column '{field.name}' mixes types")
        return refusal(errors, "Every value of a column has one type; null stands for missing.")


def _fits(value: Any, wanted: pa.DataType) -> bool:
    try:
        pa.array([value], wanted)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, TypeError):
        return False
    return True
