"""The per-user cache of chunks, decoded once to uncompressed Arrow IPC and mapped into memory.

A name in the cache is the SHA-256 of the Parquet chunk, so an entry is never stale. Entries appear
by rename. The least recently used ones go when the cache grows over its limit; one that somebody
has mapped stays readable until it is let go. `DLSYS_CACHE` is the folder, `DLSYS_CACHE_BYTES` the
limit.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyter_dlsys.client.chunks import new_file

DEFAULT_BYTES = 20 * 2**30


def cache_folder() -> Path:
    """Where the cache lies."""
    own = os.environ.get("DLSYS_CACHE")
    if own:
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "jupyter-dlsys"


class ChunkCache:
    """Arrow IPC files by the SHA-256 of the Parquet chunk they were decoded from."""

    def __init__(self, folder: Path | None = None, limit_bytes: int | None = None) -> None:
        self.folder = (folder or cache_folder()) / "arrow"
        own = os.environ.get("DLSYS_CACHE_BYTES", "")
        self.limit_bytes = limit_bytes or (int(own) if own.isdecimal() else DEFAULT_BYTES)

    def path(self, sha256: str, source: Callable[[], Any]) -> Path:
        """The decoded chunk's file; `source()` gives its Parquet, a path or bytes."""
        path = self.folder / f"{sha256}.arrow"
        try:
            os.utime(path)
        except FileNotFoundError:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _decode(source(), path)
            self._evict(path)
        return path

    def _evict(self, keep: Path) -> None:
        entries = []
        for path in self.folder.glob("*.arrow"):
            with contextlib.suppress(FileNotFoundError):
                found = path.stat()
                entries.append((found.st_mtime_ns, found.st_size, path))
        total = sum(size for _, size, _ in entries)
        for _, size, path in sorted(entries):
            if total <= self.limit_bytes:
                return
            if path != keep:
                path.unlink(missing_ok=True)
                total -= size


def _decode(source: Any, target: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    parquet = pa.BufferReader(source) if isinstance(source, bytes) else str(source)
    with pq.ParquetFile(parquet) as file, new_file(target) as part:
        # One batch for the whole chunk: a row is then found without searching.
        table = file.read().replace_schema_metadata(None).combine_chunks()
        with pa.OSFile(str(part), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        part.chmod(0o600)


def map_file(path: Path) -> Any:
    """The batches of a decoded chunk, mapped: they take no memory until they are touched."""
    import pyarrow as pa

    reader = pa.ipc.open_file(pa.memory_map(str(path), "r"))
    return [reader.get_batch(i) for i in range(reader.num_record_batches)]
