"""CSV (and TSV, and semicolons): every column is read as text; types are found over the whole file.

An empty cell is missing; a quoted empty cell is the empty text.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from dlsys_server.core.errors import InvalidInput
from jupyter_dlsys.contract.base import FieldProblem

from .conform import MAX_PROBLEMS, MISSING_WORDS
from .sources import Source, first_line

BLOCK_BYTES = 4 << 20
MAX_HEADER = 1 << 20
CANDIDATES = (pa.int64(), pa.float64(), pa.bool_(), pa.date32(), pa.timestamp("us"))
LEADING_ZERO = r"^[+-]?0\d"


class CsvSource(Source):
    """A CSV file with a header line, UTF-8, separated by comma, semicolon or tab."""

    is_text = True

    def schema(self) -> pa.Schema:
        """Known columns as text; the types of others from all of their values."""
        names = self._header()[0]
        unknown = [n for n in dict.fromkeys(names) if n not in self.known.names]
        if len(set(names)) < len(names) or not unknown:
            return pa.schema([(n, pa.string()) for n in names])
        guesses = {name: list(CANDIDATES) for name in unknown}
        for batch in self._read(unknown):
            for name in unknown:
                guesses[name] = _still_possible(batch.column(name), guesses[name])
        return pa.schema([(n, self._type(n, guesses)) for n in names])

    def batches(self, target: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Batches of text columns."""
        yield from self._read(None)

    def _type(self, name: str, guesses: dict[str, list[pa.DataType]]) -> pa.DataType:
        return (guesses.get(name) or [pa.string()])[0]

    def _header(self) -> tuple[list[str], str]:
        with self.path.open("rb") as file:
            start = file.read(MAX_HEADER)
        if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise self.malformed("the text is UTF-16", hint="Save the file as UTF-8.")
        text = start.decode("utf-8-sig", errors="replace")
        if "\0" in text:
            raise self.malformed("this is not text: it holds NUL bytes")
        line = next((x for x in text.splitlines() if x.strip()), "")
        counts = {d: line.count(d) for d in (",", "\t", ";")}
        delimiter = max(counts, key=lambda d: counts[d]) if any(counts.values()) else ","
        rows = csv.reader(text.splitlines(), delimiter=delimiter)
        names = next((row for row in rows if row), [])
        if not names:
            raise self.malformed("there is no header line")
        return names, delimiter

    def _read(self, only: list[str] | None) -> Iterator[pa.RecordBatch]:
        names, delimiter = self._header()
        bad: list[Any] = []

        def note(row: Any) -> str:
            if len(bad) < MAX_PROBLEMS:
                bad.append(row)
            return "skip"

        options = {
            "read_options": pacsv.ReadOptions(block_size=BLOCK_BYTES, use_threads=False),
            "parse_options": pacsv.ParseOptions(
                delimiter=delimiter, newlines_in_values=True, invalid_row_handler=note
            ),
            "convert_options": pacsv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                include_columns=only,
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                null_values=[""],
            ),
        }
        try:
            with pacsv.open_csv(self.path, **options) as reader:
                for batch in reader:
                    if bad:
                        break
                    if batch.num_rows:
                        yield batch
        except (pa.ArrowException, UnicodeDecodeError, OSError) as error:
            raise self._unreadable(error) from error
        if bad:
            raise self._ragged(bad)

    def _ragged(self, bad: list[Any]) -> InvalidInput:
        errors = [
            FieldProblem(
                field=self.filename,
                row=None if row.number is None else row.number - 1,
                message=f"the row is {_short(row.text)}",
                expected=f"{row.expected_columns} values",
                got=f"{row.actual_columns} values",
            )
            for row in bad
        ]
        first = errors[0]
        error = self.malformed(
            f"row {first.row} (line {(first.row or 0) + 1} unless a value spans lines) has "
            f"{first.got}, expected {first.expected}",
            hint="Quote values that hold the separator; every row needs the header's columns.",
        )
        error.errors = errors
        return error

    def _unreadable(self, error: Exception) -> InvalidInput:
        with self.path.open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    line.decode()
                except UnicodeDecodeError as wrong:
                    byte = line[wrong.start]
                    return self.malformed(
                        f"line {number} is not UTF-8 (byte 0x{byte:02x} at {wrong.start + 1})",
                        row=max(1, number - 1),
                        hint="Save the file as UTF-8.",
                    )
        found = re.search(r"Row #(\d+)", str(error))
        row = int(found[1]) - 1 if found else None
        return self.malformed(f"not readable as CSV: {first_line(error)}", row=row)


def _still_possible(array: pa.Array, candidates: list[pa.DataType]) -> list[pa.DataType]:
    array = pc.utf8_trim_whitespace(array)
    array = array.filter(pc.invert(pc.is_in(array, MISSING_WORDS)))
    if not len(array) or not candidates:
        return candidates
    if pc.any(pc.match_substring_regex(array, LEADING_ZERO)).as_py():
        candidates = [c for c in candidates if not pa.types.is_integer(c)]
        candidates = [c for c in candidates if not _is_code(array, c)]
    return [c for c in candidates if _fits(array, c)]


def _is_code(array: pa.Array, candidate: pa.DataType) -> bool:
    """Values such as 007 are codes, not numbers."""
    codes = pc.match_substring_regex(array, r"^[+-]?0\d+$")
    return bool(pa.types.is_floating(candidate)) and bool(pc.any(codes).as_py())


def _fits(array: pa.Array, wanted: pa.DataType) -> bool:
    if pa.types.is_boolean(wanted):
        words = pa.array(["true", "false", "True", "False", "TRUE", "FALSE"])
        return bool(pc.all(pc.is_in(array, words)).as_py())
    try:
        array.cast(wanted)
    except pa.ArrowInvalid:
        return False
    return True


def _short(text: str | None) -> str:
    return repr(text if text is None or len(text) <= 60 else text[:57] + "…")
