"""Chunks as the manifests and the HTTP routes know them; what is inside is `parquet`'s business."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from jupyter_dlsys.contract.datasets import Chunk

BLOCK = 1 << 18


MEDIA = {
    "arrow": "application/vnd.apache.arrow.stream",
    "parquet": "application/vnd.apache.parquet",
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/jsonl; charset=utf-8",
}
"""Media types of files, by their format."""


@dataclass(frozen=True)
class ChunkEntry:
    """A chunk in a manifest: `origin` is the version whose commit brought its rows.

    `columns` is how many columns the file has: schemas only grow at the end, so that this tells
    which of the dataset's columns are missing (and null) in it.
    """

    sha256: str
    rows: int
    bytes: int
    origin: int
    columns: int

    def to_json(self) -> list[Any]:
        """As kept in a manifest."""
        return [self.sha256, self.rows, self.bytes, self.origin, self.columns]

    @classmethod
    def from_json(cls, found: list[Any]) -> ChunkEntry:
        """From a manifest."""
        return cls(*found)

    def public(self) -> Chunk:
        """As the API tells of it."""
        return Chunk(sha256=self.sha256, rows=self.rows, bytes=self.bytes)


@dataclass(frozen=True)
class ChunkFile:
    """A file on its way to a caller, block by block; `size` None when it is made while sent."""

    filename: str
    media_type: str
    blocks: Iterator[bytes]
    size: int | None = None


def blocks_of(data: bytes) -> Iterator[bytes]:
    """Pieces that fit a socket buffer, without copies of the whole."""
    view = memoryview(data)
    for start in range(0, len(view), BLOCK):
        yield bytes(view[start : start + BLOCK])
