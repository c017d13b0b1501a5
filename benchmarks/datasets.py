"""Figures of the dataset room, each beside its peer in the same run.

    python -m benchmarks datasets            all
    python -m benchmarks.datasets append     one of: append, read, torch

1. append: a commit of 1,000 rows at version 1,000 beside one at version 1.
2. read: a snapshot as an Arrow table beside pyarrow reading the same rows from one Parquet file.
3. torch: shuffled batches beside the same batches from a list in memory.

Both sides take turns; medians of wall seconds and of CPU seconds, and the ratio of each.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.figures import Figure, Sample, Target, figure
from dlsys_server.access.embedded import ALL
from dlsys_server.access.principals import Principal
from dlsys_server.access.quotas import QuotaService
from dlsys_server.core.database import Database
from dlsys_server.core.events import EventLog
from dlsys_server.core.peers import Peers
from dlsys_server.core.places import Places
from dlsys_server.core.settings import Settings
from dlsys_server.core.store import open_store
from dlsys_server.core.tables import Base
from dlsys_server.datasets.sealing import DataKey, Sealer
from dlsys_server.datasets.service import DatasetService
from dlsys_server.datasets.showing import Shower
from dlsys_server.datasets.snapshots import SnapshotService
from dlsys_server.datasets.uploads import UploadService
from dlsys_server.datasets.viewing import Views
from dlsys_server.metadata.lineage import LineageService
from jupyter_dlsys.client.readers import SnapshotReader
from jupyter_dlsys.contract.datasets import (
    CommitRequest,
    CreateDataset,
    SnapshotRequest,
    UploadedFile,
)

TARGETS = {
    "append": Target("ratio", low=0.5, high=1.5),
    "read": Target("ratio", high=2.0),
    "shuffled": Target("ratio", high=1 / 0.9),
}
"""Of times, by the first word of a figure's title. The scan has none: it maps its cache into memory
and touches no value, so its ratio to a read says nothing about reading."""
FOUND: list[Figure] = []
ME = Principal.of("bench", "user", "default", ("default",), ALL)
WORDS = [f"word{i}" for i in range(5000)]


class Room:
    """The dataset room on a folder of its own."""

    def __init__(self, home: Path) -> None:
        self.settings = Settings(home=home)
        database = Database(self.settings.effective_database_url)
        Base.metadata.create_all(database.engine)
        events, lineage = EventLog(database), LineageService(database)
        store = open_store(self.settings.effective_store_url)
        self.uploads = UploadService(self.settings, Places(Peers(database, "")))
        shower = Shower(store, Sealer(DataKey(home)))
        shown = (QuotaService(database, {}), Views(lambda _name: ME), shower)
        common = (database, events, self.settings)
        self.datasets = DatasetService(*common, self.uploads, lineage, *shown)
        self.snapshots = SnapshotService(*common, lineage, *shown)

    def create(self, name: str) -> None:
        body = CreateDataset(name=name, kind="text-classification")
        self.datasets.create(ME, "default", body)

    def upload(self, filename: str, data: bytes) -> UploadedFile:
        upload = self.uploads.create(ME, "default", filename)

        async def stream() -> AsyncIterator[bytes]:
            yield data

        asyncio.run(self.uploads.receive(ME, "default", upload.id, 0, stream()))
        return UploadedFile(upload=upload.id)

    def commit(self, name: str, upload: UploadedFile) -> None:
        self.datasets.commit(ME, "default", name, CommitRequest(files=[upload]))


def rows(count: int, seed: int) -> pa.Table:
    """Sentences of nine words with one of ten labels."""
    draw = random.Random(seed)
    texts = [" ".join(draw.choices(WORDS, k=9)) for _ in range(count)]
    labels = [f"label{draw.randrange(10)}" for _ in range(count)]
    return pa.table({"text": texts, "label": labels, "n": np.arange(count)})


def parquet(table: pa.Table) -> bytes:
    """As a Parquet file in memory."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return bytes(sink.getvalue().to_pybytes())


def compare(
    ours: Callable[[], Any], peer: Callable[[], Any], rounds: int
) -> tuple[list[float], list[float]]:
    """Medians (wall, CPU) of both, taking turns."""
    times: dict[str, list[tuple[float, float]]] = {"ours": [], "peer": []}
    for number in range(rounds + 1):
        order = [("ours", ours), ("peer", peer)]
        for name, work in order if number % 2 else reversed(order):
            wall, cpu = time.perf_counter(), time.process_time()
            work()
            spent = (time.perf_counter() - wall, time.process_time() - cpu)
            if number:
                times[name].append(spent)
    found = {
        name: [statistics.median(t[i] for t in taken) for i in (0, 1)]
        for name, taken in times.items()
    }
    return found["ours"], found["peer"]


def report(
    title: str, names: tuple[str, str], ours: list[float], peer: list[float], *, speed: bool
) -> None:
    """One line a side, then the ratio (of speed, or of cost)."""
    print(f"\n{title}")
    for name, (wall, cpu) in zip(names, (ours, peer), strict=True):
        print(f"  {name:<34} {wall * 1000:9.2f} ms wall {cpu * 1000:9.2f} ms CPU")
    wall, cpu = (peer[i] / ours[i] if speed else ours[i] / peer[i] for i in (0, 1))
    print(f"  ratio of {'speed' if speed else 'cost'}: {wall:.2f} wall, {cpu:.2f} CPU")
    mine, theirs = (Sample(side[0] * 1000, side[0], side[1]) for side in (ours, peer))
    note = f"CPU ratio {ours[1] / peer[1]:.2f}"
    if title.startswith("scan"):
        note = "maps the cache, touches no value: not a like-for-like read"
    FOUND.append(
        figure(title, "ms", [mine], [theirs], names[1], TARGETS.get(title.split()[0]), note)
    )


def append(home: Path) -> None:
    """At version 1,000 beside version 1 (each round on a fresh dataset with one version)."""
    room = Room(home)
    files = [parquet(rows(1000, seed)) for seed in range(20)]
    room.create("deep")
    start = time.perf_counter()
    for number in range(1000):
        room.commit("deep", room.upload("a.parquet", files[number % 20]))
    print(f"\n1,000 commits of 1,000 rows: {time.perf_counter() - start:.1f} s")
    rounds = 25
    fresh = iter(range(10_000))
    uploads = [room.upload("a.parquet", files[i % 20]) for i in range(2 * rounds + 2)]
    names = []
    for _ in range(rounds + 1):
        names.append(f"new{next(fresh)}")
        room.create(names[-1])
        room.commit(names[-1], room.upload("a.parquet", files[0]))
    shallow = iter(names)
    ours, peer = compare(
        lambda: room.commit("deep", uploads.pop()),
        lambda: room.commit(next(shallow), uploads.pop()),
        rounds,
    )
    report("append of 1,000 rows", ("at version 1,000", "at version 1"), ours, peer, speed=False)


def read(home: Path) -> None:
    """A snapshot of 1,000,000 rows, from its input folder and out of the cache."""
    room = Room(home)
    table = rows(1_000_000, 1)
    room.create("big")
    room.commit("big", room.upload("a.parquet", parquet(table)))
    snapshot = room.snapshots.create(ME, "default", "big", SnapshotRequest())
    file = home / "same.parquet"
    pq.write_table(SnapshotReader(snapshot).to_arrow(), file, compression="zstd")
    peer_work = lambda: pq.read_table(file)  # noqa: E731
    ours, peer = compare(lambda: SnapshotReader(snapshot).to_arrow(), peer_work, 9)
    names = ("snapshot.to_arrow()", "pyarrow.parquet.read_table")
    report("read of 1,000,000 rows", names, ours, peer, speed=True)
    scan = lambda: sum(b.num_rows for b in SnapshotReader(snapshot).iter_batches(8192))  # noqa: E731
    ours, peer = compare(scan, peer_work, 9)
    names = ("snapshot.iter_batches() (cache)", names[1])
    report("scan of 1,000,000 rows", names, ours, peer, speed=True)


def torch_batches(home: Path) -> None:
    """100,000 rows, batches of 64, shuffled; the peer holds all rows in a list."""
    import torch
    from torch.utils.data import DataLoader

    torch.set_num_threads(1)
    room = Room(home)
    room.create("text")
    room.commit("text", room.upload("a.parquet", parquet(rows(100_000, 2))))
    reader = SnapshotReader(room.snapshots.create(ME, "default", "text", SnapshotRequest()))
    numbers = {label: i for i, label in enumerate(reader.labels)}
    memory = [{**row, "label_id": numbers[row["label"]]} for row in reader.to_arrow().to_pylist()]

    def collate(batch: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "text": [row["text"] for row in batch],
            "label": [row["label"] for row in batch],
            "n": torch.tensor([row["n"] for row in batch]),
            "label_id": torch.tensor([row["label_id"] for row in batch]),
        }

    ours_loader = reader.to_torch(batch_size=64, shuffle=True)
    peer_loader = DataLoader(memory, 64, shuffle=True, collate_fn=collate)
    ours, peer = compare(lambda: _drain(ours_loader), lambda: _drain(peer_loader), 9)
    names = ("snapshot.to_torch(shuffle=True)", "DataLoader over a list in memory")
    report("shuffled batches of 64, 100,000 rows", names, ours, peer, speed=True)


def _drain(loader: Any) -> int:
    return sum(len(batch["text"]) for batch in loader)


def run(quick: bool) -> list[Figure]:
    """All figures; `quick` leaves out the thousand commits. What they print goes to stderr."""
    with contextlib.redirect_stdout(sys.stderr):
        measure([name for name in FIGURES if not (quick and name == "append")])
    return FOUND


def main() -> None:
    """Run the named figures, or all."""
    measure(sys.argv[1:] or list(FIGURES))


FIGURES = {"append": append, "read": read, "torch": torch_batches}


def measure(names: list[str]) -> None:
    """Each on an empty folder."""
    for name in names:
        home = Path(tempfile.mkdtemp(prefix="dlsys-bench-"))
        os.environ["DLSYS_CACHE"] = str(home / "cache")
        try:
            FIGURES[name](home)
        finally:
            shutil.rmtree(home)


if __name__ == "__main__":
    main()
