"""A zip of images in one folder per label: happy/1.png, sad/2.jpg …

Sizes are counted while unpacking, never believed from the zip's own table.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pyarrow as pa

from dlsys_server.core.errors import TooLarge

from .sources import BATCH_BYTES, Source

SCHEMA = pa.schema([("image", pa.binary()), ("label", pa.string())])
MAX_FILES = 1_000_000
MAX_IMAGE_BYTES = 64 << 20
IGNORED = ("__MACOSX/",)
IGNORED_NAMES = {"Thumbs.db", "desktop.ini"}


class ImagesSource(Source):
    """Images by label, in the order of their names."""

    def __init__(self, path: Path, filename: str, known: pa.Schema, limit: int) -> None:
        super().__init__(path, filename, known)
        self.limit = limit

    def schema(self) -> pa.Schema:
        """Always image and label."""
        return SCHEMA

    def batches(self, target: pa.Schema) -> Iterator[pa.RecordBatch]:
        """About `BATCH_BYTES` of images at a time."""
        images: list[bytes] = []
        labels: list[str] = []
        size = total = 0
        try:
            with zipfile.ZipFile(self.path) as archive:
                for entry, label in self._entries(archive):
                    data = self._unpack(archive, entry)
                    images.append(data)
                    labels.append(label)
                    size, total = size + len(data), total + len(data)
                    self._check_total(total)
                    if size >= BATCH_BYTES:
                        yield _batch(images, labels)
                        images, labels, size = [], [], 0
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, zlib.error) as error:
            raise self.malformed(f"not a readable zip: {error}") from error
        except EOFError as error:
            raise self.malformed("not a readable zip: it ends too early") from error
        if images:
            yield _batch(images, labels)

    def _entries(self, archive: zipfile.ZipFile) -> list[tuple[zipfile.ZipInfo, str]]:
        found: list[tuple[zipfile.ZipInfo, str]] = []
        for entry in archive.infolist():
            path = PurePosixPath(entry.filename)
            hidden = any(part.startswith(".") for part in path.parts)
            skip = entry.filename.startswith(IGNORED) or path.name in IGNORED_NAMES
            if entry.is_dir() or hidden or skip:
                continue
            if entry.flag_bits & 1:
                raise self.malformed(f"'{entry.filename}' is encrypted")
            if len(path.parts) < 2:
                raise self.malformed(
                    f"'{entry.filename}' lies in no folder, so it has no label",
                    hint="Put each image into a folder named by its label: happy/1.png.",
                )
            found.append((entry, path.parts[-2]))
        if len(found) > MAX_FILES:
            raise TooLarge(f"{self.filename} holds {len(found)} files; {MAX_FILES} are allowed.")
        return sorted(found, key=lambda pair: pair[0].filename)

    def _unpack(self, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
        with archive.open(entry) as file:
            data = file.read(MAX_IMAGE_BYTES + 1)
        if len(data) > MAX_IMAGE_BYTES:
            raise TooLarge(
                f"{self.filename}: '{entry.filename}' unpacks to more than "
                f"{MAX_IMAGE_BYTES >> 20} MB.",
                code="unpacks-too-large",
                hint="Images of this size cannot be kept; make it smaller.",
            )
        return data

    def _check_total(self, total: int) -> None:
        if total > self.limit:
            raise TooLarge(
                f"{self.filename} unpacks to more than {self.limit >> 20} MB.",
                code="unpacks-too-large",
                hint="Commit it in parts, or raise DLSYS_MAX_UPLOAD_BYTES.",
            )


def _batch(images: list[bytes], labels: list[str]) -> pa.RecordBatch:
    arrays = [pa.array(images, pa.binary()), pa.array(labels, pa.string())]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)
