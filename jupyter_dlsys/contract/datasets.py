"""Datasets, versions, statistics, diffs, snapshots."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from .base import Answer, Name, Request, Tags

Kind = Literal["text-classification", "image-classification", "tabular", "generic"]
Format = Literal["csv", "jsonl", "parquet", "arrow", "images-zip"]
ExportFormat = Literal["arrow", "parquet", "csv", "jsonl"]
Operation = Literal["append", "replace", "delete"]


class Column(Answer):
    """One column of a dataset's schema; `type` is the Arrow type in Arrow's own words."""

    name: str
    type: str
    nullable: bool = True
    role: Literal["text", "image", "label", ""] = ""


class Histogram(Answer):
    """`counts[i]` values lie in `[edges[i], edges[i+1])`, the last bin closed."""

    edges: list[float]
    counts: list[int]


class ValueCount(Answer):
    """How often one value occurs."""

    value: str
    count: int


class ColumnStatistics(Answer):
    """What a person asks of a column first; fields that make no sense for its type are null."""

    name: str
    missing: int
    distinct: int | None = None
    minimum: float | None = None
    maximum: float | None = None
    mean: float | None = None
    std: float | None = None
    histogram: Histogram | None = Field(
        None, description="Of numbers; of text lengths in characters; of image widths in pixels."
    )
    top: list[ValueCount] = []
    sizes: list[ValueCount] = Field([], description="Image sizes as 'WxH', most frequent first.")


class Statistics(Answer):
    """Statistics of one version."""

    rows: int
    bytes: int
    labels: list[ValueCount] = []
    columns: list[ColumnStatistics] = []


class CreateDataset(Request):
    """A new, empty dataset."""

    name: Name
    kind: Kind = "generic"
    description: str = Field("", max_length=2000)


class Dataset(Answer):
    """A dataset and its newest version."""

    name: str
    kind: Kind
    description: str = ""
    owner: str
    project: str
    created_at: datetime
    updated_at: datetime
    version: int = Field(description="Newest version; 0 when nothing was committed yet.")
    rows: int = 0
    bytes: int = 0
    hash: str | None = Field(None, description="Content hash of the newest version, 'sha256:…'.")
    labels: list[str] = []
    tags: dict[str, int] = Field({}, description="Tag to version.")


class UploadedFile(Request):
    """A finished upload and how to read it."""

    upload: str
    format: Format | None = Field(None, description="By the file name when left out.")


class CommitRequest(Request):
    """New rows (or fewer) for a dataset. All or nothing."""

    message: str = Field("", max_length=2000)
    operation: Operation = "append"
    files: list[UploadedFile] = []
    where: str | None = Field(None, description="Rows to delete, e.g. label == 'spam'.")
    tags: Tags = Field({}, description="key=value tags of this commit; snapshots filter on them.")
    parent: int | None = Field(
        None, description="Version this commit expects to build on; 409 when it is not the newest."
    )


class Version(Answer):
    """One version of a dataset: an immutable state, made by one commit."""

    dataset: str
    version: int
    hash: str
    parent: int | None = None
    message: str = ""
    operation: Operation
    tags: dict[str, str] = {}
    names: list[str] = Field([], description="Tags that point at this version.")
    author: str
    created_at: datetime
    rows: int
    rows_added: int
    rows_removed: int
    bytes: int
    columns: list[Column]
    labels: list[str] = Field([], description="Label of each label id, in id order.")
    statistics: Statistics


class VersionSummary(Answer):
    """A version as a line of the history."""

    dataset: str
    version: int
    hash: str
    message: str
    operation: Operation
    tags: dict[str, str] = {}
    names: list[str] = []
    author: str
    created_at: datetime
    rows: int
    rows_added: int
    rows_removed: int


class Rows(Answer):
    """A window of rows; images are data URIs of thumbnails, times RFC 3339."""

    columns: list[Column]
    offset: int
    total: int
    rows: list[dict[str, Any]]


class ColumnChange(Answer):
    """How one column differs between two versions."""

    column: str
    change: Literal["added", "removed", "type"]
    before: str | None = None
    after: str | None = None


class LabelChange(Answer):
    """Rows with a label, before and after."""

    label: str
    before: int
    after: int


class Diff(Answer):
    """What changed from `base` to `target`, with samples of the rows."""

    dataset: str
    base: int
    target: int
    rows_added: int
    rows_removed: int
    schema_changes: list[ColumnChange] = []
    label_changes: list[LabelChange] = []
    statistics_before: Statistics
    statistics_after: Statistics
    added: list[dict[str, Any]] = []
    removed: list[dict[str, Any]] = []


class TagRequest(Request):
    """Point a tag at a version. A tag moves only when `move` says so."""

    version: int
    move: bool = False


class SnapshotRequest(Request):
    """Which rows of which version, in which split."""

    ref: str = Field("", description="Version: v3, a tag, sha256:…; empty for the newest.")
    tags: Tags = Field({}, description="Only rows from commits that carry all of these tags.")
    where: str | None = None
    columns: list[str] | None = None
    split: dict[str, float] | None = Field(
        None, description="Fractions that add up to 1, e.g. {'train': 0.8, 'val': 0.1, 'test': 0.1}"
    )
    seed: int = 0


class Chunk(Answer):
    """One immutable Parquet file of the store, named by the SHA-256 of its bytes."""

    sha256: str
    rows: int
    bytes: int


class SnapshotSplit(Answer):
    """The chunks of one split, in row order."""

    name: str
    rows: int
    chunks: list[Chunk]


class Snapshot(Answer):
    """Frozen training input. Equal content has the equal hash, wherever and however it was made."""

    hash: str = Field(description="'sha256:…' over schema, labels, splits and rows in order.")
    project: str
    dataset: str
    kind: Kind
    version: int
    request: SnapshotRequest
    rows: int
    columns: list[Column]
    labels: list[str] = []
    splits: list[SnapshotSplit]
    created_at: datetime
    created_by: str
    local_root: str | None = Field(
        None, description="Object folder when the caller can read it directly (same machine)."
    )
