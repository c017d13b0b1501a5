"""A dataset as users see it: a frozen snapshot that turns into what their library likes.

ds.to_pandas()   ds.to_polars()   ds.to_arrow()   ds.iter_batches(1000)
ds.split("train").to_torch(batch_size=64, shuffle=True, seed=1)
ds.to_hf()
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_dlsys.client.cache import ChunkCache, map_file
from jupyter_dlsys.client.chunks import FetchChunk, fetch_from_platform, local_chunk, verified
from jupyter_dlsys.client.errors import UsageError
from jupyter_dlsys.client.snapshots import SNAPSHOT_FILE, files_of
from jupyter_dlsys.contract.datasets import Chunk, Column, Snapshot

if TYPE_CHECKING:
    import pyarrow as pa

ALL = "all"
Files = dict[str, Path]


class SnapshotReader:
    """The rows of a snapshot, or of one of its splits. Cheap to make: nothing is read yet."""

    def __init__(
        self,
        snapshot: Snapshot | dict[str, Any],
        fetch: FetchChunk | None = None,
        *,
        files: Files | None = None,
        part: str | None = None,
        cache: ChunkCache | None = None,
    ) -> None:
        self.snapshot = Snapshot.model_validate(snapshot)
        self._fetch, self._files = fetch, files or {}
        self._part, self._cache = part, cache or ChunkCache()

    @classmethod
    def from_folder(cls, folder: str | Path) -> SnapshotReader:
        """The snapshot in an input folder (`DLSYS_INPUT_<NAME>`).

        Raises:
            UsageError: the folder holds no snapshot.
        """
        folder = Path(folder)
        try:
            text = (folder / SNAPSHOT_FILE).read_text("utf-8")
        except FileNotFoundError:
            raise UsageError(
                f"{folder} is not the folder of a snapshot.",
                hint="Give the folder in DLSYS_INPUT_<NAME>; it holds snapshot.json.",
            ) from None
        snapshot = Snapshot.model_validate(json.loads(text))
        files = {chunk.sha256: folder / name for name, chunk in files_of(snapshot)}
        return cls(snapshot, files=files)

    @property
    def hash(self) -> str:
        """Content hash of the whole snapshot."""
        return self.snapshot.hash

    @property
    def splits(self) -> list[str]:
        """Names of the splits; none when the snapshot is not split."""
        return [s.name for s in self.snapshot.splits if s.name != ALL]

    @property
    def labels(self) -> list[str]:
        """Label of each label id."""
        return self.snapshot.labels

    @property
    def columns(self) -> list[Column]:
        """Name, type and role of each column."""
        return self.snapshot.columns

    @property
    def schema(self) -> pa.Schema:
        """Arrow schema."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        for chunk in self.chunks():
            source = self._parquet(chunk)
            found = pq.read_schema(pa.BufferReader(source) if isinstance(source, bytes) else source)
            return found.remove_metadata()
        return pa.schema([])

    def __len__(self) -> int:
        return sum(s.rows for s in self._parts())

    def __repr__(self) -> str:
        snapshot = self.snapshot
        name = f"{snapshot.dataset}@v{snapshot.version}"
        part = f" split {self._part!r}," if self._part else ""
        return f"<Dataset {name},{part} {len(self):,} rows, {snapshot.hash[:19]}…>"

    def split(self, name: str) -> SnapshotReader:
        """The rows of one split.

        Raises:
            UsageError: there is no such split.
        """
        if name not in [s.name for s in self.snapshot.splits]:
            there = ", ".join(self.splits) or "none: it was made without split"
            raise UsageError(f"There is no split '{name}'.", hint=f"There are: {there}.")
        return SnapshotReader(
            self.snapshot, self._fetch, files=self._files, part=name, cache=self._cache
        )

    def __getitem__(self, name: str) -> SnapshotReader:
        return self.split(name)

    def chunks(self) -> list[Chunk]:
        """The chunks in row order."""
        return [chunk for split in self._parts() for chunk in split.chunks]

    def to_arrow(self, columns: list[str] | None = None) -> pa.Table:
        """All rows as an Arrow table."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        names = self._names(columns)
        tables = []
        for chunk in self.chunks():
            source = self._parquet(chunk)
            file = pa.BufferReader(source) if isinstance(source, bytes) else str(source)
            with pq.ParquetFile(file) as parquet:
                tables.append(parquet.read(columns=names).replace_schema_metadata(None))
        return pa.concat_tables(tables) if tables else self.schema.empty_table()

    def to_pandas(self, columns: list[str] | None = None) -> Any:
        """All rows as a pandas DataFrame."""
        return self.to_arrow(columns).to_pandas()

    def to_polars(self, columns: list[str] | None = None) -> Any:
        """All rows as a polars DataFrame."""
        import polars

        return polars.from_arrow(self.to_arrow(columns))

    def iter_batches(
        self, batch_size: int = 1024, columns: list[str] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Arrow batches of `batch_size` rows in order (the last may be shorter)."""
        names = self._names(columns)
        waiting: list[pa.RecordBatch] = []
        rows = 0
        for batch in self.mapped_batches():
            left = batch.select(names)
            while rows + left.num_rows >= batch_size:
                waiting.append(left.slice(0, batch_size - rows))
                left = left.slice(batch_size - rows)
                yield _one(waiting)
                waiting, rows = [], 0
            if left.num_rows:
                waiting.append(left)
                rows += left.num_rows
        if waiting:
            yield _one(waiting)

    def to_torch(
        self,
        batch_size: int = 64,
        shuffle: bool = False,
        seed: int = 0,
        num_workers: int = 0,
        columns: list[str] | None = None,
        **options: Any,
    ) -> Any:
        """A torch DataLoader of batches as dicts: column name to tensor or list.

        Numbers are tensors; texts lists; images uint8 tensors [batch, channel, height, width] (a
        list when sizes differ); `label_id` is int64, -1 where there is no label. Each pass is one
        epoch with its own order, which depends on the snapshot's hash, `seed` and the epoch alone.
        Other options go to DataLoader. `.dataset` is a map-style dataset of rows.
        """
        from jupyter_dlsys.client.torch_loader import make_loader

        self._names(columns)
        return make_loader(self, batch_size, shuffle, seed, num_workers, columns, options)

    def to_hf(self, columns: list[str] | None = None) -> Any:
        """A `datasets.Dataset`, or a DatasetDict of the splits; `label_id` is a ClassLabel."""
        from jupyter_dlsys.client.hf import to_hf

        if self._part is None and self.splits:
            import datasets

            parts = {name: to_hf(self.split(name), columns) for name in self.splits}
            return datasets.DatasetDict(parts)
        return to_hf(self, self._names(columns))

    def mapped_batches(self) -> Iterator[pa.RecordBatch]:
        """The rows as mapped Arrow batches, out of the cache."""
        for path in self.decoded():
            yield from map_file(path)

    def decoded(self) -> list[Path]:
        """The cache's Arrow files of all chunks, decoded if need be."""
        return [self._cache.path(c.sha256, partial(self._parquet, c)) for c in self.chunks()]

    def _parquet(self, chunk: Chunk) -> Path | bytes:
        path = self._files.get(chunk.sha256) or local_chunk(self.snapshot.local_root, chunk.sha256)
        if path is not None:
            return path
        return verified((self._fetch or fetch_from_platform)(chunk.sha256), chunk.sha256)

    def _parts(self) -> list[Any]:
        splits = self.snapshot.splits
        return splits if self._part is None else [s for s in splits if s.name == self._part]

    def _names(self, columns: list[str] | None) -> list[str]:
        there = [c.name for c in self.columns]
        for name in columns or []:
            if name not in there:
                raise UsageError(
                    f"There is no column '{name}'.", hint=f"There are: {', '.join(there)}."
                )
        return columns or there

    def _repr_html_(self) -> str:
        from jupyter_dlsys.client.reader_html import render

        return render(self)


def _one(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    import pyarrow as pa

    if len(batches) == 1:
        return batches[0]
    return pa.Table.from_batches(batches).combine_chunks().to_batches()[0]
