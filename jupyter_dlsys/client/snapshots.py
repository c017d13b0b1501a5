"""A snapshot as a folder of plain Parquet files, which any kernel in any language can read.

snapshot.json            the contract's Snapshot
<split>-00000.parquet    the rows of a split in order ('all' when it is not split)
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jupyter_dlsys.client.chunks import (
    FetchChunk,
    fetch_from_platform,
    local_chunk,
    new_file,
    place,
    verified,
)
from jupyter_dlsys.contract.datasets import Chunk, Snapshot

SNAPSHOT_FILE = "snapshot.json"


def materialize(snapshot: dict[str, Any], folder: Path, *, fetch: FetchChunk | None = None) -> None:
    """Write a snapshot's input folder; files that are there already stay.

    Args:
        snapshot: the contract's Snapshot as JSON.
        folder: made when missing.
        fetch: gives the bytes of a chunk by its SHA-256; by default the platform of `DLSYS_URL`.

    Raises:
        DlsysError: a chunk cannot be had, or is damaged.
    """
    found = Snapshot.model_validate(snapshot)
    folder.mkdir(parents=True, exist_ok=True)
    for name, chunk in files_of(found):
        target = folder / name
        if target.exists():
            continue
        near = local_chunk(found.local_root, chunk.sha256)
        if near is not None:
            place(near, target, chunk.sha256)
            continue
        data = verified((fetch or fetch_from_platform)(chunk.sha256), chunk.sha256)
        with new_file(target) as part:
            part.write_bytes(data)
    with new_file(folder / SNAPSHOT_FILE) as part:
        text = found.model_copy(update={"local_root": None}).model_dump_json(indent=1)
        part.write_text(text, "utf-8")


def files_of(snapshot: Snapshot) -> Iterator[tuple[str, Chunk]]:
    """File name and chunk of each file of an input folder, in row order."""
    for split in snapshot.splits:
        for number, chunk in enumerate(split.chunks):
            yield f"{split.name}-{number:05d}.parquet", chunk
