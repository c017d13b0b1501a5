"""Batches for torch: a map-style dataset over mapped files, shuffled the same way for ever."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from jupyter_dlsys.client.cache import map_file
from jupyter_dlsys.client.torch_columns import Columns, decode_image
from jupyter_dlsys.contract.datasets import Column

if TYPE_CHECKING:
    from jupyter_dlsys.client.readers import SnapshotReader


class Rows(Dataset[dict[str, Any]]):
    """Rows by number. Files are mapped when first used, anew in each worker process."""

    def __init__(
        self, paths: list[Path], columns: list[Column], labels: list[str], rows: int
    ) -> None:
        self._paths, self._columns, self._labels = paths, columns, labels
        self._rows = rows
        self._open: Columns | None = None
        self._pid = 0

    def __len__(self) -> int:
        return self._rows

    def __getitem__(self, index: int) -> dict[str, Any]:
        if not -self._rows <= index < self._rows:
            raise IndexError(f"row {index} of {self._rows}")
        return self.__getitems__([index % self._rows])[0]

    def __getitems__(self, index: list[int]) -> list[dict[str, Any]]:
        columns = self.batch(np.asarray(index, np.int64))
        names = list(columns)
        return [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": None, "_pid": 0}

    def batch(self, index: Any) -> dict[str, Any]:
        """Rows as columns: tensors of numbers, lists of others."""
        found = self._columns_here().rows(index)
        for column in self._columns:
            if column.role == "image":
                found[column.name] = _images(found[column.name])
        return {
            n: torch.from_numpy(v) if isinstance(v, np.ndarray) else v for n, v in found.items()
        }

    def _columns_here(self) -> Columns:
        if self._open is None or self._pid != os.getpid():
            batches = [batch for path in self._paths for batch in map_file(path)]
            self._open, self._pid = Columns(batches, self._columns, self._labels), os.getpid()
        return self._open


class ColumnBatches(Rows):
    """The same, but many rows at once come as one dict of columns."""

    def __getitem__(self, index: int) -> dict[str, Any]:
        return Rows.__getitems__(self, [index])[0]

    def __getitems__(self, index: list[int]) -> dict[str, Any]:  # type: ignore[override]
        return self.batch(np.asarray(index, np.int64))


class EpochBatches(Sampler[Any]):
    """Row numbers of each batch. Every pass is the next epoch; `set_epoch` chooses one."""

    def __init__(
        self, rows: int, batch_size: int, shuffle: bool, seed: int, hash: str, drop_last: bool
    ) -> None:
        self._rows, self._batch_size, self._shuffle = rows, batch_size, shuffle
        self._seed, self._hash, self._drop_last = seed, hash, drop_last
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """The next pass is this epoch, counted from 0."""
        self.epoch = epoch

    def __len__(self) -> int:
        full, rest = divmod(self._rows, self._batch_size)
        return full + (1 if rest and not self._drop_last else 0)

    def __iter__(self) -> Iterator[Any]:
        order = np.arange(self._rows)
        if self._shuffle:
            order = permutation(self._rows, self._hash, self._seed, self.epoch)
        self.epoch += 1
        for number in range(len(self)):
            start = number * self._batch_size
            yield order[start : start + self._batch_size]


def permutation(rows: int, hash: str, seed: int, epoch: int) -> Any:
    """The order of an epoch: depends on its arguments alone, in every version of numpy."""
    key = hashlib.sha256(f"{hash}/{seed}/{epoch}".encode()).digest()
    keys = np.arange(rows, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    keys += np.uint64(int.from_bytes(key[:8], "little"))
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        keys ^= keys >> np.uint64(shift)
        keys *= np.uint64(factor)
    keys ^= keys >> np.uint64(31)
    return np.argsort(keys)


def make_loader(
    reader: SnapshotReader,
    batch_size: int,
    shuffle: bool,
    seed: int,
    num_workers: int,
    columns: list[str] | None,
    options: dict[str, Any],
) -> DataLoader[Any]:
    """A DataLoader of batches as dicts of columns. Its batches are made whole, never row by row."""
    wanted = [c for c in reader.columns if columns is None or c.name in columns]
    rows = ColumnBatches(reader.decoded(), wanted, reader.labels, len(reader))
    drop_last = bool(options.pop("drop_last", False))
    batches = EpochBatches(len(reader), batch_size, shuffle, seed, reader.hash, drop_last)
    return DataLoader(
        rows, batch_sampler=batches, num_workers=num_workers, collate_fn=_as_is, **options
    )


def _as_is(batch: Any) -> Any:
    return batch


def _images(values: list[bytes | None]) -> Any:
    pixels = [decode_image(value) for value in values]
    if all(p is not None and p.shape == pixels[0].shape for p in pixels):
        return torch.from_numpy(np.stack(pixels))
    return [None if p is None else torch.from_numpy(p) for p in pixels]
