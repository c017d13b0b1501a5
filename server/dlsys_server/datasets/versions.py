"""From names to rows: datasets, versions and their references."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from dlsys_server.core.errors import InvalidInput, NotFound
from dlsys_server.core.store import ObjectStore
from jupyter_dlsys.contract.datasets import Column, Dataset, Version, VersionSummary

from . import manifest
from .tables import DatasetRow, TagRow, VersionRow

HASH_PREFIX = 8
HashOf = Callable[[str], str]


@dataclass(frozen=True)
class State:
    """What a dataset is at one version; of version 0 when nothing was committed yet."""

    dataset: DatasetRow
    version: VersionRow | None
    root: manifest.Root

    @property
    def number(self) -> int:
        """The version's number."""
        return self.version.version if self.version else 0

    @property
    def columns(self) -> list[Column]:
        """The schema."""
        return self.root.columns


def find_version(
    session: Session, dataset: DatasetRow, ref: str, hash_of: HashOf = str
) -> VersionRow:
    """The version that `ref` means: '', 'latest', v3, 3, a tag, or sha256:… (8 digits or more).

    `hash_of` turns a manifest's hash into the one that the caller was told.

    Raises:
        NotFound: there is none.
        InvalidInput: a hash prefix fits several states.
    """
    ref = ref.strip()
    if not dataset.head:
        raise NotFound(
            f"Dataset '{dataset.name}' has no version yet.",
            code="no-such-version",
            hint=f"Commit data first: `dlsys datasets commit {dataset.name} FILE -m MESSAGE`.",
        )
    row: VersionRow | None = None
    if ref in ("", "latest"):
        row = session.get(VersionRow, (dataset.id, dataset.head))
    elif match := re.fullmatch(r"v?(\d{1,9})", ref):
        row = session.get(VersionRow, (dataset.id, int(match[1])))
    elif ref.startswith("sha256:"):
        row = _by_hash(session, dataset, ref, hash_of)
    elif tag := session.get(TagRow, (dataset.id, ref)):
        row = session.get(VersionRow, (dataset.id, tag.version))
    if row is None:
        raise NotFound(
            f"Dataset '{dataset.name}' has no version '{ref}'.",
            code="no-such-version",
            hint=f"Its newest is v{dataset.head}; a tag or sha256:… also names a version.",
        )
    return row


def _by_hash(session: Session, dataset: DatasetRow, ref: str, hash_of: HashOf) -> VersionRow | None:
    prefix = ref.removeprefix("sha256:")
    if not re.fullmatch(rf"[0-9a-f]{{{HASH_PREFIX},64}}", prefix):
        raise InvalidInput(
            f"'{ref}' is not a content hash.",
            hint=f"Give at least {HASH_PREFIX} of its 64 hexadecimal digits.",
        )
    query = select(VersionRow).where(VersionRow.dataset_id == dataset.id)
    if hash_of is str:
        query = query.where(VersionRow.manifest.startswith(prefix))
    rows = session.scalars(query.order_by(VersionRow.version.desc()))
    found = [row for row in rows if hash_of(row.manifest).startswith(prefix)]
    if len({row.manifest for row in found}) > 1:
        raise InvalidInput(f"'{ref}' fits several versions.", hint="Give more of its digits.")
    return found[0] if found else None


def head(session: Session, store: ObjectStore, dataset: DatasetRow) -> State:
    """The newest state."""
    if not dataset.head:
        return State(dataset, None, manifest.Root())
    row = find_version(session, dataset, "")
    return State(dataset, row, manifest.load(store, row.manifest))


def tags_of(session: Session, dataset_ids: list[str]) -> dict[str, dict[str, int]]:
    """Dataset id to tag to version."""
    found: dict[str, dict[str, int]] = {i: {} for i in dataset_ids}
    rows = session.scalars(
        select(TagRow).where(TagRow.dataset_id.in_(dataset_ids)).order_by(TagRow.tag)
    )
    for row in rows:
        found[row.dataset_id][row.tag] = row.version
    return found


def newest_of(session: Session, dataset_ids: list[str]) -> dict[str, VersionRow]:
    """Dataset id to its newest version."""
    newest = (
        select(VersionRow.dataset_id, func.max(VersionRow.version).label("version"))
        .where(VersionRow.dataset_id.in_(dataset_ids))
        .group_by(VersionRow.dataset_id)
        .subquery()
    )
    rows = session.scalars(
        select(VersionRow).join(
            newest,
            (VersionRow.dataset_id == newest.c.dataset_id)
            & (VersionRow.version == newest.c.version),
        )
    )
    return {row.dataset_id: row for row in rows}


def to_dataset(row: DatasetRow, newest: VersionRow | None, tags: dict[str, int]) -> Dataset:
    """As the API tells it."""
    return Dataset(
        name=row.name,
        kind=row.kind,
        description=row.description,
        owner=row.owner,
        project=row.project,
        created_at=row.created_at,
        updated_at=row.updated_at,
        version=row.head,
        rows=newest.rows if newest else 0,
        bytes=newest.bytes if newest else 0,
        hash=f"sha256:{newest.manifest}" if newest else None,
        labels=list(row.labels),
        tags=tags,
    )


def to_summary(dataset: str, row: VersionRow, tags: dict[str, int]) -> VersionSummary:
    """A version as a line of the history."""
    return VersionSummary(
        dataset=dataset,
        version=row.version,
        hash=f"sha256:{row.manifest}",
        message=row.message,
        operation=row.operation,
        tags=row.tags,
        names=[tag for tag, version in tags.items() if version == row.version],
        author=row.author,
        created_at=row.created_at,
        rows=row.rows,
        rows_added=row.rows_added,
        rows_removed=row.rows_removed,
    )


def to_version(
    store: ObjectStore,
    dataset: str,
    row: VersionRow,
    tags: dict[str, int],
    root: manifest.Root | None = None,
) -> Version:
    """A version with schema, labels and statistics."""
    from . import statistics

    root = root or manifest.load(store, row.manifest)
    profile = statistics.load(store, row.statistics)
    return Version(
        **to_summary(dataset, row, tags).model_dump(),
        parent=row.parent,
        bytes=row.bytes,
        columns=root.columns,
        labels=root.labels,
        statistics=statistics.public(profile, root.columns, root.labels, row.bytes),
    )
