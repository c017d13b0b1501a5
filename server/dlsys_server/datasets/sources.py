"""Files that a commit brings, read as batches in bounded memory.

A source tells its schema (a first pass where a format has no types of its own) and then gives
batches. CSV gives text columns; `conform` turns them into the dataset's types.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from dlsys_server.core.errors import InvalidInput
from jupyter_dlsys.contract.base import FieldProblem
from jupyter_dlsys.contract.datasets import Format

from .conform import pieces

BATCH_BYTES = 8 << 20
BATCH_ROWS = 32_768
SUFFIXES: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".zip": "images-zip",
}


class Source(ABC):
    """One uploaded file. `known` are columns whose type is already decided."""

    is_text = False

    def __init__(self, path: Path, filename: str, known: pa.Schema) -> None:
        self.path, self.filename, self.known = path, filename, known

    @abstractmethod
    def schema(self) -> pa.Schema:
        """Columns and types of the file.

        Raises:
            InvalidInput: the file is not of its format.
        """

    @abstractmethod
    def batches(self, target: pa.Schema) -> Iterator[pa.RecordBatch]:
        """The rows; columns as in the file, types close to `target`."""

    def malformed(self, what: str, *, row: int | None = None, hint: str = "") -> InvalidInput:
        """The error for a file that cannot be read."""
        return InvalidInput(
            f"{self.filename}: {what}",
            code="malformed-file",
            hint=hint or "Repair the file, or name its real format.",
            errors=[FieldProblem(field=self.filename, row=row, message=what)],
        )


class ParquetSource(Source):
    """A Parquet file."""

    def schema(self) -> pa.Schema:
        """From the footer."""
        try:
            with pq.ParquetFile(self.path) as file:
                return file.schema_arrow.remove_metadata()
        except (pa.ArrowException, OSError) as error:
            raise self._unreadable(error) from error

    def batches(self, target: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Row group by row group."""
        try:
            with pq.ParquetFile(self.path) as file:
                for batch in file.iter_batches(batch_size=BATCH_ROWS, use_threads=False):
                    batch.validate(full=True)
                    yield from pieces(batch, BATCH_BYTES)
        except (pa.ArrowException, OSError) as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> InvalidInput:
        return self.malformed(f"not a readable Parquet file: {first_line(error)}")


class ArrowSource(Source):
    """An Arrow IPC file or stream. Every batch is checked in full: it comes from outside."""

    def schema(self) -> pa.Schema:
        """From the header."""
        return next(self._read())

    def batches(self, target: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Batch by batch."""
        reading = self._read()
        next(reading)
        for batch in reading:
            yield from pieces(batch, BATCH_BYTES)

    def _read(self) -> Iterator[pa.RecordBatch]:
        try:
            with pa.OSFile(str(self.path), "rb") as file:
                if file.read(6) == b"ARROW1":
                    reader = pa.ipc.open_file(file)
                    yield reader.schema.remove_metadata()
                    batches = (reader.get_batch(i) for i in range(reader.num_record_batches))
                else:
                    file.seek(0)
                    reader = pa.ipc.open_stream(file)
                    yield reader.schema.remove_metadata()
                    batches = iter(reader)
                for batch in batches:
                    batch.validate(full=True)
                    yield batch
        except (pa.ArrowException, OSError) as error:
            what = f"not a readable Arrow IPC file or stream: {first_line(error)}"
            raise self.malformed(what) from error


def format_of(filename: str, named: Format | None) -> Format:
    """The format of a file: as named, or by its suffix.

    Raises:
        InvalidInput: neither tells.
    """
    found = named or SUFFIXES.get(Path(filename.lower()).suffix)
    if found is None:
        raise InvalidInput(
            f"The name '{filename}' does not tell the format of the file.",
            code="unknown-format",
            hint="Name one: csv, jsonl, parquet, arrow or images-zip.",
        )
    return found


def open_source(
    path: Path, filename: str, named: Format | None, known: pa.Schema, limit: int
) -> Source:
    """A source for an uploaded file; `limit` bounds what a zip may unpack to.

    Raises:
        InvalidInput: empty, or of no known format.
    """
    from .source_csv import CsvSource
    from .source_images import ImagesSource
    from .source_jsonl import JsonLinesSource

    kinds: dict[Format, Callable[[], Source]] = {
        "csv": lambda: CsvSource(path, filename, known),
        "jsonl": lambda: JsonLinesSource(path, filename, known),
        "parquet": lambda: ParquetSource(path, filename, known),
        "arrow": lambda: ArrowSource(path, filename, known),
        "images-zip": lambda: ImagesSource(path, filename, known, limit),
    }
    source = kinds[format_of(filename, named)]()
    if path.stat().st_size == 0:
        raise source.malformed("the file is empty", hint="Commit a file that has rows.")
    return source


def first_line(error: BaseException) -> str:
    """What a library said, without its stack."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
