"""Versions as a view shows them: counts, labels and statistics of what is seen, nothing else.

What is not masked or left out for the caller is answered from the rows of the database, as it was
counted at the commit. Else the visible rows are counted, chunk by chunk; chunks never change, so
the counts of each are remembered.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, TypeVar

from dlsys_server.core.store import ObjectStore
from jupyter_dlsys.contract.datasets import Dataset, Version, VersionSummary

from . import manifest, versions
from .tables import DatasetRow, VersionRow
from .viewing import View

if TYPE_CHECKING:
    from .lenses import Lens
    from .sealing import Sealer
    from .statistics import Profile

CHUNKS, PROFILES = 100_000, 128
T = TypeVar("T")


class _Recent:
    """The newest results by key. Thread-safe."""

    def __init__(self, most: int) -> None:
        self._most, self._lock = most, threading.Lock()
        self._known: OrderedDict[Hashable, Any] = OrderedDict()

    def of(self, key: Hashable, make: Callable[[], T]) -> T:
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                found: T = self._known[key]
                return found
        made = make()
        with self._lock:
            self._known[key] = made
            while len(self._known) > self._most:
                self._known.popitem(last=False)
        return made


class Shower:
    """Answers of the API about datasets and versions, through a view."""

    def __init__(self, store: ObjectStore, sealer: Sealer) -> None:
        self.store, self.sealer = store, sealer
        self._counts, self._profiles = _Recent(CHUNKS), _Recent(PROFILES)

    def lens(self, view: View, root: manifest.Root) -> Lens | None:
        """What a view shows of a version; None when that is all of it."""
        if view.whole:
            return None
        from .lenses import Lens

        return Lens(view, root, self.sealer)

    def hash_of(self, view: View) -> Callable[[str], str]:
        """From a version's manifest to its content hash as the view tells it."""
        return str if view.whole else lambda sha256: self.sealer.of_version(view, sha256)

    # -- answers

    def dataset(
        self, row: DatasetRow, newest: VersionRow | None, tags: dict[str, int], view: View
    ) -> Dataset:
        """A dataset with its newest version."""
        found = versions.to_dataset(row, newest, tags)
        if view.whole or newest is None:
            return found
        root = manifest.load(self.store, newest.manifest)
        changed = {
            "rows": self.rows(view, root),
            "bytes": 0,
            "hash": f"sha256:{self.sealer.of_version(view, newest.manifest)}",
            "labels": self.labels(view, newest.manifest, root),
        }
        return found.model_copy(update=changed)

    def summary(
        self, dataset: str, row: VersionRow, tags: dict[str, int], view: View, before: str | None
    ) -> VersionSummary:
        """A version as a line of the history; `before` is the manifest of its parent."""
        found = versions.to_summary(dataset, row, tags)
        return found if view.whole else found.model_copy(update=self._counted(row, view, before))

    def version(
        self, dataset: str, row: VersionRow, tags: dict[str, int], view: View, before: str | None
    ) -> Version:
        """A version with schema, labels and statistics."""
        if view.whole:
            return versions.to_version(self.store, dataset, row, tags)
        from . import statistics

        root = manifest.load(self.store, row.manifest)
        lens = self.lens(view, root)
        assert lens is not None
        labels = self.labels(view, row.manifest, root)
        profile = self.profile(lens, row, root)
        summary = versions.to_summary(dataset, row, tags).model_dump()
        return Version(
            **{**summary, **self._counted(row, view, before)},
            parent=row.parent,
            bytes=0,
            columns=lens.columns,
            labels=labels,
            statistics=statistics.public(profile, lens.columns, labels, 0),
        )

    def _counted(self, row: VersionRow, view: View, before: str | None) -> dict[str, Any]:
        content = f"sha256:{self.sealer.of_version(view, row.manifest)}"
        if not view.filters:
            return {"hash": content}
        rows = self.rows(view, manifest.load(self.store, row.manifest))
        old = 0
        if before is not None:
            old = self.rows(view, manifest.load(self.store, before))
        added = rows if row.operation == "replace" else max(0, rows - old)
        removed = old if row.operation == "replace" else max(0, old - rows)
        return {"hash": content, "rows": rows, "rows_added": added, "rows_removed": removed}

    # -- counts

    def rows(self, view: View, root: manifest.Root) -> int:
        """How many rows a view shows of a version."""
        lens = self.lens(view, root)
        if lens is None or not lens.filtered:
            return root.rows
        return sum(self._chunk_rows(lens, e) for _, e in manifest.chunks(self.store, root))

    def _chunk_rows(self, lens: Lens, entry: Any) -> int:
        from .parquet import read_chunk

        def count() -> int:
            names = lens.needed
            if not names:
                return 0
            batches = read_chunk(self.store, entry, lens.full, names)
            return sum(lens.visible(batch).num_rows for batch in batches)

        return self._counts.of((entry.sha256, lens.view.filters, str(lens.full)), count)

    def labels(self, view: View, sha256: str, root: manifest.Root) -> list[str]:
        """The labels in id order: of rows that are shown, and none when they are masked."""
        lens = self.lens(view, root)
        if lens is None:
            return root.labels
        if "label" in lens.masks or not root.labels:
            return []
        if not lens.filtered:
            return root.labels
        key = ("labels", sha256, self.sealer.of_view(view))
        return self._profiles.of(key, lambda: self._labels(lens, root))

    def _labels(self, lens: Lens, root: manifest.Root) -> list[str]:
        from .parquet import read_chunks

        names = sorted({*lens.needed, "label"})
        entries = [entry for _, entry in manifest.chunks(self.store, root)]
        seen: set[str] = set()
        for batch in read_chunks(self.store, entries, lens.full, names):
            seen.update(lens.visible(batch).column("label").unique().to_pylist())
        return [label for label in root.labels if label in seen]

    def profile(self, lens: Lens, row: VersionRow, root: manifest.Root) -> Profile:
        """Statistics of what is shown; of masked columns only what the mask itself shows."""
        key = ("profile", row.manifest, self.sealer.of_view(lens.view))
        return self._profiles.of(key, lambda: self._profile(lens, row, root))

    def _profile(self, lens: Lens, row: VersionRow, root: manifest.Root) -> Profile:
        from . import statistics
        from .parquet import read_chunks

        if not lens.filtered:
            return statistics.without(statistics.load(self.store, row.statistics), lens.masks)
        profile, roles = statistics.Profile(), statistics.roles_of(lens.columns)
        entries = [entry for _, entry in manifest.chunks(self.store, root)]
        for batch in read_chunks(self.store, entries, lens.full):
            profile.add(lens.apply(batch), roles)
        return statistics.without(profile, lens.masks)
