"""Incoming batches become batches of the dataset's schema, or problems with row and column."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from jupyter_dlsys.contract.base import FieldProblem

from .kinds import ROLES

MAX_PROBLEMS = 20
MAX_PIXELS = 100_000_000
MISSING_WORDS = pa.array(["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "n/a", "#N/A"])


class Conformer:
    """Casts batches of one file to the target schema and collects what does not fit.

    Args:
        target: the schema of the dataset after the commit.
        filename: named in problems.
        is_text: values came as text (CSV), so that '12' may become a number.
        is_image: the column `image` holds PNG or JPEG files.
    """

    def __init__(self, target: pa.Schema, filename: str, *, is_text: bool, is_image: bool) -> None:
        self.target, self.filename = target, filename
        self.is_text, self.is_image = is_text, is_image
        self.problems: list[FieldProblem] = []
        self.rows = 0

    @property
    def is_full(self) -> bool:
        """Enough problems are known; reading on would tell nothing new."""
        return len(self.problems) >= MAX_PROBLEMS

    def conform(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch in the target schema; columns with problems are null in it."""
        present = set(batch.schema.names)
        columns = [
            self._column(batch.column(f.name), f)
            if f.name in present
            else pa.nulls(batch.num_rows, f.type)
            for f in self.target
        ]
        self.rows += batch.num_rows
        return pa.RecordBatch.from_arrays(columns, schema=self.target)

    def _column(self, array: pa.Array, field: pa.Field) -> pa.Array:
        array = plain(array)
        if self.is_text and not pa.types.is_string(field.type):
            array = pc.utf8_trim_whitespace(array)
            array = pc.if_else(pc.is_in(array, MISSING_WORDS), pa.scalar(None, array.type), array)
        if array.type != field.type:
            array = self._cast(array, field)
        if not field.nullable and array.null_count:
            self._nulls(array, field)
        if field.name == "image" and self.is_image:
            self._images(array)
        return array

    def _cast(self, array: pa.Array, field: pa.Field) -> pa.Array:
        if not self._may_cast(array.type, field):
            first = next((i for i, ok in enumerate(array.is_valid().to_pylist()) if ok), None)
            if first is not None:
                self._add(first, field, array[first].as_py())
            return pa.nulls(len(array), field.type)
        try:
            return array.cast(field.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError):
            for row in bad_rows(array, field.type, MAX_PROBLEMS - len(self.problems)):
                self._add(row, field, array[row].as_py())
            return pa.nulls(len(array), field.type)

    def _may_cast(self, found: pa.DataType, field: pa.Field) -> bool:
        types, wanted = pa.types, field.type
        if self.is_text or types.is_null(found):
            return True
        if types.is_string(wanted):
            plain_value = types.is_integer(found) or types.is_boolean(found)
            is_label = field.name == ROLES["label"]
            return bool(types.is_string(found) or (is_label and plain_value))
        if types.is_string(found):
            return bool(types.is_temporal(wanted))
        return not (types.is_boolean(found) or types.is_boolean(wanted))

    def _nulls(self, array: pa.Array, field: pa.Field) -> None:
        for row in pc.indices_nonzero(array.is_null()).to_pylist()[:MAX_PROBLEMS]:
            if not any(
                p.row == self.rows + row + 1 and p.column == field.name for p in self.problems
            ):
                self._add(row, field, None)

    def _images(self, array: pa.Array) -> None:
        for row, value in enumerate(array):
            if self.is_full:
                return
            wrong = image_problem(value.as_py()) if value.is_valid else ""
            if wrong:
                self._put(row, "image", "not an image", "a whole PNG or JPEG file", wrong)

    def _add(self, row: int, field: pa.Field, value: object) -> None:
        expected = str(field.type)
        if value is None:
            self._put(
                row, field.name, "the value is missing", f"{expected}, never missing", "nothing"
            )
        else:
            self._put(row, field.name, "the value does not fit", expected, shown(value))

    def _put(self, row: int, column: str, message: str, expected: str, got: str) -> None:
        if not self.is_full:
            self.problems.append(
                FieldProblem(
                    field=self.filename,
                    row=self.rows + row + 1,
                    column=column,
                    message=message,
                    expected=expected,
                    got=got,
                )
            )


def plain(array: pa.Array) -> pa.Array:
    """Without dictionary, run-end or extension encoding."""
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if pa.types.is_dictionary(array.type):
        return plain(array.dictionary_decode())
    if pa.types.is_run_end_encoded(array.type):
        return plain(pc.run_end_decode(array))
    kind = array.type
    if pa.types.is_string_view(kind) or pa.types.is_large_string(kind):
        return array.cast(pa.string())
    return array


def bad_rows(array: pa.Array, wanted: pa.DataType, limit: int) -> list[int]:
    """The first rows that cannot be cast, found by halving."""
    found: list[int] = []
    pending = [(0, len(array))]
    while pending and len(found) < limit:
        start, length = pending.pop()
        try:
            array.slice(start, length).cast(wanted)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError):
            if length == 1:
                found.append(start)
                continue
            half = length // 2
            pending += [(start + half, length - half), (start, half)]
    return found


def image_problem(data: bytes) -> str:
    """Why these bytes are not an image that can be kept; '' when they are."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as image:
            pixels = image.width * image.height
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return f"an image of more than {MAX_PIXELS // 1_000_000} million pixels"
    except (OSError, SyntaxError, ValueError):
        return f"{len(data)} bytes that begin with {data[:8].hex(' ')}" if data else "no bytes"
    if pixels > MAX_PIXELS:
        return f"an image of {pixels // 1_000_000} million pixels"
    return ""


def shown(value: object) -> str:
    """A value for people, short."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"


def pieces(batch: pa.RecordBatch, limit: int) -> Iterator[pa.RecordBatch]:
    """Slices of at most about `limit` bytes."""
    size = batch.nbytes
    if size <= limit or batch.num_rows <= 1:
        yield batch
        return
    step = max(1, batch.num_rows * limit // size)
    for start in range(0, batch.num_rows, step):
        yield batch.slice(start, step)
