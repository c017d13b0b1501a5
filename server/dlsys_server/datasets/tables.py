"""Datasets, versions, tags, snapshots, and which chunks a project may read."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from dlsys_server.core.tables import Base

Count = BigInteger().with_variant(Integer, "sqlite")


class DatasetRow(Base):
    """A dataset. `head` is its newest version; `removed` holds the id once it is removed."""

    __tablename__ = "dataset"
    __table_args__ = (
        Index("ix_dataset_name", "project", "name", "removed", unique=True),
        Index("ix_dataset_updated", "project", "updated_at"),
    )

    id: Mapped[str] = mapped_column(String(26), primary_key=True)
    project: Mapped[str] = mapped_column(String(63))
    name: Mapped[str] = mapped_column(String(63))
    kind: Mapped[str] = mapped_column(String(32))
    description: Mapped[str] = mapped_column(Text)
    owner: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    head: Mapped[int] = mapped_column(default=0)
    labels: Mapped[list[Any]]
    removed: Mapped[str] = mapped_column(String(26), default="")


class VersionRow(Base):
    """A version: the manifest says what is in it, the row who made it and how."""

    __tablename__ = "dataset_version"
    __table_args__ = (Index("ix_dataset_version_manifest", "dataset_id", "manifest"),)

    dataset_id: Mapped[str] = mapped_column(ForeignKey("dataset.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    manifest: Mapped[str] = mapped_column(String(64))
    statistics: Mapped[str] = mapped_column(String(64))
    parent: Mapped[int | None]
    message: Mapped[str] = mapped_column(Text)
    operation: Mapped[str] = mapped_column(String(16))
    tags: Mapped[dict[str, Any]]
    author: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime]
    rows: Mapped[int] = mapped_column(Count)
    rows_added: Mapped[int] = mapped_column(Count)
    rows_removed: Mapped[int] = mapped_column(Count)
    bytes: Mapped[int] = mapped_column(Count)


class TagRow(Base):
    """A name of a version; it moves only on purpose."""

    __tablename__ = "dataset_tag"

    dataset_id: Mapped[str] = mapped_column(ForeignKey("dataset.id"), primary_key=True)
    tag: Mapped[str] = mapped_column(String(63), primary_key=True)
    version: Mapped[int]
    author: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime]


class SnapshotRow(Base):
    """Frozen training input. `request_hash` finds it again without reading any data."""

    __tablename__ = "snapshot"
    __table_args__ = (
        Index("ix_snapshot_request", "dataset_id", "version", "request_hash", unique=True),
        Index("ix_snapshot_hash", "project", "hash"),
    )

    id: Mapped[str] = mapped_column(String(26), primary_key=True)
    project: Mapped[str] = mapped_column(String(63))
    dataset_id: Mapped[str] = mapped_column(ForeignKey("dataset.id"))
    dataset: Mapped[str] = mapped_column(String(63))
    kind: Mapped[str] = mapped_column(String(32))
    version: Mapped[int]
    request: Mapped[dict[str, Any]]
    request_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(71))
    manifest: Mapped[str] = mapped_column(String(64))
    rows: Mapped[int] = mapped_column(Count)
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(200))
    view: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """What was masked and left out when it was made; empty: nothing."""


class PolicyRow(Base):
    """Who may see what of a dataset; one without a row is seen whole by its project. `policy` is
    the contract's PolicyRequest."""

    __tablename__ = "dataset_policy"

    dataset_id: Mapped[str] = mapped_column(ForeignKey("dataset.id"), primary_key=True)
    visibility: Mapped[str] = mapped_column(String(16), index=True)
    policy: Mapped[dict[str, Any]]
    set_by: Mapped[str] = mapped_column(String(200))
    set_at: Mapped[datetime]


class ChunkRow(Base):
    """Who holds a chunk: 'dataset/ID' or 'snapshot/sha256:…'. A hash alone gives no right.

    `owner` brought it; `bytes` is null where it was kept before sizes were.
    """

    __tablename__ = "dataset_chunk"
    __table_args__ = (Index("ix_dataset_chunk_owner", "owner"),)

    project: Mapped[str] = mapped_column(String(63), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    holder: Mapped[str] = mapped_column(String(90), primary_key=True)
    bytes: Mapped[int | None] = mapped_column(BigInteger)
    owner: Mapped[str] = mapped_column(String(200), default="")
