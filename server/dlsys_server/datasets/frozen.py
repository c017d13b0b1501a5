"""What a snapshot consists of, as kept in the object store."""

from __future__ import annotations

import json
from dataclasses import dataclass

from dlsys_server.core.store import ObjectStore
from jupyter_dlsys.contract.datasets import Chunk, Column, SnapshotSplit

FORMAT = "dlsys-snapshot-manifest-1"


@dataclass(frozen=True)
class Frozen:
    """The content of a snapshot."""

    hash: str
    rows: int
    columns: list[Column]
    labels: list[str]
    splits: list[SnapshotSplit]

    def chunks(self) -> dict[str, int]:
        """All its chunks, with their sizes."""
        return {c.sha256: c.bytes for split in self.splits for c in split.chunks}


def save(store: ObjectStore, frozen: Frozen) -> str:
    """Keep it; returns the SHA-256 of its manifest."""
    found = {
        "format": FORMAT,
        "hash": frozen.hash,
        "rows": frozen.rows,
        "columns": [c.model_dump() for c in frozen.columns],
        "labels": frozen.labels,
        "splits": [
            [s.name, s.rows, [[c.sha256, c.rows, c.bytes] for c in s.chunks]] for s in frozen.splits
        ],
    }
    return store.put(json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode())


def load(store: ObjectStore, sha256: str) -> Frozen:
    """What was kept under this hash."""
    found = json.loads(store.get(sha256))
    return Frozen(
        hash=found["hash"],
        rows=found["rows"],
        columns=[Column(**c) for c in found["columns"]],
        labels=found["labels"],
        splits=[
            SnapshotSplit(name=name, rows=rows, chunks=[_chunk(*c) for c in chunks])
            for name, rows, chunks in found["splits"]
        ],
    )


def _chunk(sha256: str, rows: int, size: int) -> Chunk:
    return Chunk(sha256=sha256, rows=rows, bytes=size)
