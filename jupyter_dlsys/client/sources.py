"""What a person hands over as data, made into files that the platform reads."""

from __future__ import annotations

import csv
import json
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_dlsys.client.errors import UsageError
from jupyter_dlsys.contract.datasets import Format, Kind

if TYPE_CHECKING:
    import pyarrow as pa

FORMATS: dict[str, Format] = {
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".arrows": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".zip": "images-zip",
}
IMAGES = {".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff"}
KNOWN = "a .csv, .jsonl, .parquet or .arrow file, a folder of images by label, or a table"


@dataclass(frozen=True)
class Source:
    """A file to upload and how to read it."""

    path: Path
    format: Format


@contextmanager
def sources(data: Any) -> Iterator[list[Source]]:
    """Files for `data`; those made here are gone afterwards.

    Args:
        data: path or paths of files or of folders with a folder of images for each label; a
            pandas, polars or Arrow table; a list of dicts; a dict of columns; None for no files.

    Raises:
        UsageError: it is none of these, or a file is not there.
    """
    with tempfile.TemporaryDirectory(prefix="dlsys-") as folder:
        yield [_source(item, Path(folder), i) for i, item in enumerate(_items(data))]


def _items(data: Any) -> list[Any]:
    if data is None:
        return []
    is_list = isinstance(data, Sequence) and not isinstance(data, (str, bytes))
    if not is_list:
        return [data]
    if not data:
        raise UsageError("There is nothing to commit: the list is empty.", hint=f"Give {KNOWN}.")
    if all(isinstance(item, (str, Path)) for item in data):
        return list(data)
    return [data]


def _source(item: Any, folder: Path, number: int) -> Source:
    if isinstance(item, (str, Path)):
        path = Path(item).expanduser()
        if path.is_dir():
            return Source(_zip_images(path, folder / f"images-{number}.zip"), "images-zip")
        return _file(path)
    return Source(_write_arrow(_table(item), folder / f"table-{number}.arrow"), "arrow")


def _file(path: Path) -> Source:
    if not path.exists():
        raise UsageError(f"There is no file {path}.", hint=f"Give {KNOWN}.")
    format = FORMATS.get(path.suffix.lower())
    if format is None:
        raise UsageError(
            f"{path.name}: '{path.suffix}' is not a kind of data file that can be read.",
            hint=f"Give {KNOWN}.",
        )
    return Source(path, format)


def _zip_images(folder: Path, target: Path) -> Path:
    found = sorted(p for p in folder.glob("*/*") if p.suffix.lower() in IMAGES and p.is_file())
    if not found:
        raise UsageError(
            f"{folder} holds no images in folders by label.",
            hint="Make one folder for each label, e.g. cats/1.png and dogs/1.png.",
        )
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for path in found:
            archive.write(path, f"{path.parent.name}/{path.name}")
    return target


def _table(item: Any) -> pa.Table:
    import pyarrow as pa

    try:
        found = _converted(item)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise UsageError(
            f"This {type(item).__name__} cannot be made into a table: {error}",
            hint="Each column must hold values of one type.",
        ) from error
    if found is None:
        name = type(item).__name__
        raise UsageError(f"A {name} is not data for a dataset.", hint=f"Give {KNOWN}.")
    return found


def _converted(item: Any) -> pa.Table | None:
    import pyarrow as pa

    if isinstance(item, pa.Table):
        return item
    if isinstance(item, Mapping):
        return pa.table(dict(item))
    if isinstance(item, Sequence) and item and isinstance(item[0], Mapping):
        return pa.Table.from_pylist([dict(row) for row in item])
    if hasattr(item, "iloc"):  # pandas
        return pa.Table.from_pandas(item, preserve_index=False)
    if hasattr(item, "__arrow_c_stream__"):  # polars, Arrow, and whatever comes
        return pa.table(item)
    return None


def _write_arrow(table: pa.Table, target: Path) -> Path:
    import pyarrow as pa

    table = table.replace_schema_metadata(None)
    with pa.OSFile(str(target), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=65_536)
    return target


def guess_kind(found: Sequence[Source]) -> Kind:
    """The kind of a dataset that begins with these files."""
    if any(source.format == "images-zip" for source in found):
        return "image-classification"
    names = _column_names(found[0]) if found else set()
    return "text-classification" if {"text", "label"} <= names else "generic"


def _column_names(source: Source) -> set[str]:
    try:
        if source.format == "csv":
            with source.path.open(encoding="utf-8-sig", newline="") as file:
                return set(next(csv.reader(file), []))
        if source.format == "jsonl":
            with source.path.open(encoding="utf-8") as file:
                return set(json.loads(file.readline() or "{}"))
        import pyarrow.dataset

        kind = "parquet" if source.format == "parquet" else "ipc"
        return set(pyarrow.dataset.dataset(source.path, format=kind).schema.names)
    except (OSError, ValueError, TypeError):
        return set()  # the platform says what is wrong with the file
