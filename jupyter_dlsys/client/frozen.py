"""The snapshot operations of the API; `snapshots` reads their rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from jupyter_dlsys.client.chunks import FetchChunk
from jupyter_dlsys.client.connection import new_key
from jupyter_dlsys.client.resource import Resource, checked
from jupyter_dlsys.client.results import Snapshot
from jupyter_dlsys.client.snapshots import materialize
from jupyter_dlsys.client.views import Listing
from jupyter_dlsys.contract.datasets import SnapshotRequest


class Snapshots(Resource):
    """Frozen training inputs of a project."""

    def create(
        self,
        dataset: str,
        ref: str = "",
        *,
        tags: Mapping[str, str] | None = None,
        where: str | None = None,
        columns: Sequence[str] | None = None,
        split: Mapping[str, float] | None = None,
        seed: int = 0,
    ) -> Snapshot:
        """Freeze rows for training; the same content gives the same snapshot.

        Args:
            dataset: its name, or with the version: tweets@v1, tweets@gold.
            ref: the version when it is not in the name; the newest when left out.
            tags: only rows of commits that carry all of these.
            where: only rows for which this holds, e.g. "label != 'spam'".
            columns: only these.
            split: fractions that add up to 1, e.g. {"train": 0.8, "test": 0.2}.
            seed: of the split.
        """
        name, _, version = dataset.partition("@")
        body = checked(
            SnapshotRequest,
            ref=version or ref,
            tags=dict(tags or {}),
            where=where,
            columns=None if columns is None else list(columns),
            split=None if split is None else dict(split),
            seed=seed,
        )
        path = self._dataset(name, "snapshots")
        # Creating the same snapshot again gives the same one, so a repeat is harmless.
        return self._connection.send(Snapshot, "POST", path, body, key=new_key())

    def list(self, dataset: str, limit: int | None = None) -> Listing[Snapshot]:
        """Snapshots of a dataset, newest first."""
        return self._all(Snapshot, self._dataset(dataset, "snapshots"), limit=limit)

    def show(self, hash: str, project: str | None = None) -> Snapshot:
        """One snapshot by its hash, 'sha256:…'; of another project when one is named."""
        return self._connection.get(Snapshot, self._in(project, "snapshots", hash))

    def chunk(self, sha256: str, project: str | None = None) -> bytes:
        """The bytes of one Parquet chunk."""
        return self._connection.request("GET", self._in(project, "chunks", sha256)).content

    def fetcher(self, snapshot: Snapshot) -> FetchChunk:
        """What gives the bytes of this snapshot's chunks."""
        return partial(self.chunk, project=snapshot.project)

    def _in(self, project: str | None, *parts: str) -> str:
        return self._connection.path_in(project or self._connection.project, *parts)

    def download(self, snapshot: Snapshot, folder: str | Path) -> Path:
        """Its rows as Parquet files with a snapshot.json, as a job finds them."""
        target = Path(folder).expanduser()
        materialize(snapshot.model_dump(mode="json"), target, fetch=self.fetcher(snapshot))
        return target
