"""Manifests: what a version consists of, as content-addressed JSON in the object store.

    root      schema, labels, totals, and the entries of each level, oldest level first
    segment   64 entries: chunks (level 0) or segments (above)

It works like a counter with digits of up to 63 entries: a level that reaches 64 becomes one segment
of the level above. So an append writes one small root, whatever the number of versions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from dlsys_server.core.errors import Broken
from dlsys_server.core.store import ObjectStore
from jupyter_dlsys.contract.datasets import Column

from .chunks import ChunkEntry

FANOUT = 64
FORMAT = "dlsys-manifest-1"


@dataclass(frozen=True)
class Segment:
    """A reference to `FANOUT` entries of level `level - 1`."""

    sha256: str
    rows: int
    level: int

    def to_json(self) -> list[Any]:
        """As kept in a manifest."""
        return [self.sha256, self.rows, self.level]


@dataclass(frozen=True)
class Root:
    """One state of a dataset. `arrow` is the schema as Arrow IPC in base64."""

    columns: list[Column] = field(default_factory=list)
    arrow: str = ""
    labels: list[str] = field(default_factory=list)
    rows: int = 0
    bytes: int = 0
    levels: list[list[Any]] = field(default_factory=lambda: [[]])
    """`levels[0]` are loose chunks (the newest), `levels[k]` segments of level k."""


def save(store: ObjectStore, root: Root) -> str:
    """Keep a root; returns its SHA-256, the identity of the state."""
    return store.put(
        _dump(
            {
                "format": FORMAT,
                "columns": [c.model_dump() for c in root.columns],
                "arrow": root.arrow,
                "labels": root.labels,
                "rows": root.rows,
                "bytes": root.bytes,
                "levels": [[e.to_json() for e in level] for level in root.levels],
            }
        )
    )


def load(store: ObjectStore, sha256: str) -> Root:
    """The root of this hash."""
    found = _parse(store, sha256)
    first, *others = found["levels"]
    levels: list[list[Any]] = [[ChunkEntry.from_json(e) for e in first]]
    levels += [[Segment(*e) for e in level] for level in others]
    return Root(
        columns=[Column(**c) for c in found["columns"]],
        arrow=found["arrow"],
        labels=found["labels"],
        rows=found["rows"],
        bytes=found["bytes"],
        levels=levels,
    )


def append(store: ObjectStore, root: Root, chunks: Iterable[ChunkEntry]) -> Root:
    """A root with these chunks at the end; the old root stays as it is."""
    levels = [list(level) for level in root.levels]
    rows, size = root.rows, root.bytes
    for chunk in chunks:
        levels[0].append(chunk)
        rows, size = rows + chunk.rows, size + chunk.bytes
        _carry(store, levels)
    return replace(root, levels=levels, rows=rows, bytes=size)


def emptied(root: Root) -> Root:
    """The same schema and labels without rows."""
    return replace(root, levels=[[]], rows=0, bytes=0)


def chunks(store: ObjectStore, root: Root, skip_rows: int = 0) -> Iterator[tuple[int, ChunkEntry]]:
    """First row and entry of each chunk, in row order; chunks wholly before `skip_rows` left out.

    Segments wholly before `skip_rows` are not even read.
    """
    first = 0
    for level in reversed(root.levels):
        for entry in level:
            if first + entry.rows > skip_rows:
                yield from _walk(store, entry, first, skip_rows)
            first += entry.rows


def _walk(
    store: ObjectStore, entry: ChunkEntry | Segment, first: int, skip_rows: int
) -> Iterator[tuple[int, ChunkEntry]]:
    if isinstance(entry, ChunkEntry):
        yield first, entry
        return
    for child in _children(store, entry):
        if first + child.rows > skip_rows:
            yield from _walk(store, child, first, skip_rows)
        first += child.rows


def _children(store: ObjectStore, segment: Segment) -> list[ChunkEntry | Segment]:
    entries = _parse(store, segment.sha256)["entries"]
    if segment.level == 1:
        return [ChunkEntry.from_json(e) for e in entries]
    return [Segment(*e) for e in entries]


def _carry(store: ObjectStore, levels: list[list[Any]]) -> None:
    for level, entries in enumerate(levels):
        if len(entries) < FANOUT:
            return
        sha256 = store.put(_dump({"format": FORMAT, "entries": [e.to_json() for e in entries]}))
        segment = Segment(sha256, sum(e.rows for e in entries), level + 1)
        entries.clear()
        if level + 1 == len(levels):
            levels.append([])
        levels[level + 1].append(segment)


def _dump(found: dict[str, Any]) -> bytes:
    return json.dumps(found, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def _parse(store: ObjectStore, sha256: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(store.get(sha256))
    if found.get("format") != FORMAT:
        raise Broken(
            f"Manifest {sha256} has the format {found.get('format')!r}, which is not known here.",
            hint="It was written by another version of the platform; use that version.",
        )
    return found
